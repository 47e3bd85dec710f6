"""The base class of the contract's tests, and the races between threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.testing.contract import race
from flask_otp_mpp.testing.contract.builders import POLICY, QUICK, RIGHT, START, answer, opened
from flask_otp_mpp.testing.doubles import FrozenClock


class StoreTests(ABC):
    """The base of all tests of the contract: how a store is made, restarted and closed."""

    # Whether codes are compared in the backend; then comparisons are counted by the answers.
    compares_in_backend: ClassVar[bool] = False
    # Whether the backend deletes what has expired; then a purge finds nothing.
    expires_in_backend: ClassVar[bool] = False

    @abstractmethod
    def make(self, folder: Path, clock: FrozenClock) -> Store:
        """Return an empty store whose time is the clock."""

    def restart(self, store: Store) -> Store:
        """Return the store as a restarted process opens it; the same one if it does not survive."""
        return store

    def end(self, store: Store) -> None:  # noqa: B027 - a store may have nothing to close
        """Close the store, and those that ``restart`` has returned."""

    @pytest.fixture
    def clock(self) -> FrozenClock:
        return FrozenClock(START)

    @pytest.fixture
    def store(self, tmp_path: Path, clock: FrozenClock) -> Iterator[Store]:
        store = self.make(tmp_path, clock)
        yield store
        self.end(store)


class ThreadRaceTests(StoreTests):
    """Tests of 32 threads that call a store at the same time."""

    def test_of_many_right_answers_one_succeeds(self, store: Store) -> None:
        """L6: 32 threads, one success, the others find the challenge used."""
        reasons = race.right_answers(store, opened(store))
        assert reasons == {None: 1, Reason.CHALLENGE_USED: race.THREADS - 1}

    def test_of_many_wrong_answers_five_are_compared(self, store: Store) -> None:
        """A1, A8: 32 threads, five comparisons, counted where the digests are looked at."""
        compared, reasons = race.wrong_answers(store, [opened(store)])
        assert compared == 5 or self.compares_in_backend
        assert reasons == {Reason.CODE_UNMATCHED: 5, Reason.TRIES_SPENT: race.THREADS - 5}

    def test_of_many_wrong_answers_to_many_challenges_a_budget_is_compared(
        self, store: Store
    ) -> None:
        """A2: four challenges of one user share ten failures, in any order."""
        compared, reasons = race.wrong_answers(store, race.many_open(store))
        assert compared == 10 or self.compares_in_backend
        assert reasons[Reason.CODE_UNMATCHED] == POLICY.failure_limit == 10
        assert reasons[None] == 0

    def test_of_many_sends_none_exceeds_the_cap(self, store: Store) -> None:
        """S1: the slot is taken before anything is sent, so five of 32 are sent."""
        assert race.sends(store, QUICK) == 5

    def test_of_many_sends_the_cool_down_lets_one_through(self, store: Store) -> None:
        """S1: under the default policy the second send of a moment is too early."""
        assert race.sends(store, POLICY) == 1

    def test_of_many_repeats_of_one_request_one_is_sent(self, store: Store) -> None:
        """S10: a request that arrives 32 times at once reserves one message."""
        assert race.repeats(store, QUICK) == 1
        assert race.sends(store, QUICK) == 4  # so one slot was taken, and not 32

    def test_a_code_that_many_used_at_once_stays_used(self, store: Store) -> None:
        """L5: it is used for every later attempt, also after a restart."""
        challenge = opened(store)
        race.right_answers(store, challenge)
        assert answer(self.restart(store), challenge, RIGHT) is Reason.CHALLENGE_USED
