"""What a bad request to a Google account costs, compared with a good sendOtp."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.google import TimedWallet, account, called, environ_of
from benchmarks.report import Table
from benchmarks.wire import Caller
from flask_otp_mpp.callers.google_faults import Tamper

BLOCK: Final = 25
COLUMNS: Final = ("bad request", "good send, us", "bad, us", "bad / good", "in signatures")
BAD: Final[dict[str, Tamper]] = {"no JWE": "unsealed", "JWE that does not decrypt": "encryption"}
"""The kinds that anybody can send; the second one needs the wallet's public key."""


def table(blocks: int) -> Table:
    """Measure both kinds beside good sends, by JOSE on SQLite."""
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home,
        account("jose", Path(home)) as wallet,
    ):
        rows = [_measured(wallet, name, blocks) for name in BAD]
    return Table(f"Google by JOSE, median of {blocks} blocks of {BLOCK}", COLUMNS, rows)


def _measured(wallet: TimedWallet, name: str, blocks: int) -> tuple[object, ...]:
    unit = rsa.generate_private_key(65537, 2048)
    pairs = list(_pairs(wallet, name, blocks + 1))[1:]  # the first one warms up
    good, bad = map(statistics.median, zip(*pairs, strict=True))
    ratio = statistics.median(one / other for other, one in pairs)
    signature = Caller(unit, unit.public_key()).signature_us()
    return name, round(good), round(bad), ratio, bad / signature


def _pairs(wallet: TimedWallet, name: str, count: int) -> Iterator[tuple[float, float]]:
    for block in range(count):
        numbers = [f"{name[:2]}{block}x{number}" for number in range(BLOCK)]
        yield (
            _cpu_us(wallet, numbers, None, lambda body: body != b""),
            _cpu_us(wallet, numbers, BAD[name], lambda body: body == b""),
        )


def _cpu_us(
    wallet: TimedWallet, names: list[str], tamper: Tamper | None, right: Callable[[bytes], bool]
) -> float:
    """Return the microseconds of one request.

    :raises RuntimeError: if an answer is not right.
    """
    usual = {"smsMatchingToken": "AB12345678C", "otpContext": {"association": {}}}
    environs = [
        environ_of(
            wallet.caller.prepare(
                "sendOtp", {"associationId": name, **usual}, request_id=name, tamper=tamper
            )[0]
        )
        for name in (name.replace(" ", "-") for name in names)
    ]
    begin = time.process_time_ns()
    bodies = [called(wallet.app, environ) for environ in environs]
    took = (time.process_time_ns() - begin) / len(names) / 1000
    if not all(map(right, bodies)):
        raise RuntimeError(f"Google's request was answered wrongly ({tamper or 'good'})")
    return took
