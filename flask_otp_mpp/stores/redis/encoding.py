"""What goes to the scripts in Redis and comes back is text; moments are microseconds of 1970."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final

from flask_otp_mpp.core.challenge import IdempotencyKey, Outcome
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import MAX_DETAIL, Reason

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Script:
    """Be one verb in Lua, after the functions that all of them share."""

    def __init__(self, verb: str) -> None:
        folder = files("flask_otp_mpp.stores.redis")
        parts = (folder.joinpath(f"{name}.lua") for name in ("rules", "records", verb))
        self.source = "\n".join(part.read_text("ascii") for part in parts)
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Held:
    """Hold what a key says of a request.

    :param digest: of its parameters; empty for a record of a version that knew none.
    :param outcome: None for a name whose answer is remembered with the user.
    """

    digest: str
    subject: str
    outcome: Outcome | None


def held(found: Sequence[bytes | None] | None) -> Held | None:
    """Read what a key says; None if there is no such key."""
    if found is None:
        return None
    digest, subject, *decided = (value or b"" for value in found)
    known = found[2] is not None
    return Held(text(digest), text(subject), outcome([*decided, b""]) if known else None)


def outcome(found: Sequence[bytes]) -> Outcome:
    """Read what a verb has answered."""
    challenge_id, reason, until, detail, repeated = map(text, found)
    return Outcome(
        challenge_id,
        Reason[reason] if reason else None,
        detail,
        moment(until) if until else None,
        repeated == "1",
    )


def told(outcome: Outcome) -> list[str]:
    """Write an outcome that a script is to remember."""
    return [
        outcome.challenge_id,
        "" if outcome.reason is None else outcome.reason.name,
        "" if outcome.until is None else micros(outcome.until - EPOCH),
        outcome.detail[:MAX_DETAIL],
    ]


def asked(request: IdempotencyKey) -> list[str]:
    """Write how a request is to be remembered."""
    return [
        micros(request.ttl),
        request.digest,
        " ".join(reason.name for reason in request.not_cached),
    ]


def policy(policy: Policy) -> str:
    """Write the bounds by which a verb decides."""
    limits = ",".join(f"{limit.count}/{micros(limit.window)}" for limit in policy.send_limits)
    fields: dict[str, object] = {
        "life": micros(policy.life),
        "tries": policy.tries,
        "resend": policy.resend.value,
        "cool_down": micros(policy.cool_down),
        "send_limits": limits,
        "send_memory": micros(policy.send_memory),
        "failure_limit": policy.failure_limit,
        "first_lock": micros(policy.first_lock),
        "longest_lock": micros(policy.longest_lock),
        "forget_after": micros(policy.forget_after),
        "retention": micros(policy.retention),
    }
    return " ".join(f"{name}={value}" for name, value in fields.items())


def micros(length: timedelta) -> str:
    """Write a length of time."""
    return str(length // _MICROSECOND)


def moment(micros: str | bytes) -> datetime:
    """Read a moment as aware UTC."""
    return EPOCH + int(micros) * _MICROSECOND


def raw(value: str | bytes) -> bytes:
    """Write any text: a caller may send half a surrogate pair; it is a strange id, and no crash."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def text(value: bytes) -> str:
    """Read what :func:`raw` wrote."""
    return value.decode("utf-8", "surrogatepass")
