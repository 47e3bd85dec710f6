"""The peers that are compared side by side, each with an empty store and tables of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa

from benchmarks import peers, wallet
from benchmarks.empty_stores import empty_store
from benchmarks.others import accounts, outbox
from benchmarks.others.api import Api, SignedApi
from benchmarks.others.library_apis import AllauthApi, DjangoOtpApi, FlaskSecurityApi
from benchmarks.processes import ROOT

OWN: Final = ("wallet", "lean", "naive")
"""Those that speak the protocol, with signatures, of benchmarks.peers."""


class Users(peers.Users, Protocol):
    """The users of a peer, and what they can tell of it after a race."""

    def messages(self, user: str, answered: int) -> int: ...
    def judged(self, user: str, answered: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Compared:
    """A peer in a comparison.

    :param factory: makes its app, as ``module:function``.
    :param settings: the environment variables of its server.
    """

    name: str
    factory: str
    settings: dict[str, str]
    users: Users
    api: Api


@dataclass(frozen=True, slots=True)
class Library:
    """Another library.

    :param module: makes its app, and its tables if it is run.
    :param rows: its users.
    """

    module: str
    api: Api
    rows: Callable[[Iterable[int]], accounts.Rows]


LIBRARIES: Final = {
    "django-otp": Library(
        "benchmarks.others.django_otp_project", DjangoOtpApi(), accounts.django_otp
    ),
    "allauth": Library("benchmarks.others.allauth_project", AllauthApi(), accounts.allauth),
    "flask-security": Library(
        "benchmarks.others.flask_security_app", FlaskSecurityApi(), accounts.flask_security
    ),
}
NAMES: Final = (*OWN, *LIBRARIES)


@contextmanager
def opened(names: Sequence[str], store: str, home: Path) -> Iterator[list[Compared]]:
    """Prepare peers, each with an empty store."""
    with ExitStack() as stack:
        own = [name for name in names if name in OWN]
        found = {one.name: _own(one) for one in stack.enter_context(peers.opened(own, store, home))}
        for name, library in LIBRARIES.items():
            if name in names:
                folder = home / f"{name}-{store}"
                folder.mkdir()
                url = stack.enter_context(empty_store(store, folder))
                found[name] = _library(name, library, url, folder)
        yield [found[name] for name in names]


def _own(peer: peers.Peer) -> Compared:
    return Compared(peer.name, peer.factory, peer.settings, OwnUsers(peer), SignedApi(peer.caller))


def _library(name: str, library: Library, url: str, folder: Path) -> Compared:
    settings = {"BENCH_STORE": url, "BENCH_OUTBOX": str(folder / "outbox")}
    (folder / "outbox").touch()
    subprocess.run(  # noqa: S603 - no outside input
        [sys.executable, "-m", library.module],
        cwd=ROOT,
        env={**os.environ, **settings},
        check=True,
    )
    users = LibraryUsers(url, folder / "outbox", library.rows)
    return Compared(name, f"{library.module}:create_app", settings, users, library.api)


class OwnUsers:
    """The users of a peer that speaks the protocol; its answers say what was judged."""

    def __init__(self, peer: peers.Peer) -> None:
        self._peer = peer

    def add(self, count: int) -> list[str]:
        """Add new users, and return their tokens."""
        return self._peer.users.add(count)

    def codes(self, tokens: Iterable[str]) -> dict[str, str]:
        """Return the code that each user was sent last."""
        return self._peer.users.codes(tokens)

    def messages(self, user: str, answered: int) -> int:
        """Return how many messages a user got; ``naive`` sends none, so there the answers count."""
        if isinstance(self._peer.users, wallet.WalletUsers):
            return self._peer.users.messages(user)
        box = Path(self._peer.settings["BENCH_OUTBOX"])
        return outbox.counted(box)[user] if box.exists() else answered

    def judged(self, user: str, answered: int) -> int:
        """Return how many guesses were compared."""
        return answered


class LibraryUsers:
    """The users of another library."""

    def __init__(self, url: str, box: Path, rows: Callable[[Iterable[int]], accounts.Rows]) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        self._tables = sa.MetaData()
        self._tables.reflect(self._engine)
        self._outbox, self._rows = box, rows
        self._made = 0

    def add(self, count: int) -> list[str]:
        """Add new users, and return their names."""
        numbers = range(self._made + 1, self._made + count + 1)
        self._made += count
        with self._engine.begin() as db:
            for table, rows in self._rows(numbers).items():
                db.execute(sa.insert(self._tables.tables[table]), rows)
        return [accounts.user_of(number) for number in numbers]

    def codes(self, tokens: Iterable[str]) -> dict[str, str]:
        """Return the code that each user was sent last."""
        return outbox.codes(self._outbox, tokens)

    def messages(self, user: str, _answered: int) -> int:
        """Return how many messages a user got."""
        return outbox.counted(self._outbox)[user]

    def judged(self, user: str, answered: int) -> int:
        """Return how many guesses were compared.

        The views of django-otp can't tell a wrong code from one that the library has not looked at,
        because another guess was wrong meanwhile. The library counts those that it compared, while
        it holds the row's lock.
        """
        devices = self._tables.tables.get("otp_email_emaildevice")
        if devices is None:
            return answered
        people = self._tables.tables["auth_user"]
        compared = (
            sa.select(devices.c.throttling_failure_count)
            .join(people, people.c.id == devices.c.user_id)
            .where(people.c.username == user)
        )
        with self._engine.connect() as db:
            return int(db.execute(compared).scalar_one())
