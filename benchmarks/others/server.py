"""The peers under one kind of server: started, warmed up, and driven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.driver import Run, drive
from benchmarks.others.api import Guess, Outcome
from benchmarks.others.opened import Compared, opened
from benchmarks.processes import Server, serving
from benchmarks.turns import Driven

CONNECTIONS: Final = 16
UNLIMITED: Final = 600.0
_WARM: Final = 60


@dataclass(frozen=True, slots=True)
class Served:
    """A peer, and its server."""

    peer: Compared
    server: Server

    def sent(self, count: int) -> tuple[list[str], Run]:
        """Send codes to new users, until each has one."""
        users = self.peer.users.add(count)
        return users, self.drive(self.peer.api.sends(users))

    def guesses(self, users: Sequence[str], sends: Run) -> list[Guess]:
        """Return the right code of each user."""
        codes = self.peer.users.codes(users)
        # A code that was not sent is tried all the same: its answer counts as wrong.
        return [
            Guess(user, raw, codes.get(user, "000000"))
            for user, raw in zip(users, sends.answers, strict=True)
        ]

    def drive(
        self, requests: Sequence[bytes], seconds: float = UNLIMITED, connections: int = CONNECTIONS
    ) -> Run:
        """Send requests until the time is over or all are sent."""
        return drive(self.server.ports, requests, connections, seconds)

    def driven(self, requests: Sequence[bytes]) -> Driven:
        """Return requests that are to be sent in turns."""
        return Driven(self.server, requests, CONNECTIONS)

    def outcomes(self, run: Run) -> list[Outcome]:
        """Return what became of each request that was sent."""
        return [self.peer.api.outcome(raw) for raw in run.answers[: run.sent]]


@contextmanager
def served(
    names: Sequence[str], store: str, home: Path, warm: int = _WARM
) -> Iterator[list[Served]]:
    """Serve peers by gunicorn, each with an empty store, and call each some times to warm it up."""
    with ExitStack() as stack:
        found = []
        for peer in stack.enter_context(opened(names, store, home)):
            one = Served(peer, stack.enter_context(serving(peer.factory, peer.settings, home)))
            users, sends = one.sent(warm)
            one.drive(peer.api.verifies(one.guesses(users, sends)))
            found.append(one)
        yield found


def wrong(guess: Guess, number: int = 1) -> Guess:
    """Return a guess whose code is another one, for each number up to 9,999 a different one."""
    code = (int(guess.code) + number * 97) % 1_000_000
    return Guess(guess.user, guess.sent, f"{code:06d}")
