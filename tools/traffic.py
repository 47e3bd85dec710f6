"""Serve the example wallet with metrics, and let users and a guesser call it, in two incidents."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from flask import Flask, Response
from flask.cli import FlaskGroup
from panels import Span
from werkzeug.serving import make_server

from example_app import create_app, instance
from example_app.otp import access_tokens, otp
from example_app.records import Account, Grant, User, records
from flask_otp_mpp import Message, Reason, init_metrics, refuse
from flask_otp_mpp.callers import (
    AlipayPlusCaller,
    AmsCaller,
    GoogleCaller,
    SigningOptions,
    over_http,
)
from flask_otp_mpp.signing import load_private_key, load_public_key
from flask_otp_mpp.web.overrides import override

CALLERS: Final = 6
GUESSERS: Final = 2
FAILING: Final = "the provider fails"
GUESSING: Final = "codes are guessed"
PHASES: Final = {FAILING: (0.25, 0.42), GUESSING: (0.62, 0.8)}
"""The incidents, as parts of the whole time."""
SETTINGS: Final = """
OTP_MPP_FAILURE_LIMIT = 5
OTP_MPP_DELIVERIES = 4
"""
OWNERS: Final = {"alipayplus": instance.CLIENT_ID, "merchant": instance.MERCHANT_ID}
chance = random.Random(1)  # noqa: S311 - traffic, no secret


@dataclass
class Provider:
    """A provider of messages that takes some time, refuses a few, and fails in the incident."""

    codes: dict[str, str] = field(default_factory=dict)
    fails: bool = False

    def __call__(self, user: Account, message: Message) -> None:
        if self.fails and chance.random() < 0.8:
            time.sleep(chance.uniform(0.8, 1.6))
            raise TimeoutError
        time.sleep(chance.lognormvariate(-2.6, 0.5))
        if chance.random() < 0.03:
            refuse(Reason.DELIVERY_REFUSED)
        self.codes[user.id] = message.code


@dataclass
class Traffic:
    """Users who are sent codes by all three callers, and who enter most of them.

    :ivar phase: the incident of now; empty between them.
    """

    app: Flask
    provider: Provider
    home: Path
    url: str
    phase: str = ""
    stopped: bool = False
    users: SimpleQueue[tuple[str, str]] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        wallet = over_http(self.url)
        signing = {owner: self._signing(owner, name) for owner, name in OWNERS.items()}
        self.alipayplus = AlipayPlusCaller(wallet, psp_id=instance.PSP_ID, **signing["alipayplus"])
        self.ams = AmsCaller(wallet, **signing["merchant"])
        account = {
            "envelope": "jose",
            "our_keys": (self.home / "google.jwks").read_text(),
            "their_keys": (self.home / "wallet.pub.jwks").read_text(),
        }
        self.google = GoogleCaller.from_account(wallet, account)

    def _signing(self, owner: str, client_id: str) -> SigningOptions:
        return {
            "client_id": client_id,
            "key": load_private_key(str(self.home / f"{owner}.pem")),
            "server_keys": {"1": load_public_key(str(self.home / "wallet.pub"))},
        }

    def add_users(self, number: int) -> None:
        """Put new users, with a grant each, into the queue."""
        people = [f"user-{n}" for n in range(number)]
        grants = [Grant(user_id=person) for person in people]
        with self.app.app_context(), records() as session, session.begin():
            session.add_all(User(id=p, name=p, phone=f"+63 917 555 {p[5:]:>04}") for p in people)
            session.add_all(grants)
        for grant in grants:
            self.users.put((grant.user_id, grant.id))

    def call(self) -> None:
        """Be one source of honest requests until the traffic is stopped."""
        while not self.stopped:
            time.sleep(chance.expovariate(2.2))
            user, verify = self.send(tamper="signature" if chance.random() < 0.02 else None)
            code = self.provider.codes.get(user)
            if code is None or chance.random() < 0.12:
                continue  # it did not arrive, or the user has given up
            if chance.random() < 0.1:
                verify("000000")
            verify(code)

    def guess(self) -> None:
        """Guess codes in one of the incidents, and let an operator unlock some users."""
        while not self.stopped:
            time.sleep(0.5)
            if self.phase != GUESSING:
                continue
            user, verify = self.send()
            for guess in range(7):
                verify(f"{guess:06d}")
            if chance.random() < 0.3:
                with self.app.app_context():
                    otp.unlock(user)

    def send(self, tamper: Any = None) -> tuple[str, Callable[[str], object]]:
        """Have a code sent to the next user; return the user, and what enters a code."""
        user, grant = self.users.get_nowait()
        kind = chance.choices(("alipayplus", "google", "ams"), (5, 3, 2))[0]
        if kind == "google":
            sent = self.google.send(associationId=grant).request_id
            return user, lambda code: self.google.verify(sent, code)
        client = OWNERS["alipayplus" if kind == "alipayplus" else "merchant"]
        with self.app.app_context():
            token = access_tokens().mint(grant, client=client)
        if kind == "ams":
            self.ams.init(token, f"request-of-{user}", tamper=tamper)
            return user, lambda code: self.ams.verify(f"request-of-{user}", code)
        challenge = self.alipayplus.send(token, tamper=tamper).verify_request_id
        return user, lambda code: self.alipayplus.verify(token, challenge or "none", code)

    def run(self, seconds: float) -> Span:
        """Run all of it; return when it was, and when the incidents were."""
        begin = time.time()
        times = {
            name: (begin + a * seconds, begin + b * seconds) for name, (a, b) in PHASES.items()
        }
        with ThreadPoolExecutor(CALLERS + GUESSERS) as pool:
            work = [self.call] * CALLERS + [self.guess] * GUESSERS
            running = [pool.submit(one) for one in work]
            while time.time() < begin + seconds:
                now = [name for name, (a, b) in times.items() if a <= time.time() < b]
                self.phase = now[0] if now else ""
                self.provider.fails = self.phase == FAILING
                time.sleep(0.1)
            self.stopped = True
        for one in running:
            one.result()  # raises what it raised
        return Span(begin, begin + seconds, times)


@contextmanager
def wallet(folder: Path) -> Iterator[Traffic]:
    """Serve the example wallet with metrics, by the development server."""
    home, provider, purged = folder / "instance", Provider(), folder / "purge.prom"
    instance.fill(home)
    with (home / "config.py").open("a") as config:
        config.write(SETTINGS)
    with override(inbox=provider):
        app = create_app(str(home))
    init_metrics(app, path="/metrics")
    app.add_url_rule("/node", "node", lambda: Response(purged.read_text(), mimetype="text/plain"))
    purge = ["otp-mpp", "purge", "--metrics-file", str(purged)]
    FlaskGroup(create_app=lambda: app).main(purge, standalone_mode=False)
    logging.disable(logging.CRITICAL)  # a line for each request, and each failure
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Traffic(app, provider, home, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
