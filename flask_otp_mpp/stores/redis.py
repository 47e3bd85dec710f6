"""Each verb is one Lua script on keys of one user: one round trip, which nothing can come between.

The scripts say the rules of :mod:`flask_otp_mpp.core.rules` again, under the same names; a state
machine in the tests holds the two together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, Final

from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from flask_otp_mpp.core.challenge import Challenge, Claim, Draft, Outcome
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock, StoreError, utc_now
from flask_otp_mpp.core.reasons import MAX_DETAIL, Reason
from flask_otp_mpp.stores.redis_client import Client, connect, refuse_unfit, refuse_unsafe

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class RedisStore:
    """Keep challenges and standings in Redis 6.2 or newer, or in Valkey.

    :param url_or_client: ``redis://``, ``rediss://`` or ``valkey://``; or a client of redis-py, a
        cluster's too, which must neither decode its answers nor repeat commands by itself.
    :param clock: the one clock by which this store judges. Without one, or with the system's
        (``utc_now``), it is the server's: one time for however many hosts.
    :param prefix: begins every key, so that stores can share a server.
    :raises ValueError: if the URL or the client can't be used; the message holds no password.
    """

    def __init__(
        self, url_or_client: str | Client, clock: Clock | None = None, prefix: str = "otp_mpp:"
    ) -> None:
        if {"{", "}"} & set(prefix):
            raise ValueError("the prefix holds a brace, which would tell a cluster a wrong slot")
        self._ours = isinstance(url_or_client, str)
        self.client: Client = (
            connect(url_or_client) if isinstance(url_or_client, str) else url_or_client
        )
        refuse_unfit(self.client)
        self._clock: Clock | None = None if clock is utc_now else clock
        self._prefix = prefix

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        found = self._run(
            _RESERVE,
            self._keys(draft),
            [
                _policy(policy),
                _micros(draft.request.keep),
                draft.id,
                draft.channel.value,
                draft.digest,
            ],
        )
        if len(found) == len(Outcome.__slots__):
            return _outcome(found)
        challenge_id, issued_at, expires_at, tries, attempts, digest = found
        return Challenge(
            _text(challenge_id),
            draft.subject,
            draft.caller,
            draft.channel,
            digest,
            _moment(issued_at),
            _moment(expires_at),
            int(tries),
            int(attempts),
        )

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        self._run(
            _SETTLE,
            self._keys(draft),
            [
                _micros(draft.request.keep),
                draft.id,
                outcome.challenge_id,
                "" if outcome.reason is None else outcome.reason.name,
                "" if outcome.until is None else _micros(outcome.until - _EPOCH),
                outcome.detail[:MAX_DETAIL],
            ],
        )

    def spend(self, claim: Claim, policy: Policy) -> Outcome:
        found = self._run(
            _SPEND,
            self._keys(claim),
            [_policy(policy), _micros(claim.request.keep), claim.id, *claim.digests],
        )
        return _outcome(found)

    def pardon(self, subject: str) -> bool:
        return bool(self._run(_PARDON, [f"{self._tag(subject)}:standing"], []))

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        """See that Redis is there: it deletes by itself what is over, for every key has an end."""
        with _store_errors():
            self.client.ping()
        return 0

    def check(self) -> None:
        """Refuse a server that may forget counts while they matter, or is too old.

        :raises ValueError: with what was found and what would do.
        :raises StoreError: if the server does not answer.
        """
        with _store_errors():
            refuse_unsafe(self.client)

    def close(self) -> None:
        """Close the connections, unless they are those of a client that was handed over."""
        if self._ours:
            self.client.close()

    def _run(self, script: _Script, keys: Sequence[str], values: Iterable[str | bytes]) -> Any:
        now = "" if self._clock is None else _micros(self._clock() - _EPOCH)
        # As bytes, so that no encoding that a client was made with can change them.
        sent = [_bytes(value) for value in (*keys, now, *values)]
        with _store_errors():
            try:
                return self.client.evalsha(script.sha, len(keys), *sent)
            except NoScriptError:  # restarted, flushed or failed over; nothing was done as yet
                return self.client.eval(script.source, len(keys), *sent)

    def _keys(self, asked: Draft | Claim) -> list[str]:
        tag = self._tag(asked.subject)
        own = ("standing", f"challenges:{asked.caller}", f"request:{asked.request.value}")
        return [f"{tag}:{name}" for name in own]

    def _tag(self, subject: str) -> str:
        # The braces put all keys of a user into one slot of a cluster. A digest has no brace of
        # its own, is of one length, and does not show who the user is.
        return f"{self._prefix}{{{hashlib.sha256(_bytes(subject)).hexdigest()}}}"


class _Script:
    """One verb in Lua, after the functions that all of them share."""

    def __init__(self, verb: str) -> None:
        folder = files("flask_otp_mpp.stores").joinpath("lua")
        parts = (folder.joinpath(f"{name}.lua") for name in ("rules", "records", verb))
        self.source = "\n".join(part.read_text("ascii") for part in parts)
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


_RESERVE: Final = _Script("reserve")
_SETTLE: Final = _Script("settle")
_SPEND: Final = _Script("spend")
_PARDON: Final = _Script("pardon")


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (RedisError, RedisClusterException) as error:
        raise StoreError(f"the OTP store in Redis failed: {type(error).__name__}") from error


def _policy(policy: Policy) -> str:
    limits = ",".join(f"{limit.count}/{_micros(limit.window)}" for limit in policy.send_limits)
    fields: dict[str, object] = {
        "life": _micros(policy.life),
        "tries": policy.tries,
        "resend": policy.resend.value,
        "cool_down": _micros(policy.cool_down),
        "send_limits": limits,
        "send_memory": _micros(policy.send_memory),
        "failure_limit": policy.failure_limit,
        "first_lock": _micros(policy.first_lock),
        "longest_lock": _micros(policy.longest_lock),
        "forget_after": _micros(policy.forget_after),
        "retention": _micros(policy.retention),
    }
    return " ".join(f"{name}={value}" for name, value in fields.items())


def _outcome(found: Sequence[bytes]) -> Outcome:
    challenge_id, reason, until, detail, repeated = map(_text, found)
    return Outcome(
        challenge_id,
        Reason[reason] if reason else None,
        detail,
        _moment(until) if until else None,
        repeated == "1",
    )


def _micros(length: timedelta) -> str:
    return str(length // _MICROSECOND)


def _moment(micros: str | bytes) -> datetime:
    return _EPOCH + int(micros) * _MICROSECOND


def _bytes(value: str | bytes) -> bytes:
    # What a caller sends may hold half a surrogate pair; it is a strange id, and no crash.
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")
