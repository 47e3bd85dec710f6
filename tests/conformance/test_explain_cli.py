"""``otp-mpp explain-signature``: what it prints, what it hides, and its exit status."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flask_otp_mpp.conformance.explain.cli import main
from flask_otp_mpp.conformance.explain.mistakes import MISTAKES
from flask_otp_mpp.signing import one_line
from tests.conformance.exchanges import (
    ANSWERED,
    BODY,
    CLIENT,
    RIGHT,
    RIGHT_ANSWER,
    TIME,
    TOKEN,
    URI,
    Exchange,
    as_har,
    as_raw,
    header,
    sign,
)
from tests.vectors import KEYS, public_key

CALLER = f"1={one_line(public_key('alipayplus'))}"
WALLET = one_line(public_key("mpp"))
COMPACT = RIGHT.replace(b": ", b":").replace(b", ", b",").replace(b",\n ", b",")
ROOT = Path(__file__).parent.parent.parent


def run(*arguments: str, given: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["explain-signature", *arguments], input=given)


def captured(signed: bytes, uri: str = URI) -> bytes:
    return as_raw(Exchange(signature=header(sign(signed)), uri=uri))


def test_a_right_signature_has_the_exit_status_0() -> None:
    result = run("-", "--key", CALLER, given=captured(RIGHT))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("The signature verifies.")


def test_a_mistake_is_named_with_its_remedy_and_the_first_difference() -> None:
    """The caret stands below the character that differs."""
    result = run("-", "--key", CALLER, given=captured(RIGHT.replace(b"POST", b"post")))
    assert result.exit_code == 1
    assert "1 mistake found" in result.stdout
    assert "method-case: the method was signed in another case." in result.stdout
    assert "Remedy: Sign the method in upper case" in result.stdout
    lines = result.stdout.splitlines()
    caret = next(index for index, line in enumerate(lines) if line.strip() == "^")
    place = lines[caret].index("^")
    assert (lines[caret - 2][place], lines[caret - 1][place]) == ("P", "p")
    assert "Character 1 is the first to differ" in result.stdout


def test_what_is_not_explained_lists_all_that_was_tried() -> None:
    result = run("-", "--key", CALLER, given=captured(b"another"))
    assert result.exit_code == 1
    assert "what was signed is not known" in result.stdout
    assert all(mistake.id in result.stdout for mistake in MISTAKES)
    unknown = run("-", "--key", WALLET, given=captured(RIGHT))
    assert unknown.exit_code == 1
    assert "None of the given keys made this signature" in unknown.stdout


def test_json_has_the_same(tmp_path: Path) -> None:
    path = tmp_path / "request.http"
    path.write_bytes(captured(COMPACT))
    result = run(str(path), "--key", CALLER, "--json", "--show-secrets")
    assert result.exit_code == 1
    shown = json.loads(result.stdout)
    assert (shown["verified"], shown["explained"], shown["key"]) == (False, True, "1")
    assert [found["id"] for found in shown["found"]] == ["json-compact"]
    assert shown["string_to_sign"].encode() == RIGHT
    assert shown["string_signed"].encode() == COMPACT
    index = shown["first_difference"]
    assert shown["string_to_sign"][:index] == shown["string_signed"][:index]
    assert shown["string_to_sign"][index] != shown["string_signed"][index]


def test_an_answer_is_explained_in_place_of_its_request() -> None:
    both = Exchange(
        signature=header(sign(RIGHT)), answer_signature=header(sign(RIGHT_ANSWER, "mpp"))
    )
    result = run("-", "--answer", "--key", WALLET, given=as_har(both))
    assert result.exit_code == 0
    mixed = run("-", "--key", WALLET, "--other-side", CALLER, given=as_har(both))
    assert mixed.exit_code == 1
    assert "key-other-side" in mixed.stdout


def test_a_message_is_given_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(BODY)
    parts = ["--uri", URI, "--client-id", CLIENT, "--time", TIME, "--body", f"@{path}"]
    right = run(*parts, "--signature", header(sign(RIGHT)), "--key", CALLER)
    assert right.exit_code == 0
    wrong = [*parts, "--signature", header(sign(RIGHT.replace(URI.encode(), b"/gate/verifyOTP")))]
    assert run(*wrong, "--key", CALLER).exit_code == 1
    assert "uri-prefix" in run(*wrong, "--key", CALLER, "--prefix", "/gate").stdout
    client = [*parts, "--signature", header(sign(RIGHT.replace(CLIENT.encode(), b"MERCHANT_7")))]
    assert "client-other:" in run(*client, "--key", CALLER, "--other-client", "MERCHANT_7").stdout


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "signed",
    [
        COMPACT,
        RIGHT,
        b"another",
        RIGHT.replace(b"281010033", b"28\\u0031010033"),
        RIGHT.replace(BODY, base64.b64encode(BODY)),
        RIGHT.replace(BODY, json.dumps(BODY.decode()).encode()),
        RIGHT.decode().encode("utf-16-le"),
        RIGHT.replace(BODY, BODY.decode().encode("gbk")),
    ],
    ids=["compact", "right", "unknown", "escaped", "base64", "quoted", "UTF-16", "GBK"],
)
@pytest.mark.alike(5)
def test_tokens_and_codes_are_masked_unless_they_are_asked_for(signed: bytes, form: str) -> None:
    """In both strings and at their difference; encoded as well."""
    options = ["-", "--key", CALLER, *(["--json"] if form == "json" else [])]
    result = run(*options, given=captured(signed))
    for secret in (TOKEN, "660000", TOKEN[-12:], base64.b64encode(TOKEN[:12].encode()).decode()):
        assert secret not in result.stdout
    assert "1022172000000000000" in result.stdout
    assert TOKEN in run(*options, "--show-secrets", given=captured(signed)).stdout


@pytest.mark.parametrize("end", [b"", b'{"'])
def test_a_body_that_is_no_json_is_masked_as_a_whole(end: bytes) -> None:
    """Nothing says which of its parts are secret."""
    body = f"accessToken={TOKEN}&otpCode=660000".encode() + end
    for options in ([], ["--json"]):
        result = run("-", "--key", CALLER, *options, given=as_raw(Exchange(body=body)))
        assert "signature-missing" in result.stdout
        assert TOKEN not in result.stdout
        assert "660000" not in result.stdout


def test_a_difference_in_a_masked_value_is_told() -> None:
    body = BODY.replace(TOKEN.encode(), b"to/ken")
    signed = RIGHT.replace(BODY, body.replace(b"to/ken", b"to\\/ken").replace(b"/\xe4", b"\\/\xe4"))
    result = run(
        "-",
        *("--key", CALLER),
        given=as_raw(Exchange(body=body, signature=header(sign(signed)))),
    )
    assert "json-slashes" in result.stdout
    assert "in a value that is masked: --show-secrets" in result.stdout
    assert "to/ken" not in result.stdout
    assert "to\\/ken" not in result.stdout


def test_a_secret_in_a_query_is_masked() -> None:
    uri = f"{URI}?accessToken={TOKEN}&page=2"
    result = run("-", "--key", CALLER, given=captured(RIGHT, uri=uri))
    assert "uri-query" in result.stdout
    assert TOKEN not in result.stdout
    assert "page=2" in result.stdout


@pytest.mark.parametrize("form", ["private_pkcs8_pem", "private_pkcs1_der_b64"])
def test_a_private_key_is_never_printed(form: str, tmp_path: Path) -> None:
    """G12: it is said that it must be replaced."""
    private = KEYS["alipayplus"][form]
    path = tmp_path / "key"
    path.write_text(private)
    for given in (private, str(path)):
        result = run("-", "--key", given, given=captured(RIGHT))
        assert result.exit_code == 1
        assert "key-private" in result.stdout
        assert "it must be replaced" in result.stdout
        pieces = [line for line in private.split("\n") if len(line) > 40 and "-" not in line]
        assert pieces
        assert not any(piece[8:40] in result.output for piece in pieces)


def test_what_can_not_be_read_has_the_exit_status_2(tmp_path: Path) -> None:
    """Each says what to give."""
    answer = as_raw(Exchange()).partition(b"HTTP/1.1 200")
    cases = {
        "--key is needed": run("-", given=captured(RIGHT)),
        "give a CAPTURE": run("--key", CALLER),
        "no raw HTTP message": run("-", "--key", CALLER, given=b"?"),
        "give --uri": run("-", "--key", WALLET, given=b"HTTP/1.1 200" + answer[2]),
        "--key: this is no key": run("-", "--key", "no-such-file", given=captured(RIGHT)),
        "can't be read": run(str(tmp_path), "--key", CALLER),
        "two keys have the name '1'": run("-", "--key", CALLER, "--key", CALLER, given=b"POST /"),
        "more than": run("-", "--key", CALLER, given=bytes(16 * 1024 * 1024 + 1)),
        "the HAR has 3 entries": run(
            "-", "--entry", "4", "--key", CALLER, given=as_har(Exchange())
        ),
    }
    for reason, result in cases.items():
        assert result.exit_code == 2, reason
        assert reason in result.stderr
        assert result.stdout == ""


def test_the_list_names_every_mistake_once() -> None:
    result = run("--list")
    assert result.exit_code == 0
    ids = re.findall(r"^(\S+)$", result.stdout, re.MULTILINE)
    assert ids == [mistake.id for mistake in MISTAKES]
    assert len(set(ids)) == len(ids)
    assert all(mistake.remedy in result.stdout for mistake in MISTAKES)


def test_the_help_teaches_what_is_signed_and_what_the_status_means() -> None:
    result = run("--help")
    for text in ("client-id.time.body", "curl -v", "HAR", "Exit status: 0 if the signature"):
        assert text in result.stdout
    assert "explain-signature" in CliRunner().invoke(main, ["--help"]).stdout


def test_the_page_shows_what_the_command_prints(tmp_path: Path) -> None:
    """O4: with the capture and the key of the page."""
    page = (ROOT / "docs/conformance/explain-signature.md").read_text()
    files = re.findall(r"`([\w.]+)`:\n\n```text\n(.*?)\n```", page, re.DOTALL)
    assert [name for name, _ in files] == ["request.http", "caller.pub"]
    for name, content in files:
        (tmp_path / name).write_text(content)
    command, shown = re.findall(r"```console\n\$ (.*?)\n(.*?)\n```", page, re.DOTALL)[0]
    assert command == "otp-mpp explain-signature request.http --key caller.pub"
    result = run(str(tmp_path / "request.http"), "--key", str(tmp_path / "caller.pub"))
    assert result.stdout.strip() == shown.strip()
    assert (result.exit_code, ANSWERED in result.stdout) == (1, False)
