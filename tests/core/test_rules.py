"""What a challenge does at each of its ends is decided by pure functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel, Draft
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.limits import EVERY_CLIENT, ClientLimits, CountedSend, UserLimits
from flask_otp_mpp.core.policy import DAY, Policy, Resend
from flask_otp_mpp.core.reasons import FOREVER, Outcome, Reason
from flask_otp_mpp.core.rules import CountedAttempt, Reservation

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = Policy()
REUSE = Policy(resend=Resend.REUSE)
REQUEST = IdempotencyKey("request", timedelta(minutes=10))
RIGHT, WRONG = b"right", b"wrong"


def reserve(
    challenge_id: str = "new",
    *,
    policy: Policy = POLICY,
    now: datetime = NOW,
    limits: UserLimits | None = None,
    usable: tuple[Challenge, ...] = (),
) -> Reservation | Outcome:
    draft = Draft(challenge_id, "user", "caller", "client", Channel.MOBILE, RIGHT, REQUEST)
    return rules.reserve(draft, policy, now, limits=limits or UserLimits(), open_challenges=usable)


def opened(challenge_id: str = "old", policy: Policy = POLICY, now: datetime = NOW) -> Challenge:
    reserved = reserve(challenge_id, policy=policy, now=now)
    assert isinstance(reserved, Reservation)
    return reserved.challenge


def spend(
    challenge: Challenge | None,
    *digests: bytes,
    now: datetime = NOW,
    limits: UserLimits | None = None,
    subject: str = "user",
    caller: str = "caller",
) -> CountedAttempt | Outcome:
    attempt = Attempt("old", subject, caller, "client", digests, REQUEST)
    return rules.spend(attempt, POLICY, now, limits=limits or UserLimits(), challenge=challenge)


def locked_until(end: datetime, client: str = "client") -> UserLimits:
    return UserLimits(clients=(ClientLimits(client, 0, 1, end, end + DAY),))


def with_failures(number: int) -> UserLimits:
    return UserLimits(number, (ClientLimits("client", number, 0, None, NOW + DAY),))


def reason(decided: CountedAttempt | Outcome) -> Reason | None:
    return decided.outcome.reason if isinstance(decided, CountedAttempt) else decided.reason


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, None),
        (299, None),
        (300, Reason.CHALLENGE_EXPIRED),
        (301, Reason.CHALLENGE_EXPIRED),
    ],
)
def test_a_code_lives_to_the_second(seconds: int, expected: Reason | None) -> None:
    """L4: accepted one second before the end, refused at it."""
    assert reason(spend(opened(), RIGHT, now=NOW + seconds * SECOND)) is expected


def test_a_code_still_lives_in_its_last_microsecond() -> None:
    """L4: the end itself is the first moment that is refused."""
    end = opened().expires_at
    assert reason(spend(opened(), RIGHT, now=end - timedelta(microseconds=1))) is None
    assert reason(spend(opened(), RIGHT, now=end)) is Reason.CHALLENGE_EXPIRED


@pytest.mark.parametrize("wrong", range(7))
def test_five_tries_are_compared_and_the_sixth_is_not(wrong: int) -> None:
    """A10, A6: right at the fifth try is right, right at the sixth is too late."""
    challenge = opened()
    for _ in range(min(wrong, 5)):
        spent = spend(challenge, WRONG)
        assert isinstance(spent, CountedAttempt)
        assert spent.outcome.reason is Reason.CODE_UNMATCHED
        challenge = spent.challenge
    if wrong > 5:
        assert reason(spend(challenge, WRONG)) is Reason.TRIES_SPENT
    expected = None if wrong < 5 else Reason.TRIES_SPENT
    assert reason(spend(challenge, RIGHT)) is expected


def test_a_code_is_used_once() -> None:
    """L5: the right code, again, is refused; another one is told from it."""
    first = spend(opened(), RIGHT)
    assert isinstance(first, CountedAttempt)
    assert first.outcome.reason is None
    assert first.challenge.used_at == NOW
    again = spend(first.challenge, RIGHT)
    assert again == Outcome("old", Reason.CHALLENGE_USED)
    assert spend(first.challenge, WRONG) == Outcome("old", Reason.USED_UNMATCHED)


@pytest.mark.parametrize("limits", [UserLimits(), locked_until(NOW + SECOND)])
@pytest.mark.parametrize(
    ("subject", "caller"), [("other", "caller"), ("user", "other"), ("other", "other")]
)
def test_a_foreign_claim_learns_and_spends_nothing(
    subject: str, caller: str, limits: UserLimits
) -> None:
    """L8: the answer is that of an unknown id, whatever the challenge is; nothing changes."""
    used = replace(opened(), used_at=NOW)
    for challenge in (opened(), used, None):
        decided = spend(challenge, RIGHT, subject=subject, caller=caller, limits=limits)
        assert decided == Outcome("old", Reason.CHALLENGE_UNKNOWN)


def test_a_locked_user_compares_nothing() -> None:
    """A2: the right code fails during a lock, and succeeds after it while it lives."""
    locked = locked_until(NOW + 60 * SECOND)
    assert spend(opened(), RIGHT, limits=locked) == Outcome(
        "old", Reason.USER_LOCKED, until=NOW + 60 * SECOND
    )
    assert reason(spend(opened(), RIGHT, limits=locked, now=NOW + 60 * SECOND)) is None


def test_the_try_that_starts_a_lock_says_until_when() -> None:
    """A5: the end is told with the wrong code that caused it, and with no other."""
    spent = spend(opened(), WRONG, limits=with_failures(9))
    assert isinstance(spent, CountedAttempt)
    assert spent.outcome.until == NOW + timedelta(minutes=15)
    earlier = spend(opened(), WRONG, limits=with_failures(8))
    assert isinstance(earlier, CountedAttempt)
    assert earlier.outcome.until is None


def test_a_malformed_code_counts_like_a_wrong_one() -> None:
    """L11: no digest, no match, but a try and a failure."""
    spent = spend(opened())
    assert isinstance(spent, CountedAttempt)
    assert spent.outcome.reason is Reason.CODE_UNMATCHED
    assert spent.challenge.attempts == 1
    assert spent.limits.failures == 1


@given(st.lists(st.sampled_from([RIGHT, WRONG, b"", b"rightright"]), max_size=4))
def test_any_pepper_may_be_the_one_that_matches(digests: list[bytes]) -> None:
    spent = spend(opened(), *digests)
    assert isinstance(spent, CountedAttempt)
    assert (spent.outcome.reason is None) is (RIGHT in digests)


def test_a_success_pardons_and_a_new_code_does_not() -> None:
    """A2, A4: failures survive a send and end with a right code."""
    limits = with_failures(4)
    reserved = reserve(limits=limits)
    assert isinstance(reserved, Reservation)
    assert replace(reserved.limits, sends=()) == limits
    spent = spend(opened(), RIGHT, limits=limits)
    assert isinstance(spent, CountedAttempt)
    assert spent.limits == UserLimits()


def test_a_lock_at_another_client_changes_nothing() -> None:
    """C2: the user is sent codes, and may enter them, wherever no codes were wrong."""
    elsewhere = locked_until(NOW + 60 * SECOND, "another client")
    assert isinstance(reserve(limits=elsewhere), Reservation)
    assert reason(spend(opened(), RIGHT, limits=elsewhere)) is None


def test_what_older_versions_have_locked_is_locked_at_every_client() -> None:
    """T6: they did not store at which client the codes were wrong."""
    everywhere = locked_until(NOW + 60 * SECOND, EVERY_CLIENT)
    assert reason(spend(opened(), RIGHT, limits=everywhere)) is Reason.USER_LOCKED
    sends = UserLimits(sends=(CountedSend(Channel.MOBILE, EVERY_CLIENT, NOW),))
    assert reserve(limits=sends) == Outcome(
        "new", Reason.SEND_LIMITED, until=NOW + POLICY.cool_down
    )


def test_an_unlock_at_one_client_ends_what_older_versions_have_counted_for_each() -> None:
    """A5: the user must be free there; what is of another client stays."""
    other = ClientLimits("other", 2, 0, None, NOW + DAY)
    everywhere = ClientLimits(EVERY_CLIENT, 0, 1, NOW + SECOND, NOW + DAY)
    sends = tuple(CountedSend(Channel.MOBILE, one, NOW) for one in (EVERY_CLIENT, "other"))
    limits = UserLimits(3, (other, everywhere), sends)
    decided = rules.unlock(limits, NOW, ["client"], quota=True)
    assert decided is not None
    assert decided.forgotten == UserLimits(0, (everywhere,), sends[:1])
    assert decided.limits == UserLimits(3, (other,), sends[1:])
    assert rules.unlock(decided.limits, NOW, ["client"], quota=True) is None


def test_a_disabled_user_is_neither_sent_nor_compared_a_code() -> None:
    """A3: the last wrong code says so, and nothing but an unlock changes it."""
    spent = spend(opened(), WRONG, limits=UserLimits(49))
    assert isinstance(spent, CountedAttempt)
    assert spent.outcome == Outcome("old", Reason.CODE_UNMATCHED, until=FOREVER)
    disabled = spent.limits
    assert spend(opened(), RIGHT, limits=disabled) == Outcome(
        "old", Reason.USER_LOCKED, until=FOREVER
    )
    later = NOW + 365 * DAY
    assert reserve(now=later, limits=disabled) == Outcome("new", Reason.SEND_LOCKED, until=FOREVER)
    assert isinstance(reserve(now=later, limits=disabled.unlocked()), Reservation)
    assert "OTP is disabled" in Outcome(until=FOREVER).explain()
    assert "9999" not in Outcome(until=FOREVER).explain()


def test_a_lock_refuses_sends_until_it_ends() -> None:
    """S2: a locked user can't be sent a code that could not be used."""
    locked = locked_until(NOW + 60 * SECOND)
    assert reserve(limits=locked) == Outcome("new", Reason.SEND_LOCKED, until=NOW + 60 * SECOND)
    assert isinstance(reserve(limits=locked, now=NOW + 60 * SECOND), Reservation)


def test_a_new_code_closes_the_older_ones_of_its_user_caller_and_channel() -> None:
    """L12: under `rotate` an open challenge is closed by the send, one that is not usable stays."""
    used = replace(opened("used"), used_at=NOW)
    reserved = reserve(usable=(used, opened("old")))
    assert isinstance(reserved, Reservation)
    assert reserved.challenge.id == "new"
    assert [closed.id for closed in reserved.closed] == ["old"]
    assert reserved.closed[0].refusal(NOW) is Reason.CHALLENGE_CLOSED


def test_a_reused_challenge_gains_neither_tries_nor_time() -> None:
    """L12: under `reuse` attempts and expiry stay as they are; the send is counted."""
    worn = replace(opened("old"), attempts=4)
    reserved = reserve(policy=REUSE, now=NOW + 60 * SECOND, usable=(worn,))
    assert isinstance(reserved, Reservation)
    assert reserved.challenge == worn
    assert reserved.closed == ()
    assert reserved.limits.sends == (CountedSend(Channel.MOBILE, "client", NOW + 60 * SECOND),)


@pytest.mark.parametrize(
    "ended",
    [
        replace(opened(), attempts=5),
        replace(opened(), used_at=NOW),
        replace(opened(), closed_at=NOW),
        replace(opened(), expires_at=NOW),
    ],
)
def test_a_challenge_that_is_not_usable_is_not_reused(ended: Challenge) -> None:
    """L12: what can't be answered any more is not sent again."""
    reserved = reserve(policy=REUSE, usable=(ended,))
    assert isinstance(reserved, Reservation)
    assert reserved.challenge.id == "new"
    assert reserved.closed == ()


def test_a_used_challenge_can_not_be_closed() -> None:
    """L5: that it was used is what remains to be known of it."""
    used = replace(opened(), used_at=NOW)
    assert used.closed(NOW + SECOND) == used


def test_the_cause_of_death_that_is_named_is_the_first_that_matters() -> None:
    deaths: list[tuple[Callable[[Challenge], Challenge], Reason]] = [
        (lambda challenge: replace(challenge, used_at=NOW), Reason.CHALLENGE_USED),
        (lambda challenge: replace(challenge, closed_at=NOW), Reason.CHALLENGE_CLOSED),
        (lambda challenge: replace(challenge, expires_at=NOW), Reason.CHALLENGE_EXPIRED),
        (lambda challenge: replace(challenge, attempts=5), Reason.TRIES_SPENT),
    ]
    for count in range(1, 5):
        for chosen in itertools.combinations(deaths, count):
            challenge = opened()
            for die, _ in chosen:
                challenge = die(challenge)
            assert challenge.refusal(NOW) is chosen[0][1]
    assert opened().refusal(NOW) is None
