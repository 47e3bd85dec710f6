"""A name has a key of its own, which is taken first and given back if nothing is kept under it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import redis

from flask_otp_mpp.core.challenge import UNCOMPARED, Challenge, Outcome, StoredAnswer
from flask_otp_mpp.core.ports import StoreError
from flask_otp_mpp.core.reasons import Reason
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

CONFLICT = Outcome("", Reason.REQUEST_CONFLICT)
PENDING = Outcome("", Reason.REQUEST_PENDING, repeated=True)
REFUSAL = Outcome("", Reason.TOKEN_EXPIRED, "a detail")


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
    """Do something before the store runs its next script but so many."""

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


def held(store: RedisStore, aside: redis.Redis) -> dict[bytes, Any]:
    keys = aside.scan_iter(f"{store._prefix}*", count=1000)
    return {key: aside.hgetall(key) for key in keys}


def test_a_named_verb_takes_few_round_trips(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S10: one more than an unnamed one, and another one if its name is given back."""
    run, trips = store._run, 0

    def counted(*asked: Any) -> Any:
        nonlocal trips
        trips += 1
        return run(*asked)

    monkeypatch.setattr(store, "_run", counted)

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
    assert cost(store.put_answer, new, REFUSAL) == 1
    assert cost(store.put_answer, new, REFUSAL) == 1
    assert cost(store.put_answer, known, REFUSAL) == 2
    unknown = attempt("unknown", RIGHT, key=named(not_cached=UNCOMPARED))
    assert cost(store.spend, unknown, POLICY) == 3


@pytest.mark.parametrize("subject", ["alice", "bob"])
def test_a_conflict_has_written_nothing(
    store: RedisStore, aside: redis.Redis, subject: str
) -> None:
    """S1, S10: no quota is counted, no challenge closed, not even for a moment."""
    known = opened(store, subject, policy=QUICK)
    asked = draft(key=named())
    store.reserve(asked, QUICK)
    was = held(store, aside)
    other = replace(asked.request, digest="other")
    assert store.reserve(draft(subject, key=other), QUICK) == CONFLICT
    assert store.spend(attempt(known.id, WRONG, subject=subject, key=other), QUICK) == CONFLICT
    assert store.put_answer(other, REFUSAL) == CONFLICT
    assert held(store, aside) == was


def test_a_user_without_a_name_is_not_nobody(store: RedisStore) -> None:
    """L8: an empty name is a name; what was refused before a user was known is not theirs."""
    refused, granted = named(), named()
    store.put_answer(refused, REFUSAL)
    known = opened(store, "")
    again = replace(REFUSAL, repeated=True)
    assert store.reserve(draft("", key=refused), QUICK) == again
    assert store.spend(attempt(known.id, RIGHT, subject="", key=refused), QUICK) == again
    asked = draft("", key=granted)
    assert isinstance(store.reserve(asked, QUICK), Challenge)
    pending = Outcome(asked.id, Reason.REQUEST_PENDING, repeated=True)
    assert store.put_answer(granted, REFUSAL) == pending


def test_a_name_is_taken_before_anything_is_decided(
    store: RedisStore, before: Callable[..., None]
) -> None:
    """S10: who comes between the two steps finds the name taken, and the first goes on."""
    asked = draft(key=named())
    between: list[object] = []
    other = replace(asked.request, digest="other")

    def come_between() -> None:
        between.append(store.get_answer(asked.request.value))
        between.append(store.reserve(draft("bob", key=other), POLICY))
        between.append(store.put_answer(asked.request, REFUSAL))

    before(1, come_between)
    assert isinstance(store.reserve(asked, POLICY), Challenge)
    assert between == [None, CONFLICT, PENDING]
    assert isinstance(store.reserve(draft("bob"), POLICY), Challenge)


@pytest.mark.parametrize("name_only", [True, False])
def test_a_send_that_broke_off_is_found_by_its_repeat(
    store: RedisStore, before: Callable[..., None], name_only: bool
) -> None:
    """S4, S10: no message went out by then, so one may, if nothing was reserved."""
    asked = draft(key=named())
    before(1 if name_only else 2, broken)
    if name_only:
        with pytest.raises(StoreError):
            store.reserve(asked, POLICY)
    else:
        assert isinstance(store.reserve(asked, POLICY), Challenge)
    before(9, broken)
    pending = StoredAnswer(Outcome(asked.id, Reason.REQUEST_PENDING), asked.request.digest, "alice")
    assert store.get_answer(asked.request.value) == (None if name_only else pending)
    again = store.reserve(asked, POLICY)
    assert isinstance(again, Challenge) is name_only
    assert store.get_answer(asked.request.value) == pending
    other = replace(asked.request, digest="other")
    assert store.reserve(draft("bob", key=other), POLICY) == CONFLICT


def test_another_user_under_the_same_request_is_sent_nothing(store: RedisStore) -> None:
    """S1, S10: whom a token stands for may change; the first coming's answer stands."""
    asked = draft(key=named())
    store.reserve(asked, POLICY)
    foreign = draft("bob", key=asked.request)
    pending = Outcome(asked.id, Reason.REQUEST_PENDING, repeated=True)
    assert store.reserve(foreign, POLICY) == pending
    store.settle(asked, Outcome(asked.id))
    assert store.reserve(foreign, POLICY) == Outcome(asked.id, repeated=True)
    assert isinstance(store.reserve(draft("bob"), POLICY), Challenge)


def test_a_name_is_free_again_if_nothing_is_kept(store: RedisStore, aside: redis.Redis) -> None:
    """S10: neither with the user nor under the name is there a trace."""
    spent = attempt("unknown", RIGHT, key=named(not_cached=UNCOMPARED))
    assert store.spend(spent, POLICY).reason is Reason.CHALLENGE_UNKNOWN
    assert held(store, aside) == {}
    asked = draft(key=named(not_cached=frozenset({Reason.DELIVERY_REFUSED})))
    store.reserve(asked, QUICK)
    for _ in range(3):  # each has taken the name, and has given it back
        store.reserve(asked, QUICK)
    store.settle(asked, Outcome(asked.id, Reason.DELIVERY_REFUSED))
    assert not [key for key in held(store, aside) if b":request:" in key or b":name" in key]
    other = replace(asked.request, digest="other")
    assert isinstance(store.reserve(draft("bob", key=other), QUICK), Challenge)


def test_a_name_is_not_given_back_under_somebodys_feet(
    store: RedisStore, clock: FrozenClock, before: Callable[..., None]
) -> None:
    """S10: the same request twice at once: one is refused, the other is remembered."""
    opened(store)
    key = named(not_cached=frozenset({Reason.SEND_LIMITED}))
    asked = draft(key=key)

    def come_between() -> None:
        clock.now += POLICY.cool_down
        assert isinstance(store.reserve(asked, POLICY), Challenge)

    before(2, come_between)  # which is before the name is given back
    limited = store.reserve(draft(key=key), POLICY)
    assert isinstance(limited, Outcome)
    assert limited.reason is Reason.SEND_LIMITED
    pending = Outcome(asked.id, Reason.REQUEST_PENDING)
    assert store.get_answer(key.value) == StoredAnswer(pending, key.digest, "alice")


def test_a_name_that_was_lost_and_found_by_another_is_not_given_back(store: RedisStore) -> None:
    """T4: the server forgot everything while a message was under way, and went on."""
    asked = draft(key=named(not_cached=frozenset({Reason.DELIVERY_REFUSED})))
    found = draft("bob", key=replace(asked.request, digest="other"))
    store.reserve(found, POLICY)
    store.settle(asked, Outcome(asked.id, Reason.DELIVERY_REFUSED))
    store.settle(asked, Outcome(asked.id))
    pending = Outcome(found.id, Reason.REQUEST_PENDING)
    assert store.get_answer(asked.request.value) == StoredAnswer(pending, "other", "bob")


def test_a_name_lives_as_long_as_what_is_known_of_it(store: RedisStore, aside: redis.Redis) -> None:
    """T5: it is made for that long, and prolonged with it."""

    def lives() -> bool:
        found = [key for key in held(store, aside) if b":request:" in key or b":name" in key]
        length = KEEP.total_seconds()
        return len(found) > 0 and all(
            length < aside.pttl(key) / 1000 <= length + 60 for key in found
        )

    refused = named()
    store.put_answer(refused, REFUSAL)
    assert lives()
    asked = draft(key=named())
    store.reserve(asked, POLICY)
    assert lives()
    for key in held(store, aside):
        if b":limits" not in key:
            aside.pexpire(key, 5000)
    assert not lives()
    aside.delete(store._name(refused.value))
    store.settle(asked, Outcome(asked.id))
    assert lives()
    store.spend(attempt(asked.id, RIGHT, key=named()), POLICY)
    assert lives()


def test_a_record_of_before_digests_is_one_without(store: RedisStore, aside: redis.Redis) -> None:
    """S10: while nodes are upgraded one after another; unnamed requests are answered on."""
    asked = draft()
    store.reserve(asked, POLICY)
    (key,) = (key for key in held(store, aside) if b":request:" in key)
    aside.hdel(key, "digest")
    pending = Outcome(asked.id, Reason.REQUEST_PENDING, repeated=True)
    assert store.reserve(asked, POLICY) == pending
    same = replace(asked.request, digest="digest")
    assert store.reserve(draft(key=same), POLICY) == CONFLICT


@pytest.mark.parametrize("subject", ["", "{}", "a}b{c", "\x00", "\ud800", "*", "x" * 128])
def test_a_name_tells_its_user_to_the_letter(store: RedisStore, subject: str) -> None:
    """L8: so that the one who is asked for by a name is the one who was sent the code."""
    asked = draft(subject, key=named())
    store.reserve(asked, POLICY)
    record = store.get_answer(asked.request.value)
    assert record is not None
    assert record.subject == subject
    assert store.get_answer(subject) is None


def test_only_a_name_says_who_the_user_is(store: RedisStore, aside: redis.Redis) -> None:
    """P2: it must, for a code comes back without a token; no key and nothing else does."""
    asked = draft("u-4711", key=named())
    store.reserve(asked, POLICY)
    store.settle(asked, Outcome(asked.id))
    found = held(store, aside)
    assert not [key for key in found if b"u-4711" in key]
    saying = [key for key, value in found.items() if b"u-4711" in b" ".join(value.values())]
    assert saying == [store._name(asked.request.value).encode()]
