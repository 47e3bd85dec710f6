"""What refused requests leave in the store is bounded for each client."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import ById, BySend, SendOtp, VerifyOtp
from flask_otp_mpp.core.users import AccessToken
from tests.core.builders import CALLER, KEEP, Harness, Quota

# As of AMS and Alipay+: with and without a key that the caller chose.
DIGESTS = pytest.mark.parametrize("digest", ["parameters", ""])


def key(name: str, digest: str) -> IdempotencyKey:
    return IdempotencyKey(name, KEEP, digest, frozenset())


def send(harness: Harness, request: IdempotencyKey) -> Outcome:
    return harness.service.send(SendOtp(CALLER, AccessToken("alice"), Channel.MOBILE, request))


@DIGESTS
def test_a_refusal_above_the_quota_is_not_stored_and_decided_anew(digest: str) -> None:
    """X6: below it the same request is refused again, though it could be granted by now."""
    harness = Harness(quota=Quota(room=2))
    harness.send()
    requests = [key(f"request {number}", digest) for number in range(4)]
    for request in requests:
        assert send(harness, request).reason is Reason.SEND_LIMITED
    assert harness.quota.counted == [CALLER, CALLER]
    kept = [harness.kept.get_answer(request.value) is not None for request in requests]
    assert kept == [True, True, False, False]
    harness.clock.forward(minutes=5)
    repeats = [send(harness, request) for request in requests[:3]]
    assert [one.reason for one in repeats] == [Reason.SEND_LIMITED, Reason.SEND_LIMITED, None]
    assert [one.repeated for one in repeats] == [True, True, False]
    assert len(harness.quota.counted) == 2  # neither a repeat nor a grant is counted


@DIGESTS
def test_an_attempt_that_is_not_compared_is_stored_within_the_quota(digest: str) -> None:
    """X6: for a key that stores it at all."""
    harness = Harness(quota=Quota(room=2))
    harness.send(request=key("sent", "parameters"))
    for number in range(4):
        guess = key(f"guess {number}", digest)
        target = ById("unknown", AccessToken("alice"))
        outcome = harness.service.verify(VerifyOtp(CALLER, target, Secret("123456"), guess))
        assert outcome.reason is Reason.CHALLENGE_UNKNOWN
        assert (harness.kept.get_answer(guess.value) is not None) is (number < 2)
    assert len(harness.quota.counted) == 2


@DIGESTS
def test_what_changed_something_is_stored_above_the_quota(digest: str) -> None:
    """X6, A1, S10: a wrong code is one try and a send one message, however often they come."""
    harness = Harness(Policy(cool_down=timedelta()), quota=Quota(room=0))
    sent = [send(harness, key("sent", digest)) for _ in range(3)]
    assert [one.repeated for one in sent] == [False, True, True]
    assert len(harness.inbox) == 1
    target = ById(sent[0].challenge_id, AccessToken("alice"))
    guess = VerifyOtp(CALLER, target, Secret(harness.wrong()), key("guess", digest))
    for _ in range(9):
        assert harness.service.verify(guess).reason is Reason.CODE_UNMATCHED
    right = VerifyOtp(CALLER, target, Secret(harness.inbox.code), key("right", digest))
    assert [harness.service.verify(right).reason for _ in range(3)] == [None] * 3
    assert harness.quota.counted == []


def test_a_refusal_that_a_key_does_not_store_is_not_counted() -> None:
    """X6: as those of Google that are answered by another status than 200."""
    harness = Harness()
    harness.send()
    request = IdempotencyKey("init", KEEP, "p", frozenset({Reason.SEND_LIMITED}))
    assert send(harness, request).reason is Reason.SEND_LIMITED
    missing = VerifyOtp(CALLER, BySend("no send"), Secret("123456"), key("guess", "p"))
    assert harness.service.verify(missing).reason is Reason.CHALLENGE_UNKNOWN
    assert harness.quota.counted == []
