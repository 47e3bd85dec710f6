"""Redis keys: what they tell of a user, which cluster slot they share, and when they expire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.crc import key_slot

from flask_otp_mpp.core.challenge import Challenge, Channel
from flask_otp_mpp.core.limits import EVERY_CLIENT
from flask_otp_mpp.core.policy import DAY, Policy, Resend, SendLimit
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import (
    CLIENT,
    KEEP,
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    answer,
    attempt,
    draft,
    named,
    opened,
    refused,
)
from tests.stores.known_values import DETAIL, KNOWN, User, use_every_method
from tests.stores.redis_server import client, opened_store

pytestmark = pytest.mark.server


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def store(clock: FrozenClock) -> Iterator[RedisStore]:
    with opened_store(clock) as store:
        yield store


def keys(store: RedisStore) -> list[bytes]:
    with client() as aside:
        return list(aside.scan_iter(f"{store.prefix}*", count=1000))


STRANGE = [
    "ada",
    "Ada",
    "ada ",
    "",
    "{}",
    "a}b{c",
    "\x00",
    "äda",
    "a\u0308da",
    "\ud800",
    "*",
    "x" * 128,
]


def test_two_subjects_never_share_a_key(store: RedisStore) -> None:
    """L8: whatever characters they hold, no two users share a count or a challenge."""
    challenges = {name: opened(store, name) for name in STRANGE}
    assert len({key for key in keys(store) if key.endswith(b":limits")}) == len(STRANGE)
    for name, challenge in challenges.items():
        assert challenge.subject == name
        other = attempt(challenge.id, RIGHT, subject=f"{name}.")
        assert store.spend(other, POLICY).reason is Reason.CHALLENGE_UNKNOWN
        assert answer(store, challenge, RIGHT) is None


@pytest.mark.parametrize("challenge_id", ["latest:MOBILE", "id:", "\ud800", "a b", "\x00" * 64])
def test_a_strange_id_is_an_unknown_challenge(store: RedisStore, challenge_id: str) -> None:
    opened(store)
    asked = attempt(challenge_id, RIGHT)
    assert store.spend(asked, POLICY) == Outcome(challenge_id, Reason.CHALLENGE_UNKNOWN)
    own = draft("bob", challenge_id=challenge_id)
    reserved = store.reserve(own, POLICY)
    assert isinstance(reserved, Challenge)
    assert reserved.id == challenge_id
    assert answer(store, reserved, RIGHT) is None


def test_all_keys_of_a_script_share_a_slot(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster runs a script only then; different users have different slots."""
    calls: list[list[bytes]] = []
    evalsha = store.client.evalsha

    def recording(sha: str, count: int, *sent: bytes) -> Any:
        calls.append(list(sent[:count]))
        return evalsha(sha, count, *sent)

    monkeypatch.setattr(store.client, "evalsha", recording)
    for name in STRANGE:
        challenge = opened(store, name)
        answer(store, challenge, WRONG)
        store.unlock(name)
        asked = draft(name, channel=Channel.EMAIL, key=named())
        store.reserve(asked, POLICY)
        store.reserve(asked, POLICY)  # claims its key and releases it
        store.get_answer(asked.request.value)
    assert len(calls) == (4 + 2 + 3 + 2) * len(STRANGE)
    slots = [{key_slot(key) for key in sent} for sent in calls]
    assert {len(shared) for shared in slots} == {1}
    assert len(set().union(*slots)) > 1
    assert set(keys(store)) <= {key for sent in calls for key in sent}


def lifetimes(store: RedisStore) -> dict[str, float]:
    with client() as aside:
        return {
            key.decode().split("}:")[1].split(":")[0]: int(aside.pttl(key)) / 1000
            for key in keys(store)
        }


def test_every_key_is_kept_as_long_as_it_matters_and_at_most_a_minute_longer(
    store: RedisStore, clock: FrozenClock
) -> None:
    """T5: Redis itself deletes what can no longer change any answer."""
    policy = Policy(
        life=timedelta(seconds=200),
        retention=timedelta(minutes=30),
        cool_down=timedelta(),
        send_limits=(SendLimit(5, timedelta(hours=1)),),
        failure_limit=2,
        forget_after=DAY,
    )

    def assert_ttl(**seconds: float) -> None:
        found = lifetimes(store)
        assert found.keys() == seconds.keys()
        for name, wanted in seconds.items():
            assert wanted <= found[name] <= wanted + 60, name

    challenge = opened(store, policy=policy)
    assert_ttl(limits=3600, challenges=2000, request=KEEP.total_seconds())
    for _ in range(2):
        answer(store, challenge, WRONG, policy=policy)
        found = lifetimes(store)
        assert found.pop("limits") < 0  # failures in a row have no end in time
        assert found.keys() == {"challenges", "request"}
    store.unlock("alice")
    assert_ttl(limits=15 * 60 + 86400, challenges=2000, request=KEEP.total_seconds())
    answer(store, challenge, WRONG, policy=policy)
    answer(store, challenge, RIGHT, policy=policy)
    assert_ttl(limits=3600, challenges=2000, request=KEEP.total_seconds())


def test_what_older_versions_stored_counts_for_each_client(
    store: RedisStore, clock: FrozenClock
) -> None:
    """T6, A2: the lock and the sends of a hash that names no clients stay in force."""
    now = (clock.now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    locked_until = now + 3_600_000_000
    hashes: dict[str, dict[Any, Any]] = {
        "locked": {"failures": 3, "locks": 1, "locked_until": locked_until,
                   "forget_at": locked_until, "sends": ""},
        "sent": {"failures": 0, "locks": 0, "locked_until": "", "forget_at": "",
                 "sends": f"MOBILE@{now - 60_000_000} MOBILE@{now - 1_000_000}"},
    }  # fmt: skip
    with client() as aside:
        for name, fields in hashes.items():
            aside.hset(store._limits_key(name), mapping=fields)
    for number in (1, 2):
        assert refused(store, "locked", client=f"client {number}").until == (
            clock.now + timedelta(hours=1)
        )
        assert refused(store, "sent", client=f"client {number}").until == (
            clock.now + POLICY.cool_down - timedelta(seconds=1)
        )
    opened(store, "sent", channel=Channel.EMAIL)
    assert refused(store, "sent", client="third").reason is Reason.SEND_LIMITED
    assert {sent.client for sent in store.look_up("sent").limits.sends} == {EVERY_CLIENT, CLIENT}
    assert store.unlock("locked", [CLIENT])  # it ends the lock there, and so at all others
    opened(store, "locked")
    with client() as aside:
        for name in hashes:
            written = set(aside.hkeys(store._limits_key(name)))
            assert written == {b"failures", b"clients", b"sends", b"keep_until"}


def test_every_key_has_a_ttl(store: RedisStore, clock: FrozenClock) -> None:
    """T5: whichever method wrote it, and whatever was called before."""
    asked = draft("bob")
    store.settle(asked, Outcome(asked.id))  # its reservation was lost
    store.spend(attempt("nothing", RIGHT), POLICY)
    store.unlock("nobody")
    assert keys(store) == []
    lost = draft("bob", key=named())
    store.settle(lost, Outcome(lost.id))
    store.reserve(draft("ned", key=named()), POLICY)
    store.spend(attempt("nothing", RIGHT, key=named()), POLICY)
    assert len(keys(store)) == 4 + 2
    for challenge in (opened(store), opened(store, "eve")):
        refused(store)
        answer(store, challenge, WRONG)
        store.unlock(challenge.subject)
    with client() as aside:
        assert all(aside.pttl(key) > 0 for key in keys(store))


def test_only_the_limits_of_a_user_with_failures_in_a_row_have_no_ttl(store: RedisStore) -> None:
    """A3, T5: they are kept until a success or an unlock."""
    for name in ("alice", "bob"):
        answer(store, opened(store, name), WRONG)
    assert [name for name, seconds in lifetimes(store).items() if seconds < 0] == ["limits"]
    store.unlock("alice")
    answer(store, opened(store, "bob", channel=Channel.EMAIL), RIGHT)
    assert all(seconds > 0 for seconds in lifetimes(store).values())


def test_the_limits_of_a_user_who_is_unlocked_after_a_year_expire(
    store: RedisStore, clock: FrozenClock
) -> None:
    """T5: they would have been deleted long ago if there had been no failures."""
    answer(store, opened(store), WRONG)
    clock.forward(days=365)
    assert store.unlock("alice")
    assert 0 < lifetimes(store)["limits"] <= 60


def test_expired_challenges_are_deleted_from_their_hash(
    store: RedisStore, clock: FrozenClock
) -> None:
    """T5: a user who sends again and again does not fill the hash without end."""
    for _ in range(200):
        opened(store, policy=QUICK)
        clock.forward(hours=1)
    (challenges,) = (key for key in keys(store) if b":challenges:" in key)
    with client() as aside:
        assert 25 <= aside.hlen(challenges) <= 64
    assert answer(store, opened(store), RIGHT) is None


@pytest.mark.parametrize("resend", list(Resend))
def test_no_secret_is_in_any_key_or_value(
    store: RedisStore, clock: FrozenClock, resend: Resend
) -> None:
    """P1, P2, P4: known values go through every method, and Redis is searched for them."""
    codes = use_every_method(store, clock, resend)
    with client() as aside:
        stored = b"\n".join(
            part
            for key in keys(store)
            for part in (key, aside.dump(key) or b"", *sum(aside.hgetall(key).items(), ()))
        )
    assert DETAIL.encode() in stored  # so the search finds what is there
    for secret in (*KNOWN, User.id, *codes):
        assert secret.encode() not in stored
    for code in codes:
        assert int(code).to_bytes(8) not in stored
        assert int(code).to_bytes(8, "little") not in stored
