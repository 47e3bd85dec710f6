"""What a case plays with: users of its own, a record of all that was said, and what is expected."""

from __future__ import annotations

import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, TypeVar

from flask_otp_mpp.conformance.case import AnyCase, Failed, Group, Skipped
from flask_otp_mpp.conformance.inbox import Waiting
from flask_otp_mpp.conformance.masking import Mask
from flask_otp_mpp.conformance.target import Target
from flask_otp_mpp.conformance.wire import HttpClient, Request, Response
from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.core.secret import Secret

T = TypeVar("T")
_MARGIN_SECONDS: Final = 1
"""By how much a wait is longer than what it waits for."""
_MOMENT_SECONDS: Final = 0.3
"""How long the kit looks for a message that must not arrive."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer.

    :param signed: the text that the request's signature covers, or the payload before it was
        sealed; empty if there is none.
    :param expected: the text that the answer's signature must cover, or the payload of an answer
        that could be opened.
    :param verified: whether the answer's signature holds.
    :param code: the result code of the answer.
    :param at: when the request was sent, by the kit's clock.
    """

    request: Request
    response: Response
    signed: bytes = field(repr=False)
    expected: bytes = field(repr=False)
    verified: bool
    code: str
    at: datetime


class Bench:
    """What all cases of a run share: the connection, the clock, the users, and the secrets.

    :ivar exchanges: of the cases that have ended.
    :ivar secrets: what a report must not show: credentials, and the codes that were learned.
    :ivar guesses: wrong codes, which would tell the right ones, as they are made of them.
    :ivar groups: those all of whose cases are chosen for the run.
    """

    def __init__(
        self, target: Target, *, slow: bool = False, groups: frozenset[Group] = frozenset()
    ) -> None:
        self.target: Final = target
        self.groups: Final = groups
        self.http: Final = HttpClient(target.base_url, timeout=target.timeout, tls=target.tls)
        self.exchanges: list[Exchange] = []
        self.secrets: dict[str, str] = {
            secret.reveal(): f"<user {number}>" for number, secret in enumerate(target.valid, 1)
        }
        for number, secret in enumerate(target.associations, 1):
            self.secrets[secret.reveal()] = f"<association {number}>"
        for number, secret in enumerate(target.second_valid.values(), 1):
            self.secrets.setdefault(secret.reveal(), f"<user {number} at the second client>")
        for need, secret in target.states.items():
            self.secrets[secret.reveal()] = f"<{need.value}>"
        if target.second_client is not None and target.second_client.token is not None:
            self.secrets[target.second_client.token.reveal()] = "<user of the second client>"
        self._credentials: Final = dict(self.secrets)
        self.guesses: dict[str, str] = {}
        self._slow = slow
        self._lock = threading.Lock()
        # Each run begins elsewhere, for the users of one before may have to wait for a message.
        self._users = _from_anywhere(target.valid)
        self._associations = _from_anywhere(target.associations)
        self._moved = timedelta()
        self._signed_at = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the time by which requests are signed: it moves with the endpoint's clock."""
        return utc_now() + self._moved

    def next_moment(self) -> datetime:
        """Return the time for a new request: no other one of the run has the same millisecond.

        Two requests of the same fields and time would be byte-identical: the second one a repeat.
        """
        with self._lock:
            now = self.now()
            now -= timedelta(microseconds=now.microsecond % 1000)
            self._signed_at = max(now, self._signed_at + timedelta(milliseconds=1))
            return self._signed_at

    def can_wait(self) -> bool:
        """Tell whether cases that wait can be played."""
        return self._slow or self.target.clock is not None

    def wait(self, seconds: float) -> None:
        """Let time pass at the endpoint: by its clock if the kit can move it, or by waiting."""
        seconds += _MARGIN_SECONDS
        if self.target.clock is None:
            time.sleep(seconds)
            return
        words = [word.replace("{seconds}", str(int(seconds))) for word in self.target.clock.command]
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - the user's own command
        if done.returncode:
            raise Failed(f"the command that moves the clock failed: {done.stderr.strip()}")
        with self._lock:
            self._moved += timedelta(seconds=int(seconds))

    def take_users(self, number: int) -> list[Secret[str]]:
        """Return users whom no other case has: limits and locks of one would disturb the other.

        :raises Skipped: if there are no such users any more.
        """
        with self._lock:
            if len(self._users) < number:
                given = len(self.target.valid)
                raise Skipped(f"other cases have the {given} valid users; name more of them")
            taken, self._users = self._users[:number], self._users[number:]
        return taken

    def take_association(self) -> Secret[str]:
        """Return the association that the fewest cases have had."""
        with self._lock:
            if not self._associations:
                raise Skipped("it needs associations")
            taken = self._associations.pop(0)
            self._associations.append(taken)
        return taken

    @property
    def hidden(self) -> dict[str, str]:
        """All that a report must not show, each with what it shows instead."""
        return {**self.guesses, **self.secrets}

    def masked(self, text: str) -> str:
        """Return a text without what a report must not show.

        The mask of the credentials is made once: there may be thousands of them.
        """
        others = {one: shown for one, shown in self.hidden.items() if one not in self._credentials}
        return Mask(others)(self._mask_of_credentials(text))

    @cached_property
    def _mask_of_credentials(self) -> Mask:
        return Mask(self._credentials)

    def learned(self, code: str) -> None:
        """Remember a code, so that no report shows it."""
        self.secrets.setdefault(code, "<code>")


def _from_anywhere(credentials: Sequence[Secret[str]]) -> list[Secret[str]]:
    first = secrets.randbelow(max(1, len(credentials)))
    return [*credentials[first:], *credentials[:first]]


class Play:
    """One playing of one case; the protocols add how their calls are made.

    :ivar exchanges: what was said, in its order.
    :ivar limits: what the endpoint promises.
    """

    def __init__(self, bench: Bench, case: AnyCase) -> None:
        self.bench = bench
        self.case = case
        self.limits = bench.target.limits
        self.exchanges: list[Exchange] = []
        self._users = bench.take_users(case.users)

    @property
    def user(self) -> str:
        """The credential of the user of this case; of any valid one, if it has none for itself."""
        return (self._users or self.bench.target.valid)[0].reveal()

    @property
    def second_user(self) -> str:
        """The credential of another one."""
        return self._users[1].reveal()

    @property
    def users(self) -> list[str]:
        """The credentials of all users of this case."""
        return [user.reveal() for user in self._users]

    def said(self) -> Sequence[Exchange]:
        """Return all exchanges of the cases before, for a case that is played last."""
        return self.bench.exchanges

    def wait(self, seconds: float) -> None:
        """Let time pass at the endpoint."""
        self.bench.wait(seconds)

    def waiting(self, user: str) -> Waiting:
        """Look at a user's inbox before a message is asked for.

        :raises Skipped: if the kit can't learn codes.
        """
        inbox = self.bench.target.inbox
        if inbox is None:
            raise Skipped("it needs an inbox")
        return Waiting(inbox, user, inbox.newest(user, ""))

    def code(self, waiting: Waiting, challenge: str) -> str:
        """Return the code that arrives.

        :raises Failed: if none does.
        """
        code = waiting.code(challenge)
        if code is None:
            raise Failed("the send was answered with success, and no code arrived in the inbox")
        self.bench.learned(code)
        return code

    def see_no_message(self, waiting: Waiting) -> None:
        """See that no message arrives for a moment.

        :raises Failed: if one does.
        """
        if waiting.code("", _MOMENT_SECONDS) is not None:
            raise Failed("a message arrived that must not be sent")

    def wrong(self, code: str, number: int = 1) -> str:
        """Return a code of the same length that is another one; other numbers give others."""
        guess = f"{(int(code) + number) % 10 ** len(code):0{len(code)}d}"
        self.bench.guesses[guess] = "<wrong code>"
        return guess

    def at_once(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Make calls at the same moment, each on its own connection; return what they return."""
        start = threading.Barrier(len(calls))

        def call(one: Callable[[], T]) -> T:
            start.wait(30)
            return one()

        with ThreadPoolExecutor(len(calls)) as pool:
            return [done.result() for done in [pool.submit(call, one) for one in calls]]

    def check(self, holds: object, said: str) -> None:
        """Fail with a sentence if something does not hold.

        :raises Failed: with the sentence.
        """
        if not holds:
            raise Failed(said)


AnyPlay = Any
