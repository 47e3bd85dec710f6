"""Tests of a store whose backend can't be reached: it raises StoreError."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from flask_otp_mpp.core.ports import Store, StoreError
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.testing.contract.builders import POLICY, RIGHT, attempt, draft
from flask_otp_mpp.testing.contract.suite import StoreTests
from flask_otp_mpp.testing.doubles import FrozenClock

VERBS: Final[dict[str, Callable[[Store], Any]]] = {
    "reserve": lambda store: store.reserve(draft("canary"), POLICY),
    "settle": lambda store: store.settle(draft("canary"), Outcome("canary")),
    "spend": lambda store: store.spend(attempt("canary", RIGHT, subject="canary"), POLICY),
    "look_up": lambda store: store.look_up("canary"),
    "unlock": lambda store: store.unlock("canary"),
    "forget": lambda store: store.forget("canary"),
    "purge": lambda store: store.purge(POLICY),
}


class BackendFaults(StoreTests):
    """The tests of a store with a backend: return one whose backend is down in ``broken``.

    Inherit it beside a contract. ``broken(folder, clock)`` returns a store that can be made and
    can't work: with a port without a server, or with a file that is no database. Each call may take
    a few seconds to give up, not longer: a caller waits for it.
    """

    @abstractmethod
    def broken(self, folder: Path, clock: FrozenClock) -> Store:
        """Return a store whose backend is down."""

    @pytest.fixture
    def broken_store(self, tmp_path: Path, clock: FrozenClock) -> Iterator[Store]:
        store = self.broken(tmp_path, clock)
        yield store
        self.end(store)

    @pytest.mark.parametrize("verb", list(VERBS))
    def test_a_backend_that_is_away_is_a_store_error(self, broken_store: Store, verb: str) -> None:
        """A9: whatever error the backend raises; twice, as nothing may be left half open."""
        for _ in range(2):
            with pytest.raises(StoreError):
                VERBS[verb](broken_store)

    @pytest.mark.parametrize("verb", list(VERBS))
    def test_a_store_error_shows_no_value(self, broken_store: Store, verb: str) -> None:
        """P1: neither the error nor what caused it shows what was to be stored."""
        with pytest.raises(StoreError) as caught:
            VERBS[verb](broken_store)
        error: BaseException | None = caught.value
        while error is not None:
            assert "canary" not in f"{error} {error!r}"
            error = error.__cause__ or error.__context__
