"""A wallet and its Google, by either envelope, from the keys of the vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from flask_otp_mpp.protocols.google.accounts import open_sealers
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.protocols.google.settings import read_accounts
from tests.protocols.google import sides
from tests.protocols.google.keyring import Keyring

Open = Callable[[Mapping[str, Any]], Sealer]


@pytest.fixture(scope="session")
def open_account() -> Iterator[Open]:
    """Open envelopes of accounts as one configures them; they are closed in the end."""
    opened: list[Sealer] = []

    def open_one(account: Mapping[str, Any]) -> Sealer:
        sealer = open_sealers(read_accounts({"account": account}))["account"]
        opened.append(sealer)
        return sealer

    yield open_one
    for sealer in opened:
        sealer.close()


@pytest.fixture(scope="session")
def jose_wallet(open_account: Open) -> Sealer:
    return open_account(sides.jose_wallet())


@pytest.fixture(scope="session")
def jose_google(open_account: Open) -> Sealer:
    return open_account(sides.jose_google())


@pytest.fixture(scope="session")
def pgp_wallet(gnupg: None, open_account: Open) -> Sealer:
    return open_account(sides.pgp_wallet())


@pytest.fixture(scope="session")
def pgp_google(gnupg: None, open_account: Open) -> Sealer:
    return open_account(sides.pgp_google())


@pytest.fixture(scope="session")
def keyring(gnupg: None) -> Iterator[Keyring]:
    """Give a sender's own GnuPG home, apart from ours."""
    with Keyring() as made:
        yield made
