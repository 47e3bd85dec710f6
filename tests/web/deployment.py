"""A deployment in which ``flask otp-mpp check`` finds nothing that should be changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import Flask
from limits.storage import MemoryStorage, Storage
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_otp_mpp import AlipayPlus, Channel, Message, OtpMpp, PhoneNumber, SQLAlchemyStore
from flask_otp_mpp.core.users import AssociationId
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.testing import FrozenClock
from tests.wallet import CLIENT, User, key, load_user, make_tables, settings

PASSWORD = "hunter2-that-nobody-may-see"
SHARED = "testshared://"


class SharedStorage(Storage):
    """A storage that counts as one that processes share."""

    STORAGE_SCHEME = [SHARED.removesuffix("://")]  # noqa: RUF012 - as limits declares it

    def __init__(self, uri: str | None = None, **_: Any) -> None:
        super().__init__(uri)
        self._counts = MemoryStorage()

    @property
    def base_exceptions(self) -> type[Exception]:
        return Exception

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        return self._counts.incr(key, expiry, amount)

    def get(self, key: str) -> int:
        return self._counts.get(key)

    def get_expiry(self, key: str) -> float:
        return self._counts.get_expiry(key)

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        return self._counts.reset()

    def clear(self, key: str) -> None:
        self._counts.clear(key)


@cache
def _tables() -> bytes:
    """Return an SQLite database with the tables of the store."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "otp.db"
        make_tables(f"sqlite:///{path}")
        return path.read_bytes()


def deliver(user: User, message: Message) -> None:
    """Stand for a sender of a host."""


@dataclass
class Deployment:
    """A host's factory, and what it configures; a test changes one thing of it.

    :param folder: where its files are.
    :param prepare: called with the app before the extension gets it, ``finish`` after it.
    """

    folder: Path
    config: dict[str, Any] = field(default_factory=dict)
    protocols: list[type[WireProtocol]] = field(default_factory=lambda: [AlipayPlus])
    options: dict[str, Any] = field(default_factory=dict)
    senders: dict[Channel, Any] = field(default_factory=lambda: {Channel.MOBILE: deliver})
    proxy: dict[str, int] | None = field(default_factory=lambda: {"x_for": 1})
    prepare: Callable[[OtpMpp], None] = lambda otp: None
    finish: Callable[[Flask], None] = lambda app: None
    clock: FrozenClock = field(default_factory=FrozenClock)

    def __post_init__(self) -> None:
        self.write("otp.db", _tables(), 0o600)
        self.write("own.pem", private_pem(key("wallet")), 0o600)
        self.write("caller.pub", one_line(key("alipay+").public_key()).encode(), 0o644)
        self.config = settings(
            self.database,
            OTP_MPP_PRIVATE_KEYS={"1": str(self.folder / "own.pem")},
            OTP_MPP_ALIPAYPLUS_CLIENTS={CLIENT: {"1": str(self.folder / "caller.pub")}},
            OTP_MPP_LIMITER_STORAGE=SHARED,
            OTP_MPP_DOMAIN="wallet.example",
            SECRET_KEY=PASSWORD,
        )

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'otp.db'}"

    def write(self, name: str, content: bytes, mode: int) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def age(self, name: str, days: int) -> None:
        """Let a file look as if it was last changed so long ago."""
        path = self.folder / name
        then = path.stat().st_mtime - days * 86400
        os.utime(path, (then, then))

    def store(self) -> SQLAlchemyStore:
        return SQLAlchemyStore(self.database, self.clock)

    def __call__(self) -> Flask:
        app = Flask("tests.deployment")
        app.config.update({name: value for name, value in self.config.items() if value is not None})
        otp = OtpMpp(*self.protocols, clock=self.clock, **self.options)
        otp.user_loader(load_user)
        otp.user_loader(PhoneNumber)(lambda phone_number, caller: None)
        otp.user_loader(AssociationId)(lambda association_id, caller: None)
        for channel, sender in self.senders.items():
            otp.sender(channel)(sender)
        self.prepare(otp)
        otp.init_app(app)
        if self.proxy is not None:
            app.wsgi_app = ProxyFix(app.wsgi_app, **self.proxy)  # type: ignore[method-assign]
        self.finish(app)
        return app
