"""The service sends a code to the user whom the host finds, and accepts it from nobody else."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

import pytest

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.reasons import Outcome, Reason, refuse
from flask_otp_mpp.testing import Inbox
from tests.codes import wrong_code
from tests.core.builders import CALLER, Harness, fresh_request, reason, refusal

OTHER = Caller("alipayplus", "other")


def test_a_code_that_was_sent_is_accepted_once() -> None:
    """L5: the sequence that a wallet lives on."""
    harness = Harness()
    sent = harness.send()
    assert sent.subject == "alice"
    verified = harness.verify(sent.challenge_id, harness.inbox.code)
    assert (verified.challenge_id, verified.subject) == (sent.challenge_id, "alice")
    again = reason(harness.verify, sent.challenge_id, harness.inbox.code)
    assert again is Reason.CHALLENGE_USED


@pytest.mark.parametrize(("token", "caller"), [("bob", CALLER), ("alice", OTHER), ("bob", OTHER)])
def test_a_foreign_user_or_caller_spends_nothing(token: str, caller: Caller) -> None:
    """L8: twenty foreign answers, right and wrong ones, leave all five tries to the user."""
    harness = Harness()
    sent = harness.send()
    harness.send("bob")
    code = harness.inbox.received[0][1].code
    wrong = wrong_code(code)
    for answer in [code, wrong] * 10:
        refused = reason(harness.verify, sent.challenge_id, answer, token, caller=caller)
        assert refused is Reason.CHALLENGE_UNKNOWN
    for _ in range(4):
        refused = reason(harness.verify, sent.challenge_id, wrong)
        assert refused is Reason.CODE_UNMATCHED
    harness.verify(sent.challenge_id, code)
    assert harness.locks == []


def test_the_code_of_another_challenge_opens_nothing() -> None:
    """L7: both challenges are open, and each wants its own code."""
    harness = Harness()
    first = harness.send(channel=Channel.MOBILE)
    second = harness.send(channel=Channel.EMAIL)
    codes = [message.code for _, message in harness.inbox.received]
    if codes[0] != codes[1]:  # they are equal once in a million runs
        assert reason(harness.verify, first.challenge_id, codes[1]) is Reason.CODE_UNMATCHED
        assert reason(harness.verify, second.challenge_id, codes[0]) is Reason.CODE_UNMATCHED
    harness.verify(first.challenge_id, codes[0])
    harness.verify(second.challenge_id, codes[1])


def test_a_malformed_code_costs_a_try() -> None:
    """L11: five of them, and the right code comes too late."""
    harness = Harness()
    sent = harness.send()
    right = harness.inbox.code
    for text in (f" {right}", f"{right}\n", right[:-1], f"{right}0", ""):
        refused = reason(harness.verify, sent.challenge_id, text)
        assert refused is Reason.CODE_UNMATCHED
    assert reason(harness.verify, sent.challenge_id, right) is Reason.TRIES_SPENT


def test_a_wrong_code_does_not_spend_the_right_one() -> None:
    """A6: four wrong ones, and the right one is still accepted."""
    harness = Harness()
    sent = harness.send()
    for _ in range(4):
        assert reason(harness.verify, sent.challenge_id, harness.wrong()) is Reason.CODE_UNMATCHED
    harness.verify(sent.challenge_id, harness.inbox.code)


def lock(harness: Harness) -> Outcome:
    """Spend alice's budget over two challenges; return the refusal that began the lock."""
    last = None
    for _ in range(2):
        sent = harness.send()
        for _ in range(5):
            last = refusal(harness.verify, sent.challenge_id, harness.wrong())
        harness.clock.forward(seconds=60)
    assert last is not None
    return last


def test_a_lock_spans_challenges_and_is_told_once() -> None:
    """A2, A5: a new code buys no new guesses; the host hears of the lock exactly once."""
    harness = Harness()
    began = lock(harness)
    assert began.reason is Reason.CODE_UNMATCHED
    assert began.until is not None
    assert harness.locks == [("alice", began.until)]
    for _ in range(3):
        assert reason(harness.send) is Reason.SEND_LOCKED
    assert harness.locks == [("alice", began.until)]
    harness.clock.now = began.until
    harness.send()


def test_a_lock_is_not_told_again_by_a_repeat_of_the_try_that_began_it() -> None:
    """S10, A5: the stored answer comes again, and no second alarm with it."""
    harness = Harness()
    sent = harness.send()
    for _ in range(5):
        reason(harness.verify, sent.challenge_id, harness.wrong())
    harness.clock.forward(seconds=60)
    sent = harness.send()
    for _ in range(4):
        reason(harness.verify, sent.challenge_id, harness.wrong())
    request = fresh_request()
    answers = [
        refusal(harness.verify, sent.challenge_id, harness.wrong(), request=request)
        for _ in range(3)
    ]
    assert {answer.reason for answer in answers} == {Reason.CODE_UNMATCHED}
    assert len({answer.until for answer in answers}) == 1
    assert len(harness.locks) == 1


def test_the_count_is_kept_when_the_alarm_fails() -> None:
    """A7: the hook that is told of a lock raises, and the lock stands all the same."""

    def broken(subject: str, until: datetime, caller: Caller) -> NoReturn:
        raise ConnectionError("no route to the alarm")

    harness = Harness(on_lock=broken)
    with pytest.raises(ConnectionError):
        lock(harness)
    harness.clock.forward(seconds=60)
    assert reason(harness.send) is Reason.SEND_LOCKED


def test_a_locked_user_learns_until_when() -> None:
    """A5: the open challenge is refused with the end of the lock."""
    harness = Harness()
    sms = harness.send()
    mail = harness.send(channel=Channel.EMAIL)
    for challenge_id in (sms.challenge_id, mail.challenge_id):
        for _ in range(5 if challenge_id == sms.challenge_id else 4):
            reason(harness.verify, challenge_id, "000000x")
    harness.clock.forward(seconds=60)
    newest = harness.send()
    reason(harness.verify, newest.challenge_id, harness.wrong())
    refused = refusal(harness.verify, newest.challenge_id, harness.inbox.code)
    assert refused.reason is Reason.USER_LOCKED
    assert refused.until == harness.locks[0][1]


def test_a_token_that_the_host_does_not_know_is_invalid() -> None:
    harness = Harness()
    assert reason(harness.send, "mallory") is Reason.TOKEN_INVALID
    assert reason(harness.verify, "any", "000000", "mallory") is Reason.TOKEN_INVALID
    assert len(harness.inbox) == 0


@pytest.mark.parametrize("why", [Reason.TOKEN_EXPIRED, Reason.USER_MISSING, Reason.USER_ABNORMAL])
def test_the_host_may_refuse_a_user_with_a_reason(why: Reason) -> None:
    harness = Harness(load_user=lambda _: refuse(why))
    assert reason(harness.send) is why
    assert reason(harness.verify, "any", "000000") is why
    assert len(harness.inbox) == 0


@pytest.mark.parametrize("identity", ["", "x" * 129, 4711, None, b"alice"])
def test_an_identity_that_could_not_be_kept_is_a_fault_of_the_host(identity: Any) -> None:
    """The message names what was returned by its type alone."""
    harness = Harness(identify=lambda _: identity)
    with pytest.raises(TypeError, match="non-empty str of at most 128 characters"):
        harness.send()
    assert len(harness.inbox) == 0


def test_an_identity_may_be_as_long_as_a_store_keeps() -> None:
    harness = Harness(identify=lambda _: "x" * 128)
    assert harness.send().subject == "x" * 128


def test_a_channel_without_a_sender_is_refused_before_the_user_is_looked_up() -> None:
    """S2: such a request uses up no send."""
    asked: list[str] = []

    def load(token: str) -> str:
        asked.append(token)
        return token

    inbox = Inbox()
    harness = Harness(senders={Channel.MOBILE: inbox}, load_user=load)
    refused = reason(harness.send, channel=Channel.EMAIL)
    assert refused is Reason.CHANNEL_UNAVAILABLE
    assert asked == []
    harness.send()
    assert len(inbox) == 1
