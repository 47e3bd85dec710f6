"""Reports say what was found, and hide what must stay hidden."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.masking import Mask
from flask_otp_mpp.conformance.play import Exchange
from flask_otp_mpp.conformance.report.as_json import as_json
from flask_otp_mpp.conformance.report.curl import curl
from flask_otp_mpp.conformance.report.html import as_html
from flask_otp_mpp.conformance.report.junit import as_junit
from flask_otp_mpp.conformance.report.terminal import progress, replayed, summary
from flask_otp_mpp.conformance.report.view import BODY_LIMIT, RunView, cut, first_difference, view
from flask_otp_mpp.conformance.run import Result, Run, Status, run
from flask_otp_mpp.conformance.target import read_target
from flask_otp_mpp.conformance.wire import Request
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import LocalSigner
from tests.conformance.samples import ALL, sample_file
from tests.wallet import key

COMMAND = ["otp-mpp-conformance", "run", "my wallet.toml"]
SAID = r"<user \d+> had the code <code>\ufffd\[2J\ufffd"
VOID = {"meta", "input", "rect"}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with sample_file(tmp_path_factory.mktemp("wallet")) as file:
        yield run(read_target(file), ALL)


@pytest.fixture(scope="module")
def shown(done: Run) -> RunView:
    return view(done, COMMAND)


class Page(HTMLParser):
    """A page: its elements, and whether each that was opened is closed again."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def having(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            found
            for name, found in self.elements
            if name == tag and attributes.items() <= found.items()
        ]


def test_the_samples_end_as_they_should(done: Run) -> None:
    assert [one.status.value for one in done.results] == ["passed", "skipped", "failed", "failed"]


def terminal(shown: RunView) -> str:
    return "\n".join([summary(shown), *(replayed(one, signed=True) for one in shown.cases)])


@pytest.mark.parametrize("report", [as_html, as_json, as_junit, terminal])
def test_no_report_shows_a_token_or_a_code(
    report: Callable[[RunView], str], done: Run, shown: RunView
) -> None:
    codes = [secret for secret, name in done.secrets.items() if name in ("<code>", "<wrong code>")]
    assert len(codes) == 3
    text = report(shown)
    assert [code for code in codes if code in text] == []
    assert "tok-user" not in text
    assert "&lt;code&gt;" in text or "<code>" in text


def test_a_result_shows_neither_while_the_run_goes_on(done: Run) -> None:
    [said] = [one.said for one in done.results if one.case.id == "sample.failed"]
    assert re.fullmatch(SAID, said)


@pytest.fixture(scope="module")
def page(shown: RunView) -> Page:
    return Page(as_html(shown))


@pytest.fixture(scope="module")
def as_parsed(shown: RunView) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(as_json(shown))
    return parsed


class TestHtml:
    def test_the_page_is_well_formed_and_needs_no_network(self, page: Page) -> None:
        assert page.open == []
        links = [
            value
            for _, attributes in page.elements
            for name, value in attributes.items()
            if name in ("src", "href", "action", "data", "srcset", "style") or name.startswith("on")
        ]
        assert [link for link in links if not (link or "").startswith("#")] == []
        assert "url(" not in page.text
        assert "@import" not in page.text

    def test_what_a_wallet_answers_is_no_markup(self, page: Page) -> None:
        assert len(page.having("script")) == 1
        assert page.having("b") == []
        assert "It <b>fails</b>" in page.text
        assert re.search(r"<script><user \d+></script>", page.text)

    def test_the_policy_of_the_page_allows_its_own_script_and_style_only(
        self, shown: RunView
    ) -> None:
        policy = str(Page(as_html(shown)).having("meta")[2]["content"])
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy

    def test_each_case_is_folded_and_a_failure_leads_to_its_case(self, page: Page) -> None:
        cases = page.having("details")
        assert [one["data-status"] for one in cases] == ["passed", "skipped", "failed", "failed"]
        assert all("open" not in one for one in cases)
        ids = {one["id"] for one in cases}
        links = [str(one["href"]) for one in page.having("a") if one["href"] != "#cases"]
        assert links == ["#case-sample.failed", "#case-sample.warning"]
        assert {link[1:] for link in links} <= ids

    def test_a_case_says_its_rule_source_and_severity(self, page: Page) -> None:
        for text in (
            "The Book, Chapter 2",
            "We think so.",
            "recommended",
            "the advice was not taken",
            "Does not conform",
            "none, none",
        ):
            assert (text in page.text) is (text != "none, none"), text

    def test_a_failure_can_be_played_again(self, page: Page) -> None:
        assert "otp-mpp-conformance run 'my wallet.toml' --replay sample.failed" in page.text
        assert page.text.count("curl --include") == 3  # exchanges of cases that failed

    def test_the_bars_count_what_the_table_counts(self, page: Page) -> None:
        widths = [
            (one["class"], one["width"]) for one in page.having("rect") if one["width"] != "0"
        ]
        assert widths == [("passed", "1"), ("skipped", "1"), ("failed", "2")]

    def test_200_cases_make_a_page_of_less_than_2_megabytes(self, done: Run) -> None:
        passed = next(one for one in done.results if one.status is Status.PASSED)
        many = [
            replace(
                passed,
                exchanges=[*passed.exchanges, *passed.exchanges],
                case=replace(passed.case, id=f"sample.{number}"),
            )
            for number in range(200)
        ]
        text = as_html(view(replace(done, results=many), COMMAND))
        assert text.count("<details") == 200
        assert "2 more exchanges are not shown here" in text
        assert len(text.encode()) < 2_000_000


class TestJUnit:
    def test_the_counts_are_those_of_the_cases(self, shown: RunView) -> None:
        root = ET.fromstring(as_junit(shown))
        assert (root.tag, root.get("tests"), root.get("failures"), root.get("errors")) == (
            "testsuites",
            "4",
            "1",
            "0",
        )
        assert root.get("skipped") == "2"
        assert [(one.get("name"), one.get("tests")) for one in root] == [
            ("codes and attempts", "2"),
            ("answers", "2"),
        ]
        assert len(root.findall("testsuite/testcase")) == 4

    def test_a_failure_says_what_was_found_and_how_to_see_it_again(self, shown: RunView) -> None:
        [failure] = ET.fromstring(as_junit(shown)).iter("failure")
        assert re.fullmatch(SAID, str(failure.get("message")))
        assert failure.get("type") == "required"
        assert "--replay sample.failed" in str(failure.text)

    def test_a_recommended_case_does_not_fail_a_build(self, shown: RunView) -> None:
        root = ET.fromstring(as_junit(shown))
        skipped = [str(one.get("message")) for one in root.iter("skipped")]
        assert skipped == [
            "the configuration has no: a frozen user",
            "recommended, and failed: the advice was not taken",
        ]

    def test_what_xml_has_no_characters_for_is_replaced(self, shown: RunView) -> None:
        odd = [replace(one, said="a\x00b\x1bc\ufffe") for one in shown.cases]
        root = ET.fromstring(as_junit(replace(shown, cases=tuple(odd))))
        [failure] = root.iter("failure")
        assert failure.get("message") == "a\ufffdb\ufffdc\ufffd"


class TestJson:
    def test_it_says_how_the_run_ended(self, as_parsed: dict[str, Any], done: Run) -> None:
        assert as_parsed["format"] == 1
        assert as_parsed["protocol"] == "alipayplus"
        assert as_parsed["base_url"] == done.base_url
        assert as_parsed["verdict"] == "does not conform"
        assert as_parsed["counts"] == {"passed": 1, "failed": 2, "skipped": 1}
        assert as_parsed["groups"]["answers"] == {"passed": 0, "failed": 2, "skipped": 0}

    def test_each_case_has_all_that_a_program_may_ask(self, as_parsed: dict[str, Any]) -> None:
        for case in as_parsed["cases"]:
            assert list(case) == [
                *("id", "title", "group", "rule", "source", "severity", "status", "said"),
                *("seconds", "replay", "exchanges", "exchanges_omitted"),
            ]
            for exchange in case["exchanges"]:
                assert list(exchange) == ["at", "seconds", "request", "answer", "curl"]
                assert exchange["answer"]["status"] == 200
                assert exchange["answer"]["verified"] is True
                assert exchange["request"]["signed"].startswith("POST /aps/")
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", exchange["at"])


class TestSignatures:
    """A signature that does not hold is explained."""

    @staticmethod
    def signed_over(done: Run, change: Callable[[bytes], bytes]) -> Run:
        """Return the run as if the wallet had signed other texts."""
        signer = LocalSigner("1", key("wallet"))

        def changed(one: Exchange) -> Exchange:
            header = rsa256.signature_header(signer, change(one.expected))
            others = tuple(pair for pair in one.response.headers if pair[0] != "signature")
            response = replace(one.response, headers=(*others, ("signature", header)))
            return replace(one, response=response, verified=False)

        results = [
            replace(one, exchanges=[changed(each) for each in one.exchanges])
            for one in done.results
        ]
        return replace(done, results=results)

    def test_the_report_shows_what_an_answer_was_signed_for(self, done: Run) -> None:
        shown = view(self.signed_over(done, lambda text: text + b"\n"), COMMAND)
        exchange = shown.failures[0].exchanges[0]
        assert exchange.covered == exchange.expected + "\n"
        assert len(exchange.mistakes) == 1
        page = as_html(shown)
        assert "covers another text" in page
        assert "<mark>(end)</mark>" in page
        assert "It covers\n  POST" in replayed(shown.failures[0], signed=True)

    def test_what_is_not_known_is_said(self, done: Run) -> None:
        strange = self.signed_over(done, lambda _: b"x")
        other = replace(strange, wallet_keys={"1": key("other").public_key()})
        for run_, told in (
            (strange, r"It covers none of \d+ likely texts\."),
            (other, r"None of the wallet's keys that are configured has made it\."),
        ):
            [exchange] = view(run_, COMMAND).failures[1].exchanges
            assert exchange.covered == ""
            assert re.fullmatch(told, exchange.mistakes[0])


class TestTerminal:
    def test_the_end_of_a_run_says_what_failed_and_why_others_were_skipped(
        self, shown: RunView
    ) -> None:
        lines = summary(shown).splitlines()
        assert "required: It <b>fails</b> (sample.failed)" in lines
        assert "  otp-mpp-conformance run 'my wallet.toml' --replay sample.warning" in lines
        assert lines[-2] == "1 skipped: the configuration has no: a frozen user"
        assert re.fullmatch(
            r"does not conform: 1 passed, 2 failed, 1 skipped, \d+\.\d s", lines[-1]
        )

    def test_a_replay_shows_each_exchange_in_full(self, shown: RunView) -> None:
        text = replayed(shown.failures[0], signed=True)
        assert text.startswith("sample.failed: It <b>fails</b>")
        assert text.count("String to sign\n  POST /aps/api/v1/users/") == 2
        assert text.count("The answer's signature holds.") == 2
        assert "\x1b" not in text

    def test_lines_are_written_where_there_is_no_terminal(self, done: Run) -> None:
        out = StringIO()
        with progress(ALL, out) as show:
            for result in done.results:
                show(result)
        assert out.getvalue().splitlines()[:2] == [
            "PASSED  sample.passed",
            "SKIPPED sample.skipped: the configuration has no: a frozen user",
        ]

    def test_a_terminal_has_a_view_of_groups_and_failures(self, done: Run) -> None:
        text = self._on_a_terminal(done.results)
        assert "codes and attempts" in text
        assert "4/4" in text
        assert "the advice was not taken" in text

    def test_without_rich_a_terminal_has_lines(
        self, done: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(
            __import__("sys").modules, "flask_otp_mpp.conformance.report.live", None
        )
        assert self._on_a_terminal(done.results).startswith("PASSED  sample.passed\n")

    def _on_a_terminal(self, results: Any) -> str:
        class Terminal(StringIO):
            def isatty(self) -> bool:
                return True

        out = Terminal()
        with progress(ALL, out) as show:
            for result in results:
                show(result)
        return out.getvalue()


class TestCurl:
    def called(self, request: Request, folder: Path) -> tuple[list[str], bytes]:
        """Return arguments and standard input that a shell gives to curl."""
        command = curl(request, "http://host:80/base", Mask({}))
        script = f"""curl() {{ printf '%s\\0' "$@" > args; cat > body; }}\n{command}"""
        subprocess.run(["sh", "-c", script], cwd=folder, check=True, stdin=subprocess.DEVNULL)
        arguments = (folder / "args").read_bytes().split(b"\0")[:-1]
        return [one.decode() for one in arguments], (folder / "body").read_bytes()

    def test_a_shell_reads_the_command_as_the_request_was(self, tmp_path: Path) -> None:
        request = Request(
            "PUT",
            "/a%20b?c='d'&e=$HOME",
            (("A", 'it\'s "one"'), ("Empty", ""), ("Signature", "s%3D"), ("A", "two")),
            b"""@{"a": "it's $HOME `x` \\\\u0041"}""",
        )
        arguments, _ = self.called(request, tmp_path)
        assert arguments == [
            *("--include", "--path-as-is", "--globoff", "-X", "PUT"),
            *("-H", "User-Agent:", "-H", "Accept:", "-H", "Content-Type:"),
            *("-H", 'A: it\'s "one"', "-H", "Empty;", "-H", "Signature: s%3D", "-H", "A: two"),
            *("--data-raw", request.body.decode()),
            "http://host:80/a%20b?c='d'&e=$HOME",
        ]

    def test_bytes_that_are_no_text_arrive_as_they_are(self, tmp_path: Path) -> None:
        body = bytes(range(256)) + b"%d\\n'"
        arguments, sent = self.called(Request("POST", "/", (), body), tmp_path)
        assert sent == body
        assert arguments[-3:-1] == ["--data-binary", "@-"]

    def test_a_long_body_is_left_out(self) -> None:
        text = curl(Request("POST", "/", (), b"x" * 5000), "http://host", Mask({}))
        assert text.startswith("# body.bin: the 5000 bytes of the body\ncurl ")
        assert "@body.bin" in text

    def test_a_signature_is_shown_only_with_what_it_covers(self) -> None:
        request = Request("POST", "/", (("Signature", "abc"),), b"tok\xff\x00")
        assert "Signature: abc" in curl(request, "http://host", Mask({}))
        masked = curl(request, "http://host", Mask({"tok": "<user>"}))
        assert "Signature: <signature>" in masked
        assert "'<user>\\377\\000'" in masked

    def test_head_is_asked_for_as_curl_does(self) -> None:
        assert "--head" in curl(Request("HEAD", "/", (), b""), "http://u:p@host", Mask({}))
        assert "u:p" not in curl(Request("HEAD", "/", (), b""), "http://u:p@host", Mask({}))


@pytest.mark.parametrize(
    ("one", "other", "index"), [("ab", "ab", None), ("ab", "ac", 1), ("a", "ab", 1), ("", "a", 0)]
)
def test_the_first_difference_of_two_texts(one: str, other: str, index: int | None) -> None:
    assert first_difference(one, other) == index


def test_a_long_text_is_cut_with_a_note() -> None:
    assert cut("x" * BODY_LIMIT) == "x" * BODY_LIMIT
    assert cut("x" * (BODY_LIMIT + 7)).endswith("x … [7 more characters]")


def test_a_report_of_google_speaks_of_payloads(shown: RunView) -> None:
    text = Page(as_html(replace(shown, wire=Wire.GOOGLE_JOSE))).text
    assert "Payload of the request" in text
    assert "signature covers" not in text


def test_results_are_sorted_by_groups(done: Run) -> None:
    backwards: list[Result] = list(reversed(done.results))
    ids = [one.case.id for one in view(replace(done, results=backwards), COMMAND).cases]
    assert ids == ["sample.skipped", "sample.passed", "sample.warning", "sample.failed"]
