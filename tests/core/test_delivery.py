"""However a delivery ends, no second message goes out for it and the answer says what is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flask_otp_mpp.core.bulkhead import Bulkhead
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.message import Message
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.reasons import Reason, Refused, refuse
from flask_otp_mpp.testing import Inbox
from tests.core.builders import PEPPER, Harness, fresh_request, reason, refusal

REUSE = Policy(resend=Resend.REUSE)


class Provider:
    """Deliver to an inbox, and then end as it is told to."""

    def __init__(self, ending: Exception | None = None) -> None:
        self.inbox = Inbox()
        self.ending = ending

    def __call__(self, user: Any, message: Message) -> None:
        self.inbox(user, message)
        if self.ending is not None:
            raise self.ending


def harness_with(sender: Any, policy: Policy | None = None) -> Harness:
    return Harness(policy or Policy(), senders={Channel.MOBILE: sender})


def test_an_accepted_message_is_a_success() -> None:
    """S4: accepted is S, and the code that went out is the one that opens the challenge."""
    provider = Provider()
    harness = harness_with(provider)
    sent = harness.send()
    assert [user for user, _ in provider.inbox.received] == ["alice"]
    harness.verify(sent.challenge_id, provider.inbox.code)


def test_a_refused_message_is_a_failure_that_closes_its_challenge() -> None:
    """S4, S5: refused is F with the sender's reason, and the sender is asked once."""
    harness = harness_with(provider := Provider(Refused(Reason.DELIVERY_REFUSED, "landline")))
    request = fresh_request()
    first = refusal(harness.send, request=request)
    repeat = refusal(harness.send, request=request)
    for refused in (first, repeat):
        assert (refused.reason, refused.detail) == (Reason.DELIVERY_REFUSED, "landline")
    assert len(provider.inbox) == 1


def test_a_send_that_gets_no_place_is_refused_before_anything_is_reserved() -> None:
    """O7: its request is free, and the same one is sent as soon as there is a place."""
    places = Bulkhead(1, waiting=0, longest=0)
    harness, request = Harness(deliveries=places), fresh_request()
    with places, pytest.raises(Refused) as caught:
        harness.send(request=request)
    assert caught.value.reason is Reason.OVERLOADED
    assert not harness.inbox
    assert not harness.send(request=request).repeated
    assert len(harness.inbox) == 1


def test_a_message_whose_fate_is_unknown_is_neither_repeated_nor_forgotten() -> None:
    """S4, S5: what the provider raised comes out, the same request is then still pending."""
    harness = harness_with(provider := Provider(TimeoutError("no answer of the provider")))
    request = fresh_request()
    with pytest.raises(TimeoutError):
        harness.send(request=request)
    assert reason(harness.send, request=request) is Reason.REQUEST_PENDING
    assert len(provider.inbox) == 1


def test_a_code_that_arrived_though_its_provider_broke_off_is_accepted() -> None:
    """S4: the challenge stays open, for the message may have gone out."""
    harness = harness_with(provider := Provider(TimeoutError()), REUSE)
    with pytest.raises(TimeoutError):
        harness.send()
    provider.ending = None
    harness.clock.forward(seconds=60)
    again = harness.send()  # the open challenge is sent again, so its id becomes known
    first, second = (message.code for _, message in provider.inbox.received)
    assert first == second
    harness.verify(again.challenge_id, first)


def test_a_send_is_counted_before_the_provider_is_called() -> None:
    """S1: a second request during the delivery finds the slot taken."""
    meanwhile: list[Reason | None] = []

    def slow(user: Any, message: Message) -> None:
        meanwhile.append(reason(harness.send))

    harness = harness_with(slow)
    harness.send()
    assert meanwhile == [Reason.SEND_LIMITED]


def test_a_send_that_failed_is_counted_like_any_other() -> None:
    """S1: a provider that refuses can't be asked without end."""
    harness = harness_with(provider := Provider(Refused(Reason.DELIVERY_REFUSED)))
    for _ in range(5):
        assert reason(harness.send) is Reason.DELIVERY_REFUSED
        harness.clock.forward(seconds=60)
    assert reason(harness.send) is Reason.SEND_LIMITED
    assert len(provider.inbox) == 5


def test_a_repeated_request_is_answered_from_memory() -> None:
    """S10: the same id, marked as a repeat, and one message."""
    harness = Harness()
    request = fresh_request()
    first, repeat = harness.send(request=request), harness.send(request=request)
    assert repeat.challenge_id == first.challenge_id
    assert (first.repeated, repeat.repeated) == (False, True)
    assert len(harness.inbox) == 1


def test_a_repeated_verification_is_answered_from_memory() -> None:
    """S10: a right code whose answer was lost may come again, as the same request only."""
    harness = Harness()
    sent = harness.send()
    request = fresh_request()
    first = harness.verify(sent.challenge_id, harness.inbox.code, request=request)
    repeat = harness.verify(sent.challenge_id, harness.inbox.code, request=request)
    assert (first.repeated, repeat.repeated) == (False, True)
    assert repeat.subject == "alice"
    again = reason(harness.verify, sent.challenge_id, harness.inbox.code)
    assert again is Reason.CHALLENGE_USED


def test_a_repeated_wrong_try_is_counted_once() -> None:
    """S10: a network that retries does not use up the user's tries."""
    harness = Harness()
    sent = harness.send()
    request = fresh_request()
    for _ in range(10):
        refused = reason(harness.verify, sent.challenge_id, harness.wrong(), request=request)
        assert refused is Reason.CODE_UNMATCHED
    for _ in range(3):
        reason(harness.verify, sent.challenge_id, harness.wrong())
    harness.verify(sent.challenge_id, harness.inbox.code)


def test_rotation_sends_a_new_code_and_closes_the_old_challenge() -> None:
    """L12: the old id is closed at once, the new one is usable."""
    harness = Harness()
    old = harness.send()
    old_code = harness.inbox.code
    harness.clock.forward(seconds=60)
    new = harness.send()
    assert new.challenge_id != old.challenge_id
    assert reason(harness.verify, old.challenge_id, old_code) is Reason.CHALLENGE_CLOSED
    harness.verify(new.challenge_id, harness.inbox.code)


def test_reuse_sends_the_same_code_with_the_life_that_is_left() -> None:
    """L12: same id, same code; tries and end are those of the first message."""
    harness = Harness(REUSE)
    first = harness.send()
    for _ in range(4):
        reason(harness.verify, first.challenge_id, harness.wrong())
    harness.clock.forward(seconds=90)
    second = harness.send()
    assert second.challenge_id == first.challenge_id
    (_, one), (_, two) = harness.inbox.received
    assert one.code == two.code
    assert (one.life, two.life) == (timedelta(seconds=300), timedelta(seconds=210))
    assert "5 min" in one.body
    assert "3 min" in two.body
    wrong = reason(harness.verify, second.challenge_id, harness.wrong())
    assert wrong is Reason.CODE_UNMATCHED
    spent = reason(harness.verify, second.challenge_id, two.code)
    assert spent is Reason.TRIES_SPENT


def test_reuse_ends_with_the_life_of_the_first_message() -> None:
    """L12, L4: sending a code again does not prolong it."""
    harness = Harness(REUSE)
    sent = harness.send()
    harness.clock.forward(seconds=299)
    harness.send()
    harness.clock.forward(seconds=1)
    expired = reason(harness.verify, sent.challenge_id, harness.inbox.code)
    assert expired is Reason.CHALLENGE_EXPIRED
    harness.clock.forward(seconds=60)
    assert harness.send().challenge_id != sent.challenge_id


def test_a_message_that_can_not_be_sent_again_leaves_the_first_one_valid() -> None:
    """L12: the code that arrived is not taken back because its repetition was refused."""
    harness = harness_with(provider := Provider(), REUSE)
    sent = harness.send()
    harness.clock.forward(seconds=60)
    provider.ending = Refused(Reason.DELIVERY_REFUSED)
    assert reason(harness.send) is Reason.DELIVERY_REFUSED
    harness.verify(sent.challenge_id, provider.inbox.code)


def test_a_reused_code_survives_a_change_of_pepper() -> None:
    """K1, L12: what was made under the older pepper is sent again as it was."""
    harness = Harness(REUSE)
    sent = harness.send()
    harness.clock.forward(seconds=60)
    rotated = Harness(REUSE, harness.clock, harness.kept, peppers=(b"n" * 32, PEPPER))
    assert rotated.send().challenge_id == sent.challenge_id
    assert rotated.inbox.code == harness.inbox.code
    rotated.verify(sent.challenge_id, harness.inbox.code)


def test_a_reused_code_of_a_retired_pepper_is_not_sent_wrong() -> None:
    """L12: better no message than one with a code that opens nothing."""
    harness = Harness(REUSE)
    harness.send()
    harness.clock.forward(seconds=60)
    retired = Harness(REUSE, harness.clock, harness.kept, peppers=(b"n" * 32,))
    with pytest.raises(LookupError):
        retired.send()
    assert len(retired.inbox) == 0


def test_a_sender_may_refuse_for_a_user_without_an_address() -> None:
    harness = harness_with(lambda *_: refuse(Reason.CHANNEL_UNAVAILABLE))
    assert reason(harness.send) is Reason.CHANNEL_UNAVAILABLE
