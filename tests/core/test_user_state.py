"""What a record of a user means is decided by the rules of a request, to the microsecond."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Channel, Draft
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.limits import EVERY_CLIENT, ClientLimits, CountedSend, UserLimits
from flask_otp_mpp.core.policy import DAY, Policy, SendLimit
from flask_otp_mpp.core.reasons import FOREVER
from flask_otp_mpp.core.rules import Reservation
from flask_otp_mpp.core.user_record import ChallengeRecord, UserRecord
from flask_otp_mpp.core.user_state import (
    OTHERS,
    CodeStatus,
    UserState,
    Wait,
    next_send,
    user_state,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND, MINUTE, MICROSECOND = timedelta(seconds=1), timedelta(minutes=1), timedelta(microseconds=1)
POLICY = Policy()
MOBILE, EMAIL = Channel.MOBILE, Channel.EMAIL


def sends(*seconds: float, client: str = "shop", channel: Channel = MOBILE) -> UserLimits:
    """Return limits with sends so many seconds ago."""
    ago = sorted(seconds, reverse=True)
    return UserLimits(sends=tuple(CountedSend(channel, client, NOW - one * SECOND) for one in ago))


def state(limits: UserLimits, *challenges: ChallengeRecord, policy: Policy = POLICY) -> UserState:
    record = UserRecord(NOW, limits, challenges)
    return user_state("ada", record, policy, lambda digest: f"<{digest}>")


def challenge(issued: float = 10, **changed: object) -> ChallengeRecord:
    """Return a challenge that was issued so many seconds ago."""
    at = NOW - issued * SECOND
    made = ChallengeRecord("id", "caller", MOBILE, at, at + POLICY.life, 5, 0, None, None)
    return replace(made, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "client", "seconds", "wait"),
    [
        (UserLimits(), "shop", None, None),
        (sends(45), "shop", None, None),
        (sends(10), "shop", 35, Wait.COOL_DOWN),
        (sends(10), OTHERS, None, None),
        (sends(10, 100, 200, 300, 400), "shop", 200, Wait.SEND_LIMIT),
        (sends(*range(50, 100, 5)), OTHERS, 505, Wait.SEND_LIMIT),
        (sends(10, channel=EMAIL), "shop", None, None),
        (sends(10, client=EVERY_CLIENT), "shop", 35, Wait.COOL_DOWN),
    ],
)
def test_the_next_send_is_told_with_what_it_waits_for(
    limits: UserLimits, client: str, seconds: int | None, wait: Wait | None
) -> None:
    """S2, A5: by client; a client at which nothing is counted waits for the limits of all."""
    at = None if seconds is None else NOW + seconds * SECOND
    assert next_send(limits, POLICY, NOW, MOBILE, client) == (at, wait)


def test_behind_the_end_of_a_lock_there_may_be_a_limit() -> None:
    """S2, A5: the first moment at which both are over."""
    locked = ClientLimits("shop", 0, 1, NOW + 2 * MINUTE, NOW + DAY)
    limits = replace(sends(10, 100, 200, 300, 301), clients=(locked,))
    assert next_send(limits, POLICY, NOW, MOBILE, "shop") == (
        NOW + 299 * SECOND,
        Wait.SEND_LIMIT,
    )
    limits = replace(sends(10), clients=(locked,))
    assert next_send(limits, POLICY, NOW, MOBILE, "shop") == (NOW + 2 * MINUTE, Wait.LOCK)


@given(
    ago=st.lists(st.integers(0, 700), max_size=12),
    locked=st.none() | st.integers(1, 900),
    limit=st.integers(3, 6),
)
def test_the_next_send_is_the_first_that_the_rules_grant(
    ago: list[int], locked: int | None, limit: int
) -> None:
    """S2, A5: at it a send is granted, and a microsecond before it is refused."""
    policy = replace(
        POLICY,
        send_limits=(SendLimit(limit, 10 * MINUTE), SendLimit(8, DAY)),
        user_send_limits=(SendLimit(limit + 2, 10 * MINUTE),),
    )
    clients: tuple[ClientLimits, ...] = ()
    if locked is not None:
        clients = (ClientLimits("shop", 0, 1, NOW + locked * SECOND, NOW + 2 * DAY),)
    limits = replace(sends(*ago), clients=clients)
    at, wait = next_send(limits, policy, NOW, MOBILE, "shop")

    def granted(now: datetime) -> bool:
        draft = Draft("id", "ada", "caller", "shop", MOBILE, b"", IdempotencyKey("key", MINUTE))
        decided = rules.reserve(draft, policy, now, limits=limits, open_challenges=())
        return isinstance(decided, Reservation)

    assert granted(at or NOW)
    assert (at is None) is (wait is None)
    assert at is None or not granted(at - MICROSECOND)


def test_a_disabled_user_waits_for_an_unlock_at_every_client() -> None:
    """A3: whichever client asks."""
    found = state(replace(sends(100), failures=50))
    assert found.disabled
    assert {(one.client, one.at, one.wait) for one in found.next_sends} == {
        (client, FOREVER, Wait.DISABLED) for client in ("<shop>", f"<{OTHERS}>")
    }


def test_only_what_counts_now_is_told() -> None:
    """A5: no lock that has ended, no failures that are forgotten, no send of the day before."""
    old = ClientLimits("old", 3, 0, None, NOW)
    ended = ClientLimits("ended", 0, 1, NOW, NOW + DAY)
    locked = ClientLimits("locked", 0, 1, NOW + SECOND, NOW + DAY)
    sent = sends(86400, 86399).sends
    found = state(UserLimits(3, (old, ended, locked), sent))
    assert [(one.client, one.locked_until) for one in found.clients] == [
        ("<ended>", None),
        ("<locked>", NOW + SECOND),
    ]
    assert [(one.client, one.at) for one in found.sends] == [("<shop>", sent[1].at)]
    assert not found.is_empty
    assert state(UserLimits(clients=(old,), sends=sent[:1])).is_empty


@pytest.mark.parametrize(
    ("changed", "status", "until"),
    [
        ({}, CodeStatus.OPEN, NOW + 290 * SECOND),
        ({"attempts": 5}, CodeStatus.TRIES_SPENT, NOW + 290 * SECOND),
        ({"issued": 300}, CodeStatus.EXPIRED, NOW),
        ({"attempts": 3, "used_at": NOW - SECOND}, CodeStatus.USED, NOW - SECOND),
        ({"closed_at": NOW - 9 * SECOND}, CodeStatus.NOT_DELIVERED, NOW - 9 * SECOND),
        ({"closed_at": NOW - 5 * SECOND}, CodeStatus.REPLACED, NOW - 5 * SECOND),
    ],
)
def test_it_is_told_how_a_code_has_ended(
    changed: dict[str, object], status: CodeStatus, until: datetime
) -> None:
    """A5: one that a newer one has closed, and one whose delivery was refused, are told apart."""
    old = challenge(**changed)  # type: ignore[arg-type]
    newer = challenge(5, id="newer")
    [found, _] = state(UserLimits(), old, newer).codes
    assert (found.status, found.until) == (status, until)


def test_a_code_is_told_with_the_client_of_its_send() -> None:
    """A5: as long as the send is counted, or was counted alone at that moment."""
    limits = UserLimits(sends=(*sends(10).sends, *sends(5, client="other").sends))
    codes = state(limits, challenge(10), challenge(5), challenge(3)).codes
    assert [one.client for one in codes] == ["<shop>", "<other>", None]
    both = UserLimits(sends=(*sends(10).sends, *sends(10, client="other").sends))
    assert [one.client for one in state(both, challenge(10)).codes] == [None]
