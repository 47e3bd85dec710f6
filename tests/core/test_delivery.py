"""However a delivery ends, no second message goes out for it and the answer says what is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.message import Message
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.reasons import Reason, Refused, refuse
from flask_otp_mpp.testing import Inbox
from tests.core.builders import PEPPER, House, fresh_request, reason, refusal

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


def house_with(sender: Any, policy: Policy | None = None) -> House:
    return House(policy or Policy(), senders={Channel.MOBILE: sender})


def test_an_accepted_message_is_a_success() -> None:
    """S4: accepted is S, and the code that went out is the one that opens the challenge."""
    provider = Provider()
    house = house_with(provider)
    sent = house.send()
    assert [user for user, _ in provider.inbox.received] == ["alice"]
    house.verify(sent.challenge_id, provider.inbox.code)


def test_a_refused_message_is_a_failure_that_closes_its_challenge() -> None:
    """S4, S5: refused is F with the sender's reason, and the sender is asked once."""
    house = house_with(provider := Provider(Refused(Reason.DELIVERY_REFUSED, "landline")))
    request = fresh_request()
    first = refusal(house.send, request=request)
    repeat = refusal(house.send, request=request)
    for refused in (first, repeat):
        assert (refused.reason, refused.detail) == (Reason.DELIVERY_REFUSED, "landline")
    assert len(provider.inbox) == 1


def test_a_message_whose_fate_is_unknown_is_neither_repeated_nor_forgotten() -> None:
    """S4, S5: what the provider raised comes out, the same request is then still pending."""
    house = house_with(provider := Provider(TimeoutError("no answer of the provider")))
    request = fresh_request()
    with pytest.raises(TimeoutError):
        house.send(request=request)
    assert reason(house.send, request=request) is Reason.REQUEST_PENDING
    assert len(provider.inbox) == 1


def test_a_code_that_arrived_though_its_provider_broke_off_is_accepted() -> None:
    """S4: the challenge stays open, for the message may have gone out."""
    house = house_with(provider := Provider(TimeoutError()), REUSE)
    with pytest.raises(TimeoutError):
        house.send()
    provider.ending = None
    house.clock.forward(seconds=60)
    again = house.send()  # the open challenge is sent again, so its id becomes known
    first, second = (message.code for _, message in provider.inbox.received)
    assert first == second
    house.verify(again.challenge_id, first)


def test_a_send_is_counted_before_the_provider_is_called() -> None:
    """S1: a second request during the delivery finds the slot taken."""
    meanwhile: list[Reason | None] = []

    def slow(user: Any, message: Message) -> None:
        meanwhile.append(reason(house.send))

    house = house_with(slow)
    house.send()
    assert meanwhile == [Reason.SEND_LIMITED]


def test_a_send_that_failed_is_counted_like_any_other() -> None:
    """S1: a provider that refuses can't be asked without end."""
    house = house_with(provider := Provider(Refused(Reason.DELIVERY_REFUSED)))
    for _ in range(5):
        assert reason(house.send) is Reason.DELIVERY_REFUSED
        house.clock.forward(seconds=60)
    assert reason(house.send) is Reason.SEND_LIMITED
    assert len(provider.inbox) == 5


def test_a_repeated_request_is_answered_from_memory() -> None:
    """S10: the same id, marked as a repeat, and one message."""
    house = House()
    request = fresh_request()
    first, repeat = house.send(request=request), house.send(request=request)
    assert repeat.challenge_id == first.challenge_id
    assert (first.repeated, repeat.repeated) == (False, True)
    assert len(house.inbox) == 1


def test_a_repeated_verification_is_answered_from_memory() -> None:
    """S10: a right code whose answer was lost may come again, as the same request only."""
    house = House()
    sent = house.send()
    request = fresh_request()
    first = house.verify(sent.challenge_id, house.inbox.code, request=request)
    repeat = house.verify(sent.challenge_id, house.inbox.code, request=request)
    assert (first.repeated, repeat.repeated) == (False, True)
    assert repeat.subject == "alice"
    again = reason(house.verify, sent.challenge_id, house.inbox.code)
    assert again is Reason.CHALLENGE_USED


def test_a_repeated_wrong_try_is_counted_once() -> None:
    """S10: a network that retries does not use up the user's tries."""
    house = House()
    sent = house.send()
    request = fresh_request()
    for _ in range(10):
        refused = reason(house.verify, sent.challenge_id, house.wrong(), request=request)
        assert refused is Reason.CODE_UNMATCHED
    for _ in range(3):
        reason(house.verify, sent.challenge_id, house.wrong())
    house.verify(sent.challenge_id, house.inbox.code)


def test_rotation_sends_a_new_code_and_kills_the_old_one() -> None:
    """L12: the old id is dead at once, the new one lives."""
    house = House()
    old = house.send()
    old_code = house.inbox.code
    house.clock.forward(seconds=60)
    new = house.send()
    assert new.challenge_id != old.challenge_id
    assert reason(house.verify, old.challenge_id, old_code) is Reason.CHALLENGE_CLOSED
    house.verify(new.challenge_id, house.inbox.code)


def test_reuse_sends_the_same_code_with_the_life_that_is_left() -> None:
    """L12: same id, same code; tries and end are those of the first message."""
    house = House(REUSE)
    first = house.send()
    for _ in range(4):
        reason(house.verify, first.challenge_id, house.wrong())
    house.clock.forward(seconds=90)
    second = house.send()
    assert second.challenge_id == first.challenge_id
    (_, one), (_, two) = house.inbox.received
    assert one.code == two.code
    assert (one.life, two.life) == (timedelta(seconds=300), timedelta(seconds=210))
    assert "5 min" in one.body
    assert "3 min" in two.body
    wrong = reason(house.verify, second.challenge_id, house.wrong())
    assert wrong is Reason.CODE_UNMATCHED
    spent = reason(house.verify, second.challenge_id, two.code)
    assert spent is Reason.TRIES_SPENT


def test_reuse_ends_with_the_life_of_the_first_message() -> None:
    """L12, L4: sending a code again does not prolong it."""
    house = House(REUSE)
    sent = house.send()
    house.clock.forward(seconds=299)
    house.send()
    house.clock.forward(seconds=1)
    expired = reason(house.verify, sent.challenge_id, house.inbox.code)
    assert expired is Reason.CHALLENGE_EXPIRED
    house.clock.forward(seconds=60)
    assert house.send().challenge_id != sent.challenge_id


def test_a_message_that_can_not_be_sent_again_leaves_the_first_one_valid() -> None:
    """L12: the code that arrived is not taken back because its repetition was refused."""
    house = house_with(provider := Provider(), REUSE)
    sent = house.send()
    house.clock.forward(seconds=60)
    provider.ending = Refused(Reason.DELIVERY_REFUSED)
    assert reason(house.send) is Reason.DELIVERY_REFUSED
    house.verify(sent.challenge_id, provider.inbox.code)


def test_a_reused_code_survives_a_change_of_pepper() -> None:
    """K1, L12: what was made under the older pepper is sent again as it was."""
    house = House(REUSE)
    sent = house.send()
    house.clock.forward(seconds=60)
    rotated = House(REUSE, house.clock, house.kept, peppers=(b"n" * 32, PEPPER))
    assert rotated.send().challenge_id == sent.challenge_id
    assert rotated.inbox.code == house.inbox.code
    rotated.verify(sent.challenge_id, house.inbox.code)


def test_a_reused_code_of_a_retired_pepper_is_not_sent_wrong() -> None:
    """L12: better no message than one with a code that opens nothing."""
    house = House(REUSE)
    house.send()
    house.clock.forward(seconds=60)
    retired = House(REUSE, house.clock, house.kept, peppers=(b"n" * 32,))
    with pytest.raises(LookupError):
        retired.send()
    assert len(retired.inbox) == 0


def test_a_sender_may_refuse_for_a_user_without_an_address() -> None:
    house = house_with(lambda *_: refuse(Reason.CHANNEL_UNAVAILABLE))
    assert reason(house.send) is Reason.CHANNEL_UNAVAILABLE
