"""Races between processes that share a store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Final

import pytest

from flask_otp_mpp.core.challenge import Challenge
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.testing.contract.builders import RIGHT, WRONG, answer, opened
from flask_otp_mpp.testing.contract.processes import PROCESSES, THREADS, Kind, Racers, Share
from flask_otp_mpp.testing.contract.suite import StoreTests

ALL: Final = PROCESSES * THREADS
_RACERS: Final = pytest.StashKey[Racers]()


class ProcessRaceTests(StoreTests):
    """Tests of four processes with eight threads each, which begin at the same time."""

    @abstractmethod
    def opener(self, store: Store) -> Callable[[], Store]:
        """Return a callable that opens the same store in another process; it must be picklable."""

    @pytest.fixture(autouse=True)
    def _suite(self, request: pytest.FixtureRequest) -> None:
        self._class: pytest.Class | None = request.node.getparent(pytest.Class)

    def _race(self, kind: Kind, store: Store, challenge: Challenge) -> Share:
        assert self._class is not None
        racers = self._class.stash.get(_RACERS, None)
        if racers is None:  # once a class: the start takes longer than a race
            racers = self._class.stash[_RACERS] = Racers()
            self._class.addfinalizer(racers.close)
        return racers.race(kind, self.opener(store), challenge)

    def test_of_right_answers_in_four_processes_one_succeeds(self, store: Store) -> None:
        """L6: 32 answers, one success, and every process knows of it."""
        challenge = opened(store)
        _, reasons = self._race("right", store, challenge)
        assert reasons == {None: 1, Reason.CHALLENGE_USED: ALL - 1}
        assert answer(store, challenge, RIGHT) is Reason.CHALLENGE_USED

    def test_of_wrong_answers_in_four_processes_five_are_compared(self, store: Store) -> None:
        """A1: 32 answers, five comparisons, counted where they are made."""
        challenge = opened(store)
        compared, reasons = self._race("wrong", store, challenge)
        assert compared == 5 or self.compares_in_backend
        assert reasons == {Reason.CODE_UNMATCHED: 5, Reason.TRIES_SPENT: ALL - 5}
        assert answer(store, challenge, WRONG) is Reason.TRIES_SPENT

    def test_of_sends_in_four_processes_none_exceeds_the_cap(self, store: Store) -> None:
        """S1: 32 requests, five messages, of a user whom the store does not know yet."""
        sent, _ = self._race("sends", store, opened(store, "somebody else"))
        assert sent == 5
