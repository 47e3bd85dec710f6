"""The peer ``wallet``: the package in the example wallet, with all guarantees switched on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from flask import Config, Flask
from sqlalchemy.orm import Session

import example_app
from example_app import instance
from example_app.instance import CLIENT_ID
from example_app.otp import TOKEN_LIFE
from example_app.records import Grant, PhoneMessage, User
from flask_otp_mpp import AccessTokens

LIMIT: Final = "1000000 per minute"
"""A traffic limit that counts every request and is never reached."""
_CODE: Final = re.compile(r"\d{6}")


def create_app(settings: Mapping[str, str] = os.environ) -> Flask:
    """Make the example wallet; BENCH_KEYS is its instance folder."""
    return example_app.create_app(settings["BENCH_KEYS"])


def prepare(folder: Path, store: str) -> None:
    """Fill a wallet's instance folder, with the store in its configuration."""
    instance.fill(folder)
    with (folder / "config.py").open("a") as config:
        config.write(f"\nOTP_MPP_STORE = {store!r}\n")
        config.write(f"OTP_MPP_ADDRESS_LIMIT = OTP_MPP_CLIENT_LIMIT = {LIMIT!r}\n")


class WalletUsers:
    """Users of an example wallet: they get access tokens and read their messages."""

    def __init__(self, folder: Path) -> None:
        config = Config(folder)
        config.from_pyfile("config.py")
        self._database = sa.create_engine(config["WALLET_DATABASE"], poolclass=sa.NullPool)
        self._tokens = AccessTokens(config["ACCESS_TOKEN_SECRET"], TOKEN_LIFE)
        self._made = 0
        self._seen = 0
        self._phones: dict[str, str] = {}

    def add(self, count: int) -> list[str]:
        """Add new users, and return their tokens."""
        numbers = range(self._made, self._made + count)
        self._made += count
        phones = [f"+8613{number:09d}" for number in numbers]
        users = [
            {"id": f"u{number}", "name": "A user", "phone": phone, "email": None, "frozen": False}
            for number, phone in zip(numbers, phones, strict=True)
        ]
        grants = [
            {"id": f"{number:016x}", "user_id": f"u{number}", "revoked": False}
            for number in numbers
        ]
        with Session(self._database) as session, session.begin():
            session.execute(sa.insert(User), users)
            session.execute(sa.insert(Grant), grants)
        tokens = [self._tokens.mint(f"{number:016x}", client=CLIENT_ID) for number in numbers]
        self._phones.update(zip(phones, tokens, strict=True))
        return tokens

    def codes(self, tokens: Iterable[str]) -> dict[str, str]:
        """Return the code that each user has received last."""
        wanted, found = set(tokens), {}
        with Session(self._database) as session:
            newer = sa.select(PhoneMessage).where(PhoneMessage.id > self._seen)
            for message in session.scalars(newer.order_by(PhoneMessage.id)):
                self._seen = message.id
                code = _CODE.search(message.text)
                token = self._phones.get(message.address, "")
                if code is not None and token in wanted:
                    found[token] = code[0]
        return found

    def messages(self, token: str) -> int:
        """Return how many messages a user has received."""
        phones = [phone for phone, known in self._phones.items() if known == token]
        mine = PhoneMessage.address.in_(phones)
        with Session(self._database) as session:
            return session.scalar(sa.select(sa.func.count()).where(mine)) or 0
