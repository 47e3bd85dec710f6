"""Cases that end in each way, for tests of reports and of the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from flask_otp_mpp.conformance.case import (
    SIGNED,
    Failed,
    Group,
    Need,
    Severity,
    Skipped,
    Source,
    Wire,
)
from flask_otp_mpp.conformance.signed.dialect import Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay
from tests.conformance.endpoints import kit_file, served

TOKENS: Final = {"template": "tok-user{n}", "count": 20, "expired": "expired"}
CASES: Final = SignedCases(Group.CODES, SIGNED, Source("The Book", "Chapter 1"))


@CASES.add("sample.passed", "It passes", "A right code is accepted.", Need.CODES)
def passed(play: SignedPlay) -> None:
    sent = play.sent()
    play.expect(play.verify(sent.challenge, play.wrong(sent.code)), Means.WRONG_CODE)
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add("sample.skipped", "It is skipped", "Users have states.", Need.FROZEN)
def skipped(play: SignedPlay) -> None:
    raise Skipped("its need should have been missed")


FAILING: Final = SignedCases(Group.ANSWERS, SIGNED, Source("The Book", "Chapter 2"))


@FAILING.add("sample.failed", "It <b>fails</b>", "Answers are right.", Need.CODES)
def failed(play: SignedPlay) -> None:
    sent = play.sent()
    play.verify(sent.challenge, sent.code, accessToken=f"<script>{play.user}</script>\x1b[2J")
    raise Failed(f"{play.user} had the code {sent.code}\x1b[2J\ud800")


WARNING: Final = SignedCases(Group.ANSWERS, SIGNED, Source("none", "none", "We think so."))


@WARNING.add("sample.warning", "It should pass", "Advice is good.", severity=Severity.RECOMMENDED)
def warning(play: SignedPlay) -> None:
    play.send()
    raise Failed("the advice was not taken")


ALL: Final = [*CASES, *FAILING, *WARNING]


@contextmanager
def sample_file(folder: Path) -> Iterator[Path]:
    """Serve a wallet and give the kit's file for it: tokens are easy to find, and used again."""
    limits: dict[str, Any] = {"OTP_MPP_COOL_DOWN": 0, "OTP_MPP_SEND_LIMITS": "1000 per day"}
    with served(Wire.ALIPAYPLUS, folder, **limits) as file:
        url = tomllib.loads(file.read_text())["base_url"]
        yield kit_file(Wire.ALIPAYPLUS, folder, url, tokens=TOKENS)
