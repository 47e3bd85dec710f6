"""A user gets no code: support, the operator on duty and the auditor find out why.

They use what they have in production: ``flask otp-mpp show``, ``unlock``, ``audit export`` and the
log. The wallet is served over HTTP, from SQLite, with an audit trail. Its SMS provider is a server
that takes connections and never answers.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from flask_otp_mpp import Message, SQLAlchemyStore
from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer
from flask_otp_mpp.callers.transport import over_http
from tests.codes import wrong_code
from tests.commands import run
from tests.servers import serving
from tests.wallet import CLIENT, User, Wallet, make_audit_table, open_wallet, request_fields

PATIENCE: Final = 0.2
"""Seconds for which the wallet waits for its provider."""
COOL_DOWN: Final = timedelta(seconds=45)
LIFE: Final = timedelta(minutes=5)
LOCK: Final = timedelta(minutes=15)


@dataclass
class Provider:
    """An SMS provider; each message is one HTTP request to it.

    :ivar silent: whether it takes requests and does not answer.
    """

    address: tuple[str, int]
    silent: bool = False
    codes: list[str] = field(default_factory=list)

    def text(self, user: User, message: Message) -> None:
        if self.silent:
            connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
            try:
                connection.request("POST", "/messages", message.body)
                connection.getresponse()  # raises TimeoutError
            finally:
                connection.close()
        self.codes.append(message.code)


@dataclass
class Story:
    """The wallet as it is served, and what is seen of it from outside.

    :ivar answers: of the caller's sends.
    """

    wallet: Wallet
    provider: Provider
    log: pytest.LogCaptureFixture
    answers: list[AlipayPlusAnswer] = field(default_factory=list)

    # What happens.

    def the_provider_goes_silent(self) -> None:
        self.provider.silent = True

    def the_provider_answers_again(self) -> None:
        self.provider.silent = False

    def time_passes(self, length: timedelta) -> None:
        self.wallet.clock.now += length

    def ada_asks_for_a_code(self, tracer: str) -> None:
        call, _ = self.wallet.caller.prepare("/sendOTP", request_fields("tok-ada"))
        traced = replace(call, headers={**call.headers, "tracerid": tracer})
        self.answers.append(self.wallet.caller.deliver(traced))

    def ada_types(self, code: str) -> str:
        challenge = self.answers[-1].verify_request_id
        return self.wallet.caller.verify("tok-ada", challenge, code).code

    def support_runs(self, *command: str) -> list[str]:
        done = run(self.wallet.app, *command)
        assert done.exit_code == 0, done.output
        lines: list[str] = done.stdout.splitlines()
        return lines

    # What is seen of it.

    def the_caller_is_told(self, code: str, status: str) -> None:
        answer = self.answers[-1]
        assert (answer.code, answer.status) == (code, status)

    def support_reads(self, *wanted: str) -> None:
        """See that these lines are among those that ``show`` prints of Ada."""
        lines = self.support_runs("show", "ada")
        for line in wanted:
            assert line in lines, "\n".join(lines)

    def support_reads_of_events(self, *wanted: str) -> None:
        """See that the newest events of Ada are these, by the clock of the machine."""
        lines = self.support_runs("show", "ada")
        events = [line.strip() for line in lines[lines.index("Recent events:") + 1 :]]
        times, texts = zip(*(line.split(" ", 1) for line in events[-len(wanted) :]), strict=True)
        assert list(texts) == list(wanted)
        for time in times:
            assert re.fullmatch(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d", time)

    def a_page_of_the_host_reads(self) -> dict[str, Any]:
        """Return what ``show --json`` prints of Ada."""
        read: dict[str, Any] = json.loads("".join(self.support_runs("show", "ada", "--json")))
        return read

    def the_log_says_of(self, tracer: str) -> dict[str, str]:
        """Return the fields of the one line that has a tracer id."""
        [line] = [line for line in self.log.messages if f"tracer={tracer}" in line]
        parts = re.search(r"ms: (.*)$", line)
        assert parts is not None
        times = dict(part.split(" ") for part in parts[1].split(", "))
        return {**dict(re.findall(r"(\w+)=(\S+)", line)), **times, "line": line}

    def the_log_says_where(self, reference: str) -> str:
        """Return the entry of the exception that a reference names."""
        [entry] = [
            one for one in self.log.messages if one.startswith("unforeseen") and reference in one
        ]
        return entry

    def the_auditor_exports(self) -> list[dict[str, Any]]:
        """Return the rows of Ada, the oldest first."""
        rows = map(json.loads, self.support_runs("audit", "export", "--from", "2020-01-01"))
        return [row for row in rows if row["subject"] == "ada"]

    def clock(self, later: timedelta = timedelta()) -> str:
        """Return a moment from now as support reads it."""
        now, then = self.wallet.clock.now, self.wallet.clock.now + later
        return f"{then:%H:%M:%S}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M:%S}"


@pytest.fixture
def story(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Story]:
    """Open the story: all is well, and nobody has asked for anything."""
    url = f"sqlite:///{tmp_path / 'otp.db'}"
    database = SQLAlchemyStore(url)
    database.create_tables()
    make_audit_table(database)
    database.engine.dispose()
    caplog.set_level(logging.INFO, "flask_otp_mpp")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        provider = Provider(listening.getsockname())
        wallet = open_wallet(
            store=url, sender=provider.text, OTP_MPP_AUDIT="store", OTP_MPP_FAILURE_LIMIT=5
        )
        wallet.clock.now = datetime.now(UTC).replace(microsecond=0)
        with serving(wallet.app) as address:
            wallet.caller = wallet.calling(over_http(address))
            yield Story(wallet, provider, caplog)
        wallet.close()


def test_why_ada_got_no_code(story: Story) -> None:
    """A5, O9, O11: her provider did not answer; each question has its answer, and its place."""
    story.the_provider_goes_silent()
    story.ada_asks_for_a_code(tracer="first-try")
    story.the_caller_is_told("UNKNOWN_EXCEPTION", status="U")

    # Support: was a message handed over, when, for whom, and when may the next one be sent?
    log = story.the_log_says_of("first-try")
    story.support_reads(
        "Not locked.",
        f"Last send: {story.clock()} by SMS for {CLIENT}; 1 send counted.",
        f"May be sent a code by SMS for {CLIENT} at {story.clock(COOL_DOWN)} (cool-down).",
        f"  {story.clock()} by SMS for {CLIENT}: open until {story.clock(LIFE)}, 0 of 5 tries used",
    )
    story.support_reads_of_events(
        f"send at {CLIENT}: UNKNOWN_EXCEPTION (UNFORESEEN in delivery), MOBILE, "
        f"reference {log['reference']}, tracer first-try"
    )
    [code] = story.a_page_of_the_host_reads()["codes"]
    assert code["challenge_id"] == log["challenge"]

    # On duty: is it us or the provider?
    assert (log["user"], log["client"], log["failed"]) == ("ada", CLIENT, "delivery")
    assert int(log["delivery"]) >= 1000 * PATIENCE
    assert int(log["store"]) + int(log["hooks"]) < int(log["delivery"])
    assert "builtins.TimeoutError" in story.the_log_says_where(log["reference"])

    # The auditor: who asked, what was answered, and is it all there?
    [row] = story.the_auditor_exports()
    assert (row["operation"], row["client"], row["failed"]) == ("send", CLIENT, "delivery")
    assert (row["challenge"], row["tracer"]) == (log["challenge"], "first-try")

    # The provider is back, and the second code arrives.
    story.the_provider_answers_again()
    story.time_passes(COOL_DOWN)
    story.support_reads(f"May be sent a code by SMS for {CLIENT} now.")
    story.ada_asks_for_a_code(tracer="second-try")
    story.the_caller_is_told("SUCCESS", status="S")
    story.support_reads_of_events(f"send at {CLIENT}: SUCCESS, MOBILE, tracer second-try")
    assert "failed" not in story.the_log_says_of("second-try")
    assert story.ada_types(story.provider.codes[-1]) == "SUCCESS"


def test_until_when_ada_is_locked_and_who_ended_it(story: Story) -> None:
    """A5, O9, O11: five wrong codes lock her; the unlock is a line, an event and a row itself."""
    story.ada_asks_for_a_code(tracer="third-try")
    wrong = wrong_code(story.provider.codes[-1])
    assert [story.ada_types(wrong) for _ in range(5)] == ["OTP_VERIFY_UNMATCHED"] * 5
    story.support_reads(
        f"Locked at {CLIENT} until {story.clock(LOCK)}.",
        "5 wrong codes since the last right one.",
        f"May be sent a code by SMS for {CLIENT} at {story.clock(LOCK)} (lock).",
    )
    story.time_passes(COOL_DOWN)
    story.ada_asks_for_a_code(tracer="while-locked")
    end = story.wallet.clock.now + LOCK - COOL_DOWN
    refused = story.the_log_says_of("while-locked")["line"]
    assert f"(SEND_LOCKED until {end:%Y-%m-%dT%H:%M:%SZ})" in refused

    done = f"Forgotten: the lock at {CLIENT} until {story.clock(LOCK - COOL_DOWN)}, 5 wrong codes."
    assert story.support_runs("unlock", "ada") == [f"The user is unlocked. {done}"]
    story.support_reads("Not locked.", f"May be sent a code by SMS for {CLIENT} now.")
    story.support_reads_of_events("unlock: done")
    assert story.log.messages[-1] == "operator unlock: done user=ada count=1"
    row = story.the_auditor_exports()[-1]
    assert (row["kind"], row["operation"], row["count"]) == ("act", "unlock", 1)
    assert "as they were written" in story.support_runs("audit", "verify")[0]
    story.ada_asks_for_a_code(tracer="unlocked")
    story.the_caller_is_told("SUCCESS", status="S")
