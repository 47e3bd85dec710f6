"""Encode what goes to the Lua scripts, and decode what they return.

All values are text. Times are microseconds since 1970, durations are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.idempotency import IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.limits import ClientLimits, CountedSend, UserLimits
from flask_otp_mpp.core.policy import Policy, SendLimit
from flask_otp_mpp.core.reasons import MAX_DETAIL, Outcome, Reason
from flask_otp_mpp.core.user_record import ChallengeRecord, UserRecord, newest

OUTCOME_LENGTH: Final = 5
"""How many values a script returns for an outcome; for a challenge it returns another number."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The request that holds an idempotency key: the digest of its parameters, and its user."""

    digest: str
    subject: str


def decode_holder(found: Sequence[bytes] | None) -> KeyHolder | None:
    """Decode what ``read_holder`` in Lua found; None if there is no such key."""
    return None if found is None else KeyHolder(*map(decode_text, found))


def decode_answer(found: Sequence[bytes | None] | None, subject: str) -> StoredAnswer | None:
    """Decode what ``read_answer`` in Lua found; None if there is no such key."""
    if found is None:
        return None
    digest, *decided = (value or b"" for value in found)
    return StoredAnswer(decode_outcome([*decided, b""]), decode_text(digest), subject)


def decode_outcome(found: Sequence[bytes]) -> Outcome:
    """Decode the outcome that a script returned."""
    challenge_id, reason, until, detail, repeated = map(decode_text, found)
    return Outcome(
        challenge_id,
        Reason[reason] if reason else None,
        detail,
        _decode_end(until),
        repeated == "1",
    )


def decode_limits(found: Sequence[Any] | None) -> UserLimits | None:
    """Decode what ``list_limits`` in Lua returned; None if it was not called."""
    if found is None:
        return None
    failures, clients, sends = found
    return UserLimits(
        int(failures),
        tuple(
            ClientLimits(
                decode_text(client),
                int(failures),
                int(locks),
                _decode_end(locked_until),
                decode_time(forget_at),
            )
            for client, failures, locks, locked_until, forget_at in clients
        ),
        tuple(
            CountedSend(Channel(decode_text(channel)), decode_text(client), decode_time(at))
            for channel, client, at in sends
        ),
    )


def decode_record(found: Sequence[Any], callers: Sequence[str]) -> UserRecord:
    """Decode what the script of ``look_up`` returned.

    The stored challenges don't name their channel. The latest of a channel is known as such; an
    older one has the channel of the send that was counted at the same moment.

    :param callers: those of the keys behind that of the limits.
    """
    now, listed, challenges = found
    limits = decode_limits(listed) or UserLimits()
    sent: dict[datetime, set[Channel]] = {}
    for send in limits.sends:
        sent.setdefault(send.at, set()).add(send.channel)

    def record(number: bytes, challenge_id: bytes, channel: bytes, *rest: bytes) -> ChallengeRecord:
        issued_at, expires_at, tries, attempts, used_at, closed_at = rest
        issued = decode_time(issued_at)
        known = {Channel(decode_text(channel))} if channel else sent.get(issued, set())
        return ChallengeRecord(
            decode_text(challenge_id),
            callers[int(number) - 2],
            next(iter(known)) if len(known) == 1 else None,
            issued,
            decode_time(expires_at),
            int(tries),
            int(attempts),
            _decode_end(used_at),
            _decode_end(closed_at),
        )

    return UserRecord(decode_time(now), limits, newest(record(*one) for one in challenges))


def encode_outcome(outcome: Outcome) -> list[str]:
    """Encode an outcome that a script is to store."""
    return [
        outcome.challenge_id,
        "" if outcome.reason is None else outcome.reason.name,
        "" if outcome.until is None else encode_time(outcome.until),
        outcome.detail[:MAX_DETAIL],
    ]


def encode_key(key: IdempotencyKey) -> list[str]:
    """Encode how the answer under an idempotency key is stored: ``read_request`` in Lua."""
    return [
        encode_duration(key.ttl),
        key.digest,
        " ".join(reason.name for reason in key.not_cached),
    ]


def encode_policy(policy: Policy) -> str:
    """Encode a policy: ``read_policy`` in Lua."""
    fields: dict[str, object] = {
        "life": encode_duration(policy.life),
        "tries": policy.tries,
        "resend": policy.resend.value,
        "cool_down": encode_duration(policy.cool_down),
        "send_limits": _encode_limits(policy.send_limits),
        "overall_send_limits": _encode_limits(policy.overall_send_limits),
        "send_memory": encode_duration(policy.send_memory),
        "failure_limit": policy.failure_limit,
        "disable_after": policy.disable_after,
        "first_lock": encode_duration(policy.first_lock),
        "longest_lock": encode_duration(policy.longest_lock),
        "forget_after": encode_duration(policy.forget_after),
        "retention": encode_duration(policy.retention),
    }
    return " ".join(f"{name}={value}" for name, value in fields.items())


def _encode_limits(limits: Iterable[SendLimit]) -> str:
    return ",".join(f"{limit.count}/{encode_duration(limit.window)}" for limit in limits)


def encode_duration(duration: timedelta) -> str:
    """Encode a duration as microseconds."""
    return str(duration // _MICROSECOND)


def encode_time(time: datetime) -> str:
    """Encode an aware time as microseconds since 1970."""
    return encode_duration(time - _EPOCH)


def decode_time(micros: str | bytes) -> datetime:
    """Decode microseconds since 1970 as aware UTC."""
    return _EPOCH + int(micros) * _MICROSECOND


def _decode_end(micros: str | bytes) -> datetime | None:
    return decode_time(micros) if micros else None


def encode_text(text: str | bytes) -> bytes:
    """Encode any text. A caller may send half a surrogate pair: a strange id, but no error."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def decode_text(text: bytes) -> str:
    """Decode what :func:`encode_text` encoded."""
    return text.decode("utf-8", "surrogatepass")
