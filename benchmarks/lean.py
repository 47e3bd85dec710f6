"""The peer ``lean``: the package in a host that costs next to nothing.

The host does what the floor does: one statement finds the user, and a message is a line in a file.
The settings are those of the example wallet.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from weakref import finalize

from flask import Flask

from benchmarks.host_users import FIND, engine
from flask_otp_mpp import AlipayPlus, Caller, Channel, Message, OtpMpp, Reason, refuse


@dataclass(frozen=True, slots=True)
class Person:
    """What the host knows of a user."""

    id: str
    token: str


def create_app(
    settings: Mapping[str, str] = os.environ, deliver: Callable[[], object] = lambda: None
) -> Flask:
    """Make the app; BENCH_KEYS is an instance folder, BENCH_STORE also holds the users.

    :param deliver: is called when a message is written.
    """
    otp = OtpMpp(AlipayPlus)
    outbox = Path(settings["BENCH_OUTBOX"]).open("a", buffering=1)  # noqa: SIM115 - see below
    find = finder(settings["BENCH_STORE"])

    @otp.user_loader
    def user_of(access_token: str, caller: Caller) -> Person | None:
        number = find(access_token)
        return None if number is None else Person(str(number), access_token)

    @otp.sender(Channel.MOBILE)
    def text(user: Person, message: Message) -> None:
        outbox.write(json.dumps([user.token, message.code]) + "\n")
        deliver()

    app = Flask(__name__)
    finalize(app, outbox.close)  # it is open as long as the app is there
    app.config.from_pyfile(Path(settings["BENCH_KEYS"]) / "config.py")
    for key in [key for key in app.config if key.startswith(("OTP_MPP_AMS_", "OTP_MPP_GOOGLE_"))]:
        del app.config[key]  # the floor serves Alipay+ alone
    otp.init_app(app)
    return app


def finder(url: str) -> Callable[[str], int | None]:
    """Return a function that finds a user's number by token, at the least cost."""
    if url == "memory://":
        return lambda token: int(token.removeprefix("tok"))
    if url.startswith("redis"):
        import redis  # noqa: PLC0415 - only needed to measure Redis

        client = redis.Redis.from_url(url)

        def find(token: str) -> int | None:
            number, status = client.hmget(f"u:{token}", "id", "status")
            if number is not None and status != b"1":
                refuse(Reason.USER_ABNORMAL)
            return None if number is None else int(number)

        return find
    database = engine(url)

    def find_row(token: str) -> int | None:
        with database.connect() as db:
            row = db.execute(FIND, {"token": token}).first()
        if row is not None and row.status != 1:
            refuse(Reason.USER_ABNORMAL)
        return None if row is None else int(row.id)

    return find_row
