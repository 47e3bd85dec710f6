"""How a peer is called: its requests as raw HTTP, and what its answers mean.

The package's protocols have signed requests; each other library has the HTTP API that its own
documentation describes, and signs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from benchmarks.wire import Answer, Caller, RequestKind, UnsignedRequest


class Outcome(StrEnum):
    """What became of a request."""

    DONE = "done"
    """The message was sent, or the code was right."""
    UNMATCHED = "unmatched"
    """The code was compared, and is wrong."""
    REFUSED = "refused"
    """Nothing was compared or sent, because of a limit, a lock or a used code."""
    FAILED = "failed"
    """No answer, an error of the server, or an answer that is not expected at all."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A code that is tried.

    :param sent: the raw answer to the send before.
    """

    user: str
    sent: bytes
    code: str


class Api(Protocol):
    """Makes a peer's requests, and reads its answers."""

    def sends(self, users: Sequence[str]) -> list[bytes]: ...
    def verifies(self, guesses: Sequence[Guess]) -> list[bytes]: ...
    def outcome(self, raw: bytes) -> Outcome: ...


REFUSALS: Final = frozenset(
    {
        "OTP_SEND_TIMES_EXCEED_LIMIT",
        "OTP_VERIFY_TIMES_EXCEED_LIMIT",
        "VERIFY_REQUEST_ID_INVALID",
    }
)
"""Result codes of a call that a limit refuses, or that names a code that was used."""


@dataclass(frozen=True, slots=True)
class SignedApi:
    """The two calls of Alipay+, signed, whose answers are signed as well.

    No two requests are the same bytes, since a repeat would get the answer of the first.
    """

    caller: Caller

    def sends(self, users: Sequence[str]) -> list[bytes]:
        return self._signed(
            UnsignedRequest(RequestKind.SEND, user, info=str(number))
            for number, user in enumerate(users)
        )

    def verifies(self, guesses: Sequence[Guess]) -> list[bytes]:
        challenges = (Answer.parse(one.sent).challenge or "none" for one in guesses)
        return self._signed(
            UnsignedRequest(RequestKind.RIGHT, one.user, challenge, one.code, str(number))
            for number, (one, challenge) in enumerate(zip(guesses, challenges, strict=True))
        )

    def outcome(self, raw: bytes) -> Outcome:
        code = Answer.parse(raw).code if raw else ""
        if code == "SUCCESS":
            return Outcome.DONE
        if code == "OTP_VERIFY_UNMATCHED":
            return Outcome.UNMATCHED
        return Outcome.REFUSED if code in REFUSALS else Outcome.FAILED

    def _signed(self, unsigned: Iterable[UnsignedRequest]) -> list[bytes]:
        return [request.over_http() for request in self.caller.sign_all(unsigned)]
