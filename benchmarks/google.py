"""The time of Google's methods echo, sendOtp and verifyOtp in the Flask app: p50 and p99.

One thread, SQLite, and a host that finds users in memory. Requests are encrypted before the clock
starts and answers are decrypted after it stops, so the figures hold the wallet's cryptography and
not the caller's. In PGP each step of it is a gpg process. A wrong answer ends the run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from werkzeug.test import EnvironBuilder

from benchmarks.driver import percentile
from benchmarks.empty_stores import empty_store
from benchmarks.options import repeatable
from benchmarks.progress import note
from benchmarks.report import FIGURES, Report, Table
from benchmarks.wallet import LIMIT
from benchmarks.wire import Caller
from flask_otp_mpp import (
    AssociationId,
    Channel,
    GoogleStandardPayments,
    OtpMpp,
    PhoneNumber,
    SQLAlchemyStore,
)
from flask_otp_mpp.callers.google import GoogleCaller
from flask_otp_mpp.callers.transport import Call, over_wsgi
from flask_otp_mpp.protocols.google.accounts import open_sealers
from flask_otp_mpp.protocols.google.pgp.home import GpgHome
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.protocols.google.settings import read_accounts
from flask_otp_mpp.signing.jwk_sets import generate_jwk_sets
from flask_otp_mpp.testing import Inbox

BLOCK: Final = 25
"""Requests that are encrypted at a time: few enough that none is stale when it is sent."""
ENVELOPES: Final = ("jose", "pgp")
ROUNDS: Final = {"jose": 1000, "pgp": 300}
QUICK_ROUNDS: Final = {"jose": 200, "pgp": 50}
GOALS: Final = {("jose", "verifyOtp"): 10.0, ("pgp", "verifyOtp"): 100.0}
"""The limit for p99, in milliseconds."""
COLUMNS: Final = (
    "envelope", "method", "rounds", "p50 ms", "p99 ms", "p50 in signatures", "p99 in signatures",
    "goal for p99", "met",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TimedWallet:
    """A wallet's app in this process with one Google account.

    :param sealer: encrypts and decrypts as Google does.
    :param took: the seconds of each request, by method.
    """

    app: Flask
    inbox: Inbox
    sealer: Sealer
    caller: GoogleCaller
    took: dict[str, list[float]] = field(default_factory=dict)

    def block(self, numbers: Sequence[str]) -> None:
        """Echo, send a code to each number and verify it; record the seconds of each request."""
        words = [f"word {number}" for number in numbers]
        answers = self._call("echo", [{"clientMessage": word} for word in words])
        _expect("echo", [one.get("clientMessage", "") for one in answers], words)
        names = [f"send-{number.removeprefix('+')}" for number in numbers]
        usual = {"smsMatchingToken": "AB12345678C", "otpContext": {"association": {}}}
        sends = [{"accountPhoneNumber": number, **usual} for number in numbers]
        self._expect_success("sendOtp", sends, names)
        sent = {user: message.code for user, message in self.inbox.received[-len(numbers) :]}
        pairs = zip(names, numbers, strict=True)
        guesses = [{"sendOtpRequestId": name, "otp": sent[number]} for name, number in pairs]
        self._expect_success("verifyOtp", guesses)

    def _expect_success(
        self, method: str, payloads: Sequence[Mapping[str, Any]], names: Sequence[str] = ()
    ) -> None:
        answers = self._call(method, payloads, names)
        _expect(method, [one.get("result", "") for one in answers], ["SUCCESS"] * len(payloads))

    def _call(
        self, method: str, payloads: Sequence[Mapping[str, Any]], names: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Encrypt all requests, time one call after another, and decrypt all answers."""
        sealed = [
            self.caller.prepare(method, payload, request_id=name)[0]
            for payload, name in zip_longest(payloads, names)
        ]
        environs = [environ_of(call) for call in sealed]
        bodies, took = [], self.took.setdefault(method, [])
        for environ in environs:
            begin = time.perf_counter()
            body = called(self.app, environ)
            took.append(time.perf_counter() - begin)
            bodies.append(body)
        return [json.loads(self.sealer.open(body).payload) if body else {} for body in bodies]


@contextmanager
def account(sealer: str, folder: Path) -> Iterator[TimedWallet]:
    """Open a wallet with one account, and a SQLite store in the folder."""
    with ExitStack() as stack:
        url = stack.enter_context(empty_store("sqlite", folder))
        store = SQLAlchemyStore(url)
        store.create_tables()
        stack.callback(store.engine.dispose)
        ours, theirs = _accounts(sealer)
        app, inbox = Flask("benchmarks.google"), Inbox()
        otp = OtpMpp(GoogleStandardPayments, store=store)
        otp.user_loader(PhoneNumber)(lambda number, caller: number)
        otp.user_loader(AssociationId)(lambda name, caller: name)
        otp.user_identity(lambda number: f"user-{number}")
        otp.sender(Channel.MOBILE)(inbox)
        app.config.update(
            OTP_MPP_WALLET_NAME="A wallet",
            OTP_MPP_PEPPER="a pepper for figures, of more than 32 bytes",
            OTP_MPP_ADDRESS_LIMIT=LIMIT,
            OTP_MPP_CLIENT_LIMIT=LIMIT,
            OTP_MPP_GOOGLE_ACCOUNTS={"google": ours},
        )
        otp.init_app(app)
        google = open_sealers(read_accounts({"google": theirs}))["google"]
        stack.callback(google.close)
        yield TimedWallet(app, inbox, google, GoogleCaller(over_wsgi(app), google))


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--envelope", ENVELOPES)
    parser.add_argument(
        "--rounds",
        type=int,
        help="calls of each method (JOSE 1000, PGP 300; with --quick 200 and 50)",
    )


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    rows: list[tuple[object, ...]] = []
    for sealer in args.envelope or _available_envelopes():
        rounds = args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)[sealer]
        rows += _measured(sealer, rounds)
    note()
    title = "Milliseconds from request to answer, in one thread"
    return Report("google", [Table(title, COLUMNS, rows)], page=FIGURES)


def _measured(sealer: str, rounds: int) -> Iterator[tuple[object, ...]]:
    unit = rsa.generate_private_key(65537, 2048)
    signer, units = Caller(unit, unit.public_key()), []
    with (
        tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as home,
        account(sealer, Path(home)) as wallet,
    ):
        wallet.block(_numbers(rounds, BLOCK))  # warms up
        wallet.took.clear()
        for first in range(0, rounds, BLOCK):
            wallet.block(_numbers(first, min(BLOCK, rounds - first)))
            units.append(signer.signature_us(10) / 1e3)
            note(f"{sealer}: {first} of {rounds} rounds")
    signature = statistics.median(units)
    for method, took in wallet.took.items():
        half, most = (percentile(took, part) * 1e3 for part in (0.5, 0.99))
        goal = GOALS.get((sealer, method))
        met = ("-", "-") if goal is None else (f"{goal:g} ms", "yes" if most < goal else "no")
        yield sealer, method, len(took), half, most, half / signature, most / signature, *met


def _available_envelopes() -> list[str]:
    if shutil.which("gpg"):
        return [*ENVELOPES]
    print("pgp is left out: gpg is not installed", file=sys.stderr)
    return ["jose"]


def _accounts(sealer: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Generate keys; return the account as the wallet has it, and as Google has it."""
    pair = generate_jwk_sets if sealer == "jose" else _pgp_pair
    (ours, our_public), (theirs, their_public) = pair("wallet"), pair("google")
    return (
        {"envelope": sealer, "our_keys": ours, "their_keys": their_public},
        {"envelope": sealer, "our_keys": theirs, "their_keys": our_public},
    )


def _pgp_pair(name: str) -> tuple[str, str]:
    """Generate a key that signs with a subkey that decrypts; return its private and public part."""
    ring, address = GpgHome("gpg"), f"{name}@bench.invalid"
    try:
        bare = ("--passphrase", "")
        ring.ask([*bare, "--quick-generate-key", address, "rsa2048", "sign", "never"])
        listing = ring.ask(["--with-colons", "--list-keys", address]).output.decode()
        found = next(line.split(":")[9] for line in listing.splitlines() if line[:3] == "fpr")
        ring.ask([*bare, "--quick-add-key", found, "rsa2048", "encr", "never"])
        secret = ring.ask([*bare, "--armor", "--export-secret-keys", address]).output.decode()
        return secret, ring.ask(["--armor", "--export", address]).output.decode()
    finally:
        ring.close()


def _numbers(first: int, count: int) -> list[str]:
    return [f"+8613{number:09d}" for number in range(first + 1, first + 1 + count)]


def environ_of(call: Call) -> dict[str, Any]:
    """Return a request as a WSGI server passes it to an app."""
    builder = EnvironBuilder(
        path=call.uri, method=call.method, headers=[*call.headers.items()], data=call.body
    )
    return dict(builder.get_environ())


def called(app: Flask, environ: dict[str, Any]) -> bytes:
    """Call an app and return the body of its answer."""

    def start(status: str, headers: object, *_: object) -> Callable[..., Any]:
        return lambda _: None

    return b"".join(app(environ, start))


def _expect(method: str, got: Sequence[str], wanted: Sequence[str]) -> None:
    for one, expected in zip(got, wanted, strict=True):
        if one != expected:
            raise RuntimeError(f"{method} was answered by {one!r}, not by {expected!r}")
