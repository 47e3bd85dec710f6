"""Idempotency keys in Redis: claimed first, and released if no answer is stored under them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from threading import Event, Thread
from typing import Any

import pytest
import redis

from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.idempotency import NOT_COUNTED, StoredAnswer
from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores.redis.scripts import FORGET, RESERVE
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import (
    KEEP,
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    attempt,
    draft,
    named,
    opened,
)
from tests.stores.redis_server import client, opened_store

pytestmark = pytest.mark.server

CONFLICT = Outcome("", Reason.REQUEST_CONFLICT)
PENDING = Outcome("", Reason.REQUEST_PENDING, repeated=True)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def store(clock: FrozenClock) -> Iterator[RedisStore]:
    with opened_store(clock) as store:
        yield store


@pytest.fixture
def aside() -> Iterator[redis.Redis]:
    with client() as aside:
        yield aside


@pytest.fixture
def before(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that runs an action before the store's script of that number (from 0)."""

    def arm(number: int, act: Callable[[], object]) -> None:
        monkeypatch.undo()
        evalsha, numbers = store.client.evalsha, count()

        def called(*sent: Any) -> Any:
            if next(numbers) == number:
                act()
            return evalsha(*sent)

        monkeypatch.setattr(store.client, "evalsha", called)

    return arm


def broken() -> None:
    raise redis.ConnectionError("the process ended here")


def hashes(store: RedisStore, aside: redis.Redis) -> dict[bytes, Any]:
    keys = aside.scan_iter(f"{store.prefix}*", count=1000)
    return {key: aside.hgetall(key) for key in keys}


def test_a_chosen_idempotency_key_costs_few_round_trips(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S10: one more than without, and one more if the key is released."""
    evalsha, trips = store.client.evalsha, 0

    def counted(*sent: Any) -> Any:
        nonlocal trips
        trips += 1
        return evalsha(*sent)

    monkeypatch.setattr(store.client, "evalsha", counted)

    def cost(verb: Callable[..., object], *arguments: object) -> int:
        nonlocal trips
        trips = 0
        verb(*arguments)
        return trips

    for asked, more in ((draft("bob"), 0), (draft(key=named()), 1)):
        key = named() if more else None
        wrong = attempt(asked.id, WRONG, subject=asked.subject, key=key)
        assert cost(store.reserve, asked, POLICY) == 1 + more
        assert cost(store.settle, asked, Outcome(asked.id)) == 1 + more
        assert cost(store.spend, wrong, POLICY) == 1 + more
    known, new = asked.request, named()
    assert cost(store.get_answer, new.value) == 1
    assert cost(store.get_answer, known.value) == 2
    unknown = attempt("unknown", RIGHT, key=named(not_cached=NOT_COUNTED))
    assert cost(store.spend, unknown, POLICY) == 3


@pytest.mark.parametrize("subject", ["alice", "bob"])
def test_a_conflict_writes_nothing(store: RedisStore, aside: redis.Redis, subject: str) -> None:
    """S1, S10: no send is counted and no challenge is closed, not even for a moment."""
    known = opened(store, subject, policy=QUICK)
    asked = draft(key=named())
    store.reserve(asked, QUICK)
    was = hashes(store, aside)
    other = replace(asked.request, digest="other")
    assert store.reserve(draft(subject, key=other), QUICK) == CONFLICT
    assert store.spend(attempt(known.id, WRONG, subject=subject, key=other), QUICK) == CONFLICT
    assert hashes(store, aside) == was


def test_a_key_is_claimed_before_anything_is_decided(
    store: RedisStore, before: Callable[..., None]
) -> None:
    """S10: a request between the two steps finds the key claimed; the first one goes on."""
    asked = draft(key=named())
    between: list[object] = []
    other = replace(asked.request, digest="other")

    def interrupt() -> None:
        between.append(store.get_answer(asked.request.value))
        between.append(store.reserve(draft("bob", key=other), POLICY))
        between.append(store.reserve(draft("bob", key=asked.request), POLICY))

    before(1, interrupt)
    assert isinstance(store.reserve(asked, POLICY), Challenge)
    assert between == [None, CONFLICT, PENDING]
    assert isinstance(store.reserve(draft("bob"), POLICY), Challenge)


@pytest.mark.parametrize("claim_only", [True, False])
def test_a_repeat_finds_a_send_that_was_cut_off(
    store: RedisStore, before: Callable[..., None], claim_only: bool
) -> None:
    """S4, S10: no message was sent yet, so the repeat may send one if nothing was reserved."""
    asked = draft(key=named())
    before(1 if claim_only else 2, broken)
    if claim_only:
        with pytest.raises(StoreError):
            store.reserve(asked, POLICY)
    else:
        assert isinstance(store.reserve(asked, POLICY), Challenge)
    before(9, broken)
    pending = StoredAnswer(Outcome(asked.id, Reason.REQUEST_PENDING), asked.request.digest, "alice")
    assert store.get_answer(asked.request.value) == (None if claim_only else pending)
    again = store.reserve(asked, POLICY)
    assert isinstance(again, Challenge) is claim_only
    assert store.get_answer(asked.request.value) == pending
    other = replace(asked.request, digest="other")
    assert store.reserve(draft("bob", key=other), POLICY) == CONFLICT


def test_another_user_with_the_same_key_is_sent_nothing(store: RedisStore) -> None:
    """S1, S10: the user of a token may change; the answer to the first request stays."""
    asked = draft(key=named())
    store.reserve(asked, POLICY)
    foreign = draft("bob", key=asked.request)
    pending = Outcome(asked.id, Reason.REQUEST_PENDING, repeated=True)
    assert store.reserve(foreign, POLICY) == pending
    store.settle(asked, Outcome(asked.id))
    assert store.reserve(foreign, POLICY) == Outcome(asked.id, repeated=True)
    assert isinstance(store.reserve(draft("bob"), POLICY), Challenge)


def test_a_key_is_free_again_if_no_answer_is_stored(store: RedisStore, aside: redis.Redis) -> None:
    """S10: no trace of it is left, neither with the user nor under the key."""
    spent = attempt("unknown", RIGHT, key=named(not_cached=NOT_COUNTED))
    assert store.spend(spent, POLICY).reason is Reason.CHALLENGE_UNKNOWN
    assert hashes(store, aside) == {}
    asked = draft(key=named(not_cached=frozenset({Reason.DELIVERY_REFUSED})))
    store.reserve(asked, QUICK)
    for _ in range(3):  # each has claimed the key and released it
        store.reserve(asked, QUICK)
    store.settle(asked, Outcome(asked.id, Reason.DELIVERY_REFUSED))
    assert not [key for key in hashes(store, aside) if b":request:" in key or b":claim" in key]
    other = replace(asked.request, digest="other")
    assert isinstance(store.reserve(draft("bob", key=other), QUICK), Challenge)


def test_a_key_is_not_released_while_another_request_holds_it(
    store: RedisStore, clock: FrozenClock, before: Callable[..., None]
) -> None:
    """S10: the same request twice at once: one is refused, the answer of the other is stored."""
    opened(store)
    key = named(not_cached=frozenset({Reason.SEND_LIMITED}))
    asked = draft(key=key)

    def interrupt() -> None:
        clock.now += POLICY.cool_down
        assert isinstance(store.reserve(asked, POLICY), Challenge)

    before(2, interrupt)  # which is before the key is released
    limited = store.reserve(draft(key=key), POLICY)
    assert isinstance(limited, Outcome)
    assert limited.reason is Reason.SEND_LIMITED
    pending = Outcome(asked.id, Reason.REQUEST_PENDING)
    assert store.get_answer(key.value) == StoredAnswer(pending, key.digest, "alice")


def test_a_key_that_another_request_has_claimed_meanwhile_is_not_released(
    store: RedisStore,
) -> None:
    """T4: the server lost all its data while a message was being delivered."""
    asked = draft(key=named(not_cached=frozenset({Reason.DELIVERY_REFUSED})))
    second = draft("bob", key=replace(asked.request, digest="other"))
    store.reserve(second, POLICY)
    store.settle(asked, Outcome(asked.id, Reason.DELIVERY_REFUSED))
    store.settle(asked, Outcome(asked.id))
    pending = Outcome(second.id, Reason.REQUEST_PENDING)
    assert store.get_answer(asked.request.value) == StoredAnswer(pending, "other", "bob")


def test_a_request_that_is_forgotten_while_it_claims_its_key_is_sent_once(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S10, X9: it may lose the claim until it ends, so another request may have the key as well."""
    first, again, other, repeat = (
        draft(subject, key=named("key")) for subject in ("alice", "alice", "bob", "alice")
    )
    store.reserve(first, POLICY)
    evalsha, deleted, stored = store.client.evalsha, Event(), Event()

    def called(sha: str, *sent: Any) -> Any:
        if sha == RESERVE.sha and not deleted.is_set():
            forgetting.start()
            assert deleted.wait(5)
        if sha == FORGET.sha:
            deleted.set()
            assert stored.wait(5)
        return evalsha(sha, *sent)

    monkeypatch.setattr(store.client, "evalsha", called)
    forgetting = Thread(target=store.forget, args=("alice",))
    assert isinstance(store.reserve(again, POLICY), Challenge)
    stored.set()
    forgetting.join(5)
    assert store.get_answer("key") is None
    assert store.reserve(repeat, POLICY) == replace(PENDING, challenge_id=again.id)
    store.settle(again, Outcome(again.id))
    assert store.reserve(other, POLICY) == Outcome(again.id, repeated=True)


def test_a_claim_is_kept_as_long_as_the_answer(store: RedisStore, aside: redis.Redis) -> None:
    """T5: it is stored for that long, and prolonged with the answer."""

    def all_kept() -> bool:
        found = [key for key in hashes(store, aside) if b":request:" in key or b":claim" in key]
        length = KEEP.total_seconds()
        return len(found) > 0 and all(
            length < aside.pttl(key) / 1000 <= length + 60 for key in found
        )

    asked = draft(key=named())
    store.reserve(asked, POLICY)
    assert all_kept()
    for key in hashes(store, aside):
        if b":limits" not in key:
            aside.pexpire(key, 5000)
    assert not all_kept()
    store.settle(asked, Outcome(asked.id))
    assert all_kept()
    store.spend(attempt(asked.id, RIGHT, key=named()), POLICY)
    assert all_kept()


def test_an_answer_of_a_version_without_digests_has_none(
    store: RedisStore, aside: redis.Redis
) -> None:
    """S10: while nodes are upgraded one by one, repeats without a chosen key are answered."""
    asked = draft()
    store.reserve(asked, POLICY)
    (key,) = (key for key in hashes(store, aside) if b":request:" in key)
    aside.hdel(key, "digest")
    pending = Outcome(asked.id, Reason.REQUEST_PENDING, repeated=True)
    assert store.reserve(asked, POLICY) == pending
    same = replace(asked.request, digest="digest")
    assert store.reserve(draft(key=same), POLICY) == CONFLICT


@pytest.mark.parametrize("subject", ["", "{}", "a}b{c", "\x00", "\ud800", "*", "x" * 128])
def test_a_claim_tells_its_user_exactly(store: RedisStore, subject: str) -> None:
    """L8: so that a key leads to the user to whom the code was sent."""
    asked = draft(subject, key=named())
    store.reserve(asked, POLICY)
    record = store.get_answer(asked.request.value)
    assert record is not None
    assert record.subject == subject
    assert store.get_answer(subject) is None


def test_only_a_claim_holds_the_user(store: RedisStore, aside: redis.Redis) -> None:
    """P2: it must, because a code comes back without a token; no key and no other value does."""
    asked = draft("u-4711", key=named())
    store.reserve(asked, POLICY)
    store.settle(asked, Outcome(asked.id))
    found = hashes(store, aside)
    assert not [key for key in found if b"u-4711" in key]
    (holding,) = [key for key, value in found.items() if b"u-4711" in b" ".join(value.values())]
    digest = hashlib.sha256(asked.request.value.encode()).hexdigest()
    assert holding == f"{store.prefix}{{{digest}}}:claim".encode()
