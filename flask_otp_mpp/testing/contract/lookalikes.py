"""Tests of users, callers and ids that look alike: a store must not mix them up."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import MAX_DETAIL, Outcome, Reason
from flask_otp_mpp.testing.contract.builders import (
    KEEP,
    POLICY,
    QUICK,
    RIGHT,
    WRONG,
    answer,
    attempt,
    draft,
    opened,
    refused,
)
from flask_otp_mpp.testing.contract.suite import StoreTests
from flask_otp_mpp.testing.doubles import FrozenClock

LONG: Final = "u" * 127
# Pairs that are equal for a collation, a padded column, a pattern, a template, a key made of parts,
# a column of bytes or a normal form.
ALIKE: Final = [
    ("Ada", "ada"),
    ("ada", "ada "),
    ("ada", " ada"),
    ("ada", "ada\n"),
    ("ada", "ad\N{LATIN SMALL LETTER A WITH DIAERESIS}"),
    ("\N{LATIN SMALL LETTER A WITH DIAERESIS}", "a\N{COMBINING DIAERESIS}"),
    ("stra\N{LATIN SMALL LETTER SHARP S}e", "strasse"),
    ("1", "01"),
    ("None", "0"),
    ("ada", "{ada}"),
    ("{ada}", "{{ada}}"),
    ("ada", "ada:caller"),
    ("ada:caller", "ada:caller:MOBILE"),
    ("ada", "ad%"),
    ("ada", "ad_"),
    ("ada", "ad?"),
    ("ada", "*"),
    ("ada", "'ada'"),
    ("ada", "ada'--"),
    ("a\\da", "ada"),
    (LONG + "a", LONG + "b"),
    (LONG + "a", LONG),
    ("\N{FOX FACE}" * 127 + "a", "\N{FOX FACE}" * 128),
]
IDS: Final = [f"{number}-{ascii(pair)[:30]}" for number, pair in enumerate(ALIKE)]
# Callers are digests, ids and keys are tokens: all of them ASCII, and of both cases.
TOKENS: Final = [
    ("Abc-_", "abc-_"),
    ("a-c", "a_c"),
    ("abc", "abc "),
    ("a" * 63 + "b", "a" * 63 + "c"),
    ("a" * 64, "a" * 63),
]


class LookalikeTests(StoreTests):
    """Tests of users, callers, challenges and requests that are almost the same."""

    @pytest.mark.parametrize(("one", "other"), ALIKE, ids=IDS)
    def test_users_whose_names_look_alike_share_nothing(
        self, store: Store, clock: FrozenClock, one: str, other: str
    ) -> None:
        """L8, A2, S2: not a send, a challenge, a failure, a lock or an unlock."""
        first = opened(store, one)
        second = opened(store, other)
        assert (first.subject, second.subject) == (one, other)
        for _ in range(5):
            assert answer(store, first, WRONG) is Reason.CODE_UNMATCHED
        for mine, theirs in ((first, other), (second, one)):
            asked = attempt(mine.id, RIGHT, subject=theirs)
            assert store.spend(asked, POLICY).reason is Reason.CHALLENGE_UNKNOWN
        clock.forward(seconds=60)
        newer = opened(store, one)
        for _ in range(5):
            assert answer(store, newer, WRONG) is Reason.CODE_UNMATCHED
        store = self.restart(store)
        assert not store.unlock(other)
        clock.forward(seconds=60)
        assert refused(store, one).reason is Reason.SEND_LOCKED
        assert answer(store, second, RIGHT) is None
        assert answer(store, opened(store, other), RIGHT) is None
        assert store.unlock(one)

    @pytest.mark.parametrize(("one", "other"), TOKENS)
    def test_callers_that_look_alike_answer_for_themselves(
        self, store: Store, one: str, other: str
    ) -> None:
        """L8, L12: neither can verify or close the code of the other."""
        first = opened(store, caller=one, policy=QUICK)
        second = opened(store, caller=other, policy=QUICK)
        for challenge, foreign in ((first, other), (second, one)):
            asked = attempt(challenge.id, RIGHT, caller=foreign)
            assert store.spend(asked, QUICK).reason is Reason.CHALLENGE_UNKNOWN
        for challenge in (first, second):
            assert answer(store, challenge, RIGHT) is None

    @pytest.mark.parametrize(("one", "other"), TOKENS)
    def test_ids_that_look_alike_are_two_challenges(
        self, store: Store, one: str, other: str
    ) -> None:
        """L7: an attempt at one costs no try of the other."""
        for known, subject in ((one, "alice"), (other, "bob")):
            asked = draft(subject, challenge_id=known)
            assert isinstance(store.reserve(asked, POLICY), Challenge)
        assert store.spend(attempt(other, RIGHT), POLICY).reason is Reason.CHALLENGE_UNKNOWN
        assert store.spend(attempt(one, RIGHT), POLICY) == Outcome(one)
        assert store.spend(attempt(other, RIGHT, subject="bob"), POLICY) == Outcome(other)

    @pytest.mark.parametrize(
        "spelling", ["{} ", " {}", "{}\n", "{}%", "%", "_" * 32, "*", "{}\N{FOX FACE}", "{{{}}}"]
    )
    def test_an_id_is_taken_as_it_is(self, store: Store, spelling: str) -> None:
        """L11: a caller's ids may hold anything; none but the whole one finds its challenge."""
        challenge = opened(store)
        for known in (spelling.format(challenge.id), challenge.id[:-1], challenge.id[:-1] + "A"):
            found = store.spend(attempt(known, RIGHT), POLICY)
            assert found == Outcome(known, Reason.CHALLENGE_UNKNOWN)
        assert answer(store, challenge, RIGHT) is None

    @pytest.mark.parametrize(("one", "other"), TOKENS)
    def test_requests_that_look_alike_are_two_requests(
        self, store: Store, one: str, other: str
    ) -> None:
        """S10: a repeat is found by its whole key."""
        first, second = (
            draft(subject, key=IdempotencyKey(value, KEEP))
            for subject, value in (("alice", one), ("bob", other))
        )
        assert isinstance(store.reserve(first, POLICY), Challenge)
        assert isinstance(store.reserve(second, POLICY), Challenge)
        for asked in (first, second):
            pending = Outcome(asked.id, Reason.REQUEST_PENDING, repeated=True)
            assert store.reserve(asked, POLICY) == pending

    def test_one_draft_is_reserved_once(self, store: Store) -> None:
        """S1, S10: to reserve the same draft twice neither sends nor counts twice."""
        asked = draft()
        assert isinstance(store.reserve(asked, QUICK), Challenge)
        for _ in range(9):
            repeat = store.reserve(asked, QUICK)
            assert repeat == Outcome(asked.id, Reason.REQUEST_PENDING, repeated=True)
        assert sum(isinstance(store.reserve(draft(), QUICK), Challenge) for _ in range(9)) == 4

    @pytest.mark.parametrize("sign", ["x", "'", "\\", "\N{FOX FACE}", "{", "%"])
    def test_the_detail_of_a_refusal_is_stored_unchanged(self, store: Store, sign: str) -> None:
        """S4, S10: up to the longest detail that a refusal may have."""
        asked = draft()
        store.reserve(asked, POLICY)
        said = Outcome(asked.id, Reason.DELIVERY_REFUSED, sign * MAX_DETAIL)
        store.settle(asked, said)
        repeat = self.restart(store).reserve(draft(key=asked.request), POLICY)
        assert repeat == replace(said, repeated=True)
