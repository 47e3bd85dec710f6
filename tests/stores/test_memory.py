"""The memory store passes the store contract in one process, and deletes what has expired."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.stores import MemoryStore
from flask_otp_mpp.testing import FrozenClock, StoreContract
from flask_otp_mpp.testing.contract.builders import POLICY, RIGHT, answer, opened


class TestMemoryStore(StoreContract):
    """T2: the contract, in one process."""

    def make(self, folder: Path, clock: FrozenClock) -> Store:
        return MemoryStore(clock)


def test_the_store_purges_itself() -> None:
    """T5: no purge is needed; expired data is deleted by a later send."""
    clock = FrozenClock()
    store = MemoryStore(clock)
    old = [opened(store, f"user-{number}") for number in range(50)]
    clock.forward(days=2)
    opened(store, "somebody")
    assert answer(store, old[0], RIGHT) is Reason.CHALLENGE_UNKNOWN
    assert store.purge(POLICY) == 0


def test_a_purge_keeps_the_newer_challenge_of_a_user() -> None:
    """L12: the next send still closes it."""
    clock = FrozenClock()
    store = MemoryStore(clock)
    opened(store)
    clock.forward(days=1, minutes=1)
    newer = opened(store)
    clock.now = newer.expires_at - timedelta(seconds=1)
    assert store.purge(POLICY) > 0
    opened(store)
    assert answer(store, newer, RIGHT) is Reason.CHALLENGE_CLOSED


def test_the_store_does_not_purge_at_every_request() -> None:
    """A sweep looks at all data, so it is done about once a minute."""
    clock = FrozenClock()
    store = MemoryStore(clock)
    opened(store)
    clock.forward(seconds=59)
    opened(store, "bob")
    assert len(store._answers) == 2
    clock.forward(minutes=10)
    opened(store, "carol")
    assert len(store._answers) == 1
