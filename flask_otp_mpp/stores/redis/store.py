"""Each verb is one Lua script on keys of one user: one round trip, which nothing can come between.

The scripts say the rules of :mod:`flask_otp_mpp.core.rules` again, under the same names; a state
machine in the tests holds the two together.

A request that its caller named takes its name first, which has a key and a slot of its own: a
second round trip to reserve, spend or settle, and a third one to give the name back if nothing is
remembered under it. Who does not get the name has changed nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from flask_otp_mpp.core.challenge import (
    Attempt,
    Challenge,
    Draft,
    IdempotencyKey,
    Outcome,
    StoredAnswer,
)
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock, StoreError, utc_now
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores.options import DEFAULT, StoreOptions
from flask_otp_mpp.stores.redis import encoding as wire
from flask_otp_mpp.stores.redis.client import Client, check, connect, refuse_unfit


class RedisStore:
    """Keep challenges and standings in Redis 6.2 or newer, or in Valkey.

    :param url_or_client: ``redis://``, ``rediss://`` or ``valkey://``; or a client of redis-py, a
        cluster's too, which must neither decode its answers nor repeat commands by itself.
    :param clock: the one clock by which this store judges. Without one, or with the system's
        (``utc_now``), it is the server's: one time for however many hosts.
    :param prefix: begins every key, so that stores can share a server.
    :param terms: bounds for the connections of a URL, whose query takes precedence; and whether a
        server that may evict is put up with.
    :raises ValueError: if the URL or the client can't be used; the message holds no password.
    """

    def __init__(
        self,
        url_or_client: str | Client,
        clock: Clock | None = None,
        prefix: str = "otp_mpp:",
        options: StoreOptions = DEFAULT,
    ) -> None:
        if {"{", "}"} & set(prefix):
            raise ValueError("the prefix holds a brace, which would tell a cluster a wrong slot")
        self._ours = isinstance(url_or_client, str)
        self.client: Client = (
            connect(url_or_client, options) if isinstance(url_or_client, str) else url_or_client
        )
        refuse_unfit(self.client)
        self._clock: Clock | None = None if clock is utc_now else clock
        self._prefix = prefix
        self._evicting = options.evicting

    def get_answer(self, request: str) -> StoredAnswer | None:
        """See who has the name, and then how it was decided: one round trip, two if it is known."""
        held = self._get(self._name(request))
        return None if held is None else self._record(request, held)

    def put_answer(self, request: IdempotencyKey, outcome: Outcome) -> Outcome:
        """Take the name, with the answer in it: one round trip, two if somebody has it."""
        held = self._take(request, "", wire.told(outcome))
        return outcome if held is None else self._answer(request, held)

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        if draft.request.chosen_by_caller and (held := self._take(draft.request, draft.subject)):
            return self._answer(draft.request, held)
        values = [wire.policy(policy), draft.id, draft.channel.value, draft.digest]
        found = self._run(_RESERVE, self._keys(draft), [*wire.asked(draft.request), *values])
        if len(found) == len(Outcome.__slots__):
            return self._let_go(draft, wire.outcome(found))
        challenge_id, issued_at, expires_at, tries, attempts, digest = found
        return Challenge(
            wire.text(challenge_id),
            draft.subject,
            draft.caller,
            draft.channel,
            digest,
            wire.moment(issued_at),
            wire.moment(expires_at),
            int(tries),
            int(attempts),
        )

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        request = draft.request
        values = [*wire.asked(request), draft.id, *wire.told(outcome)]
        self._run(_SETTLE, self._keys(draft), values)
        if request.chosen_by_caller and request.caches(outcome.reason):
            self._take(request, draft.subject)  # so that it lives as long as the answer
        elif request.chosen_by_caller:
            self._release(draft)

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        if attempt.request.chosen_by_caller and (
            held := self._take(attempt.request, attempt.subject)
        ):
            return self._answer(attempt.request, held)
        values: list[str | bytes] = [wire.policy(policy), attempt.id, *attempt.digests]
        found = self._run(_SPEND, self._keys(attempt), [*wire.asked(attempt.request), *values])
        return self._let_go(attempt, wire.outcome(found))

    def unlock(self, subject: str) -> bool:
        return bool(self._run(_UNLOCK, [f"{self._tag(subject)}:limits"], []))

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        """See that Redis is there: it deletes by itself what is over, for every key has an end."""
        with _store_errors():
            self.client.ping()
        return 0

    def check(self) -> str:
        """Look whether this store can work: is the server there, new enough, and evicts nothing.

        :returns: what was found, in one line.
        :raises UnfitStore: naming what was found instead, and what mends it.
        :raises StoreError: if the server does not answer.
        """
        return check(self.client, evicting=self._evicting)

    def close(self) -> None:
        """Close the connections, unless they are those of a client that was handed over."""
        if self._ours:
            self.client.close()

    def _take(
        self, request: IdempotencyKey, subject: str, outcome: Sequence[str] = ()
    ) -> wire.Held | None:
        """Take a name for a request, or say who has it; the same request may take it twice."""
        values = [wire.micros(request.ttl), request.digest, subject, *outcome]
        return wire.held(self._run(_CLAIM, [self._name(request.value)], values))

    def _let_go(self, asked: Draft | Attempt, outcome: Outcome) -> Outcome:
        """Give the name back if nothing is remembered of this call; return its outcome."""
        request = asked.request
        known = outcome.repeated or outcome.reason is Reason.REQUEST_CONFLICT
        if request.chosen_by_caller and (known or not request.caches(outcome.reason)):
            self._release(asked)
        return outcome

    def _release(self, asked: Draft | Attempt) -> None:
        request = asked.request
        self._run(_RELEASE, [self._name(request.value)], [request.digest, asked.subject])

    def _answer(self, request: IdempotencyKey, held: wire.Held) -> Outcome:
        """Return what is answered to a request whose name another one has, or had before."""
        record = self._record(request.value, held)
        if record is None:  # its user's script has not run, or never will
            record = StoredAnswer(Outcome("", Reason.REQUEST_PENDING), held.digest, held.subject)
        return record.answer(request)

    def _record(self, request: str, held: wire.Held) -> StoredAnswer | None:
        if held.outcome is not None:
            return StoredAnswer(held.outcome, held.digest, held.subject)
        found = self._get(self._request(held.subject, request))
        if found is None or found.outcome is None:
            return None
        return StoredAnswer(found.outcome, found.digest, held.subject)

    def _get(self, key: str) -> wire.Held | None:
        return wire.held(self._run(_GET, [key], []))

    def _run(self, script: wire.Script, keys: Sequence[str], values: Iterable[str | bytes]) -> Any:
        now = "" if self._clock is None else wire.micros(self._clock() - wire.EPOCH)
        # As bytes, so that no encoding that a client was made with can change them.
        sent = [wire.raw(value) for value in (*keys, now, *values)]
        with _store_errors():
            try:
                return self.client.evalsha(script.sha, len(keys), *sent)
            except NoScriptError:  # restarted, flushed or failed over; nothing was done as yet
                return self.client.eval(script.source, len(keys), *sent)

    def _keys(self, asked: Draft | Attempt) -> list[str]:
        tag = self._tag(asked.subject)
        challenges = f"{tag}:challenges:{asked.caller}"
        return [f"{tag}:limits", challenges, self._request(asked.subject, asked.request.value)]

    def _request(self, subject: str, request: str) -> str:
        return f"{self._tag(subject)}:request:{request}"

    def _name(self, request: str) -> str:
        return f"{self._tag(request)}:name"

    def _tag(self, name: str) -> str:
        # The braces put all keys of a user into one slot of a cluster. A digest has no brace of
        # its own, is of one length, and does not show who the user is.
        return f"{self._prefix}{{{hashlib.sha256(wire.raw(name)).hexdigest()}}}"


_RESERVE: Final = wire.Script("reserve")
_SETTLE: Final = wire.Script("settle")
_SPEND: Final = wire.Script("spend")
_UNLOCK: Final = wire.Script("unlock")
_GET: Final = wire.Script("get")
_CLAIM: Final = wire.Script("claim")
_RELEASE: Final = wire.Script("release")


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (RedisError, RedisClusterException) as error:
        raise StoreError(f"the OTP store in Redis failed: {type(error).__name__}") from error
