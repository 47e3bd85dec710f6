"""A request whose caller chose its key is done once, and answered alike when it comes again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from flask_otp_mpp.core.at_work import RequestsAtWork
from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.idempotency import NOT_COUNTED, IdempotencyKey
from flask_otp_mpp.core.message import Message
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.reasons import Outcome, Reason, refuse
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import BySend, SendOtp, VerifyOtp
from flask_otp_mpp.core.users import AccessToken, PhoneNumber, Subject
from flask_otp_mpp.stores import MemoryStore
from flask_otp_mpp.testing import Inbox
from tests.core.builders import CALLER, KEEP, Harness, fresh_request, granted, reason

INIT = IdempotencyKey("init", KEEP, "parameters")


def init(
    harness: Harness,
    key: IdempotencyKey = INIT,
    token: str = "alice",
    channel: Channel = Channel.MOBILE,
    wait: timedelta = timedelta(),
) -> Outcome:
    return granted(harness.service.send(SendOtp(CALLER, AccessToken(token), channel, key, wait)))


def verify(
    harness: Harness,
    code: str,
    sent: str = "init",
    caller: Caller = CALLER,
    key: IdempotencyKey = INIT,
) -> Outcome:
    request = fresh_request() if key is INIT else key
    return granted(harness.service.verify(VerifyOtp(caller, BySend(sent), Secret(code), request)))


def test_a_code_is_verified_by_the_name_of_the_request_that_sent_it() -> None:
    """L5, L8: for the user it was sent to, whom nobody has to name again; once."""
    harness = Harness()
    sent = init(harness)
    assert reason(verify, harness, harness.wrong()) is Reason.CODE_UNMATCHED
    assert verify(harness, harness.inbox.code) == Outcome(sent.challenge_id, subject="alice")
    assert reason(verify, harness, harness.inbox.code) is Reason.CHALLENGE_USED


def test_a_name_that_sent_nothing_names_no_challenge() -> None:
    """L8: never sent, refused before the user was known, or another caller's."""
    harness = Harness()
    assert reason(verify, harness, "123456") is Reason.CHALLENGE_UNKNOWN
    assert reason(init, harness, token="nobody") is Reason.TOKEN_INVALID
    assert reason(verify, harness, "123456") is Reason.CHALLENGE_UNKNOWN
    init(harness, IdempotencyKey("second", KEEP, "p"))
    foreign = reason(verify, harness, harness.inbox.code, "second", Caller("ams", "another"))
    assert foreign is Reason.CHALLENGE_UNKNOWN
    verify(harness, harness.inbox.code, "second")


def test_a_reused_code_is_verified_by_each_name_that_sent_it() -> None:
    """L12: the second name stands for the same challenge."""
    harness = Harness(Policy(resend=Resend.REUSE))
    first = init(harness)
    harness.clock.forward(seconds=60)
    second = init(harness, IdempotencyKey("second", KEEP, "p"))
    assert second.challenge_id == first.challenge_id
    verify(harness, harness.inbox.code, "second")
    assert reason(verify, harness, harness.inbox.code, "init") is Reason.CHALLENGE_USED


def test_a_repeat_is_answered_without_asking_anybody() -> None:
    """S10: one message, and the first answer, though the token has become invalid meanwhile."""
    tokens = {"alice": "alice"}
    harness = Harness(load_user=tokens.get)
    first = init(harness)
    del tokens["alice"]
    repeat = init(harness)
    assert (repeat.challenge_id, repeat.subject) == (first.challenge_id, "alice")
    assert repeat.repeated
    assert len(harness.inbox) == 1


@pytest.mark.parametrize("kept", [True, False])
def test_a_refused_delivery_is_final_if_the_key_says_so(kept: bool) -> None:
    """S10: F stays F for the same name, though the host would now agree."""
    answers = [Reason.DELIVERY_REFUSED, None]

    def sender(_user: Any, _message: Message) -> None:
        if (answer := answers.pop(0)) is not None:
            refuse(answer)

    harness = Harness(Policy(cool_down=timedelta()), senders={Channel.MOBILE: sender})
    not_cached = frozenset() if kept else frozenset({Reason.DELIVERY_REFUSED})
    key = IdempotencyKey("init", KEEP, "p", not_cached)
    assert reason(init, harness, key) is Reason.DELIVERY_REFUSED
    assert reason(init, harness, key) is (Reason.DELIVERY_REFUSED if kept else None)
    assert len(answers) == (1 if kept else 0)


def test_a_refusal_before_the_user_is_known_leaves_nothing_in_the_store() -> None:
    """X6: whatever a caller invents, its repeat is decided anew, under other parameters too."""
    tokens: dict[str, str] = {}
    harness = Harness(load_user=tokens.get, senders={Channel.MOBILE: Inbox()})
    guess = IdempotencyKey("guess", KEEP, "parameters", frozenset())
    assert reason(init, harness) is Reason.TOKEN_INVALID
    assert reason(init, harness, channel=Channel.EMAIL) is Reason.CHANNEL_UNAVAILABLE
    assert reason(verify, harness, "123456", key=guess) is Reason.CHALLENGE_UNKNOWN
    assert [harness.kept.get_answer(key) for key in ("init", "guess")] == [None, None]
    tokens["alice"] = "alice"
    assert not init(harness, IdempotencyKey("init", KEEP, "other parameters")).repeated


def test_other_parameters_are_a_conflict_and_do_nothing() -> None:
    """S10: no second message, no user looked up."""
    harness = Harness()
    init(harness)
    other = IdempotencyKey("init", KEEP, "other parameters")
    assert reason(init, harness, other, "nobody") is Reason.REQUEST_CONFLICT
    assert len(harness.inbox) == 1


def test_a_named_wrong_guess_is_one_try_however_often_it_comes() -> None:
    """S10, A1: and a refusal without a comparison stays final where the key says so."""
    harness = Harness()
    init(harness)
    guess = IdempotencyKey("guess", KEEP, "parameters")
    for _ in range(9):
        assert reason(verify, harness, harness.wrong(), key=guess) is Reason.CODE_UNMATCHED
    verify(harness, harness.inbox.code)
    final = IdempotencyKey("final", KEEP, "parameters", frozenset())
    forgotten = IdempotencyKey("forgotten", KEEP, "parameters", NOT_COUNTED)
    for key, kept in ((final, True), (forgotten, False)):
        assert reason(verify, harness, harness.inbox.code, key=key) is Reason.CHALLENGE_USED
        assert (harness.kept.get_answer(key.value) is not None) is kept


def test_a_named_success_is_told_again() -> None:
    """S10, L5: the answer got lost, its repeat is no second use."""
    harness = Harness()
    init(harness)
    guess = IdempotencyKey("guess", KEEP, "parameters")
    first, again = (verify(harness, harness.inbox.code, key=guess) for _ in range(2))
    assert (first.repeated, again.repeated) == (False, True)
    assert again.subject == first.subject == "alice"


def test_a_user_who_was_frozen_meanwhile_is_refused_where_the_host_can_tell() -> None:
    """L8: the loader by subject is asked with what the identity hook returned."""
    asked: list[str] = []

    def frozen(subject: str, caller: Caller) -> Any:
        asked.append(subject)
        refuse(Reason.USER_ABNORMAL)

    harness = Harness(identify=lambda user: f"id of {user}", loaders={Subject: frozen})
    init(harness)
    assert reason(verify, harness, harness.inbox.code) is Reason.USER_ABNORMAL
    assert asked == ["id of alice"]
    gone = Harness(loaders={Subject: lambda _, caller: None})
    init(gone)
    assert reason(verify, gone, gone.inbox.code) is Reason.USER_MISSING


def test_without_a_loader_by_subject_nobody_is_asked() -> None:
    harness = Harness()
    init(harness)
    assert verify(harness, harness.inbox.code).subject == "alice"


def test_a_user_is_found_by_the_type_of_the_credential() -> None:
    harness = Harness(loaders={PhoneNumber: lambda number, _: {"+49123": "bob"}.get(number)})
    command = SendOtp(CALLER, PhoneNumber("+49123"), Channel.MOBILE, INIT, sms_token="FA+9qCX9VSu")
    assert harness.service.send(command).subject == "bob"
    body = harness.inbox.received[-1][1].body
    assert "FA+9qCX9VSu" in body.splitlines()
    unknown = SendOtp(CALLER, PhoneNumber("+49"), Channel.MOBILE, fresh_request())
    assert reason(harness.service.send, unknown) is Reason.USER_MISSING


def test_sixteen_identical_requests_at_once_send_one_message_and_get_one_answer() -> None:
    """S1, S10: the fifteen wait for the one that came first."""
    started = threading.Event()
    go_on = threading.Event()
    delivered: list[Message] = []

    def slow(_user: Any, message: Message) -> None:
        started.set()
        assert go_on.wait(30)
        delivered.append(message)

    harness = Harness(senders={Channel.MOBILE: slow})
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(init, harness, wait=timedelta(seconds=30)) for _ in range(16)]
        assert started.wait(30)
        go_on.set()
        answers = [one.result(60) for one in asked]
    assert len(delivered) == 1
    assert len({answer.challenge_id for answer in answers}) == 1
    assert Counter(answer.repeated for answer in answers) == {False: 1, True: 15}


def test_nobody_waits_for_a_request_that_is_not_at_work() -> None:
    """X4, S10: the first request broke off in delivery; nothing is sent again."""

    def broken(_user: Any, _message: Message) -> None:
        raise ConnectionError

    harness = Harness(senders={Channel.MOBILE: broken})
    with pytest.raises(ConnectionError):
        init(harness)
    begin = time.monotonic()
    for wait in (timedelta(), timedelta(seconds=30)):
        assert reason(init, harness, wait=wait) is Reason.REQUEST_PENDING
    assert time.monotonic() - begin < 10


def test_of_a_flood_of_repeats_one_waits_and_the_rest_is_answered_at_once() -> None:
    """X4: each that waits holds a thread of the host."""
    started, go_on = threading.Event(), threading.Event()

    def hanging(_user: Any, _message: Message) -> None:
        started.set()
        assert go_on.wait(60)

    harness = Harness(senders={Channel.MOBILE: hanging}, at_work=RequestsAtWork(2, 1))
    minute = timedelta(seconds=60)
    with ThreadPoolExecutor(13) as pool:
        first = pool.submit(init, harness, wait=minute)
        assert started.wait(30)
        repeats = [pool.submit(reason, init, harness, wait=minute) for _ in range(12)]
        at_once = list(islice(as_completed(repeats, timeout=30), 11))
        assert {one.result() for one in at_once} == {Reason.REQUEST_PENDING}
        (waiting,) = set(repeats) - set(at_once)
        assert not waiting.done()
        go_on.set()
        assert waiting.result(30) is None
        assert first.result(30).reason is None


class Late(MemoryStore):
    """Be asked for a request just before another thread has reserved it."""

    asked = 0

    def get_answer(self, request: str) -> Any:
        self.asked += 1
        return None if self.asked == 2 else super().get_answer(request)


def test_a_repeat_that_meets_the_first_request_at_the_reservation_waits_for_it() -> None:
    """S10: it was not there yet when it was looked for."""
    inner: list[Reason | None] = []
    waited: list[float] = []

    def sender(_user: Any, message: Message) -> None:
        if not inner:
            inner.append(None)
            begin = time.monotonic()
            inner.append(reason(init, harness, wait=timedelta(seconds=0.12)))
            waited.append(time.monotonic() - begin)

    store = Late()
    harness = Harness(store=store, senders={Channel.MOBILE: sender})
    init(harness, wait=timedelta(seconds=0.12))
    assert inner[-1] is Reason.REQUEST_PENDING
    assert waited[0] >= 0.12


def test_a_name_outlives_a_change_of_pepper() -> None:
    """K1, S10: the repeat of a request that was sealed under the older one is its repeat."""
    old, new = b"a pepper that is about to retire.", b"another pepper, which is to follow"
    before = Harness(peppers=(old,))
    first = init(before)
    after = Harness(peppers=(new, old), store=before.kept)
    assert init(after).challenge_id == first.challenge_id
    other = IdempotencyKey("init", KEEP, "other parameters")
    assert reason(init, after, other) is Reason.REQUEST_CONFLICT


def test_a_store_is_never_given_the_digest_of_parameters_as_it_is() -> None:
    """P2, P4: a guess at a token or a code can't be checked without the pepper."""
    harness = Harness()
    init(harness)
    verify(harness, harness.inbox.code, key=IdempotencyKey("guess", KEEP, "a digest of the code"))
    assert reason(init, harness, IdempotencyKey("third", KEEP, "p")) is Reason.SEND_LIMITED
    for name, digest in (("init", "parameters"), ("guess", "a digest of the code"), ("third", "p")):
        record = harness.kept.get_answer(name)
        assert record is not None
        assert record.digest == harness.codes.request_macs(digest)[0] != digest
        assert len(record.digest) == 64
