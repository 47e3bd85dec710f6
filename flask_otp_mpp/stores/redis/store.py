"""The Redis store: each method is one Lua script on keys of one user, in one round trip.

The scripts repeat the rules of :mod:`flask_otp_mpp.core.rules` under the same names; a state
machine in the tests compares the two.

If the caller chose the idempotency key of a request, the request first claims that key, which has a
Redis key and a cluster slot of its own. That is a second round trip for reserve, spend and settle,
and a third one to release the key if no answer is stored under it. A request that can't claim its
key changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from redis.exceptions import NoScriptError

from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.clock import Clock, utc_now
from flask_otp_mpp.core.idempotency import IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import check_batch
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.user_record import UserRecord
from flask_otp_mpp.stores.options import DEFAULT, StoreOptions
from flask_otp_mpp.stores.redis import encoding, scripts, user_keys
from flask_otp_mpp.stores.redis.check import check
from flask_otp_mpp.stores.redis.client import Client, connect, passed_in
from flask_otp_mpp.stores.redis.failover import do


class RedisStore:
    """Store challenges and user limits in Redis 6.2 or newer, or in Valkey.

    :param url_or_client: ``redis://``, ``rediss://``, ``redis+sentinel://``, ``redis+cluster://``,
        or the same with ``valkey``; or a client of redis-py, which must neither decode answers nor
        repeat commands by itself.
    :param clock: the one clock by which this store decides. Without one, or with the system's
        (``utc_now``), it is the server's clock: the same time for all hosts.
    :param prefix: the beginning of every key, so that several stores can share a server. It must
        hold no brace.
    :param options: pool size and timeouts of a URL's connections, which the URL's query overrides;
        and whether a server that may evict keys is accepted.
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
            raise ValueError(
                "the prefix holds a brace; a cluster would then compute a wrong slot from it"
            )
        self._owns_client = isinstance(url_or_client, str)
        self._source = (
            connect(url_or_client, options)
            if isinstance(url_or_client, str)
            else passed_in(url_or_client)
        )
        self.prefix = prefix
        self._clock: Clock | None = None if clock is utc_now else clock
        self._allow_eviction = options.allow_eviction

    def get_answer(self, request: str) -> StoredAnswer | None:
        """Read who holds the idempotency key, and then the answer: one or two round trips."""
        found = self._run(scripts.HOLDER, [self._claim_key(request)], [])
        holder = encoding.decode_holder(found)
        return None if holder is None else self._stored_answer(request, holder)

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        request = draft.request
        if request.chosen_by_caller and (holder := self._claim(request, draft.subject)):
            return self._answer(request, holder)
        values: list[str | bytes] = [
            *encoding.encode_key(request),
            encoding.encode_policy(policy),
            draft.id,
            draft.channel.value,
            draft.client,
            draft.digest,
        ]
        found = self._run(scripts.RESERVE, self._user_keys(draft), values)
        if len(found) == encoding.OUTCOME_LENGTH:
            return self._release_if_unused(draft, encoding.decode_outcome(found))
        challenge_id, issued_at, expires_at, tries, attempts, digest, now = found
        return Challenge(
            encoding.decode_text(challenge_id),
            draft.subject,
            draft.caller,
            draft.channel,
            digest,
            encoding.decode_time(issued_at),
            encoding.decode_time(expires_at),
            int(tries),
            int(attempts),
            reserved_at=encoding.decode_time(now),
        )

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        request = draft.request
        values = [*encoding.encode_key(request), draft.id, *encoding.encode_outcome(outcome)]
        reserved = self._run(scripts.SETTLE, self._user_keys(draft), values)
        if not (request.chosen_by_caller and reserved):
            return
        if request.caches(outcome.reason):
            self._claim(request, draft.subject)  # so that the claim is kept as long as the answer
        else:
            self._release(draft)

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        request = attempt.request
        if request.chosen_by_caller and (holder := self._claim(request, attempt.subject)):
            return self._answer(request, holder)
        values: list[str | bytes] = [
            *encoding.encode_key(request),
            encoding.encode_policy(policy),
            attempt.id,
            attempt.client,
            *attempt.digests,
        ]
        found = self._run(scripts.SPEND, self._user_keys(attempt), values)
        return self._release_if_unused(attempt, encoding.decode_outcome(found))

    def look_up(self, subject: str) -> UserRecord:
        """Read the limits, and then the challenges of a user who has any.

        All keys of the store are looked through for those, without blocking the server.
        """
        limits = self._limits_key(subject)
        found = self._run(scripts.LOOK_UP, [limits], [])
        own, keys = self._challenges_key(subject, ""), list[bytes]()
        if found[1] is not None:
            keys = do(self._source, lambda client: user_keys.beginning_with(client, own))
            found = self._run(scripts.LOOK_UP, [limits, *keys], [])
        callers = [key.removeprefix(encoding.encode_text(own)) for key in keys]
        return encoding.decode_record(found, list(map(encoding.decode_text, callers)))

    def unlock(
        self, subject: str, clients: Collection[str] | None = None, *, quota: bool = False
    ) -> UserLimits | None:
        values = ["1" if quota else "", "1" if clients is None else "", *(clients or ())]
        return encoding.decode_limits(
            self._run(scripts.UNLOCK, [self._limits_key(subject)], values)
        )

    def forget(self, subject: str) -> bool:
        """Delete the user's keys: at once those in the user's slot, then the claims.

        All keys of the store are looked through for it, without blocking the server. What a request
        writes meanwhile may stay, so a part of what it writes may be deleted and another part not.
        """
        own = f"{self._hash_tag(subject)}:".encode()
        name = encoding.encode_text(subject)

        def delete(client: Client) -> tuple[int, dict[bytes, bytes]]:
            found, claims = user_keys.find(client, self.prefix, own, name)
            return (client.delete(*found) if found else 0), claims

        deleted, claims = do(self._source, delete)
        freed = [
            self._run(scripts.FORGET, [claim], [subject, holders])
            for claim, holders in claims.items()
        ]
        return bool(deleted or any(freed))

    def purge(self, policy: Policy, *, batch: int = 1000) -> int:
        """Only look whether Redis answers: it deletes every key by itself when its TTL ends."""
        check_batch(batch)
        do(self._source, lambda client: client.ping())
        return 0

    def check(self) -> str:
        """Check that the server answers, is fit for the store, and can be written.

        :returns: what was found, in one line.
        :raises UnfitStore: with what was found instead, and what to do.
        :raises StoreError: if the server does not answer.
        """
        return check(self._source, self.prefix, allow_eviction=self._allow_eviction)

    def close(self) -> None:
        """Close the connections, unless the client was passed in."""
        if self._owns_client:
            self._source.close()

    @property
    def client(self) -> Client:
        """The client; one of a cluster is made when it is first asked for.

        :raises redis.RedisError: if that can't be done; or ``redis.RedisClusterException``.
        """
        return self._source.get()

    def _claim(self, request: IdempotencyKey, subject: str) -> encoding.KeyHolder | None:
        """Claim an idempotency key for a request; return its holder if that is another one."""
        values = [encoding.encode_duration(request.ttl), request.digest, subject]
        found = self._run(scripts.CLAIM, [self._claim_key(request.value)], values)
        return encoding.decode_holder(found)

    def _release_if_unused(self, work: Draft | Attempt, outcome: Outcome) -> Outcome:
        """Release the idempotency key if this call stored no answer; return the outcome."""
        request = work.request
        stored_before = outcome.repeated or outcome.reason is Reason.REQUEST_CONFLICT
        if request.chosen_by_caller and (stored_before or not request.caches(outcome.reason)):
            self._release(work)
        return outcome

    def _release(self, work: Draft | Attempt) -> None:
        request = work.request
        self._run(scripts.RELEASE, [self._claim_key(request.value)], [request.digest, work.subject])

    def _answer(self, request: IdempotencyKey, holder: encoding.KeyHolder) -> Outcome:
        """Return the answer to a request whose idempotency key is held already."""
        stored = self._stored_answer(request.value, holder)
        if stored is None:  # the script on its user's keys has not run, or never will
            stored = StoredAnswer(
                Outcome("", Reason.REQUEST_PENDING), holder.digest, holder.subject
            )
        return stored.answer(request)

    def _stored_answer(self, request: str, holder: encoding.KeyHolder) -> StoredAnswer | None:
        found = self._run(scripts.READ, [self._request_key(holder.subject, request)], [])
        return encoding.decode_answer(found, holder.subject)

    def _run(
        self, script: scripts.Script, keys: Sequence[str | bytes], values: Iterable[str | bytes]
    ) -> Any:
        now = "" if self._clock is None else encoding.encode_time(self._clock())
        # Sent as bytes, so that the encoding of a client that was passed in can't change them.
        sent = [encoding.encode_text(value) for value in (*keys, now, *values)]

        def run(client: Client) -> Any:
            try:
                return client.evalsha(script.sha, len(keys), *sent)
            except NoScriptError:  # after a restart, flush or failover; nothing has been done yet
                return client.eval(script.source, len(keys), *sent)

        return do(self._source, run)

    def _user_keys(self, work: Draft | Attempt) -> list[str]:
        return [
            self._limits_key(work.subject),
            self._challenges_key(work.subject, work.caller),
            self._request_key(work.subject, work.request.value),
        ]

    def _limits_key(self, subject: str) -> str:
        return f"{self._hash_tag(subject)}:limits"

    def _challenges_key(self, subject: str, caller: str) -> str:
        return f"{self._hash_tag(subject)}:challenges:{caller}"

    def _request_key(self, subject: str, request: str) -> str:
        return f"{self._hash_tag(subject)}:request:{request}"

    def _claim_key(self, request: str) -> str:
        return f"{self._hash_tag(request)}:claim"

    def _hash_tag(self, name: str) -> str:
        # The braces put all keys of a user into one slot of a cluster. A digest holds no brace, has
        # one length, and does not show who the user is.
        return f"{self.prefix}{{{hashlib.sha256(encoding.encode_text(name)).hexdigest()}}}"
