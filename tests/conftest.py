"""Keys are made once a run, and every wallet that a test opens is closed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services import program
from tests.wallet import Wallet, open_wallet


@pytest.fixture(scope="session")
def gnupg() -> None:
    """Need GnuPG; what asks for it has the marker ``server``."""
    program("gpg")


@pytest.fixture
def make_wallet(tmp_path: Path) -> Iterator[Callable[..., Wallet]]:
    """Open wallets; ``store="sqlite"`` keeps its challenges in a file of the test's own."""
    wallets: list[Wallet] = []

    def make(**how: object) -> Wallet:
        if how.get("store") == "sqlite":
            how["store"] = f"sqlite:///{tmp_path / 'otp.db'}"
        wallets.append(open_wallet(**how))  # type: ignore[arg-type]
        return wallets[-1]

    yield make
    for wallet in wallets:
        wallet.close()


@pytest.fixture
def wallet(make_wallet: Callable[..., Wallet]) -> Wallet:
    """Open a wallet with everything at its default, and a clock that stands still."""
    return make_wallet()
