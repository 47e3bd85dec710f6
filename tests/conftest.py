"""Fixtures and the marker of all tests.

Private keys are parsed once, wallets are closed after each test, and few rows of a table are quick.
What was collected is left out of the garbage collector's work.
"""

from __future__ import annotations

import functools
import gc
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import RSAKey
from werkzeug.routing import Rule

from flask_otp_mpp.stores.sql import store
from flask_otp_mpp.stores.sql.dialect import Database
from flask_otp_mpp.stores.sql.statements import Statements
from tests.services import program
from tests.wallet import Wallet, open_wallet

# How long an example takes tells how busy the machine is.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what is collected from the garbage collector, which would look through it many times."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the rows of tables that are alike: every nth is quick, the others are slow."""
    rows: Counter[str] = Counter()
    for item in items:
        alike = item.get_closest_marker("alike")
        if alike is not None:
            table = item.nodeid.partition("[")[0]
            if rows[table] % alike.args[0]:
                item.add_marker(pytest.mark.slow)
            rows[table] += 1


@pytest.fixture(scope="session", autouse=True)
def parsed_keys() -> Iterator[None]:
    """Keep each private key that was parsed: OpenSSL validates it anew each time, for 45 ms."""
    from_pem = functools.lru_cache(256)(serialization.load_pem_private_key)
    import_key = RSAKey.import_key

    @functools.lru_cache(256)
    def from_json(text: str) -> RSAKey:
        return import_key(json.loads(text))

    def from_jwk(members: dict[str, Any]) -> RSAKey:
        return from_json(json.dumps(members))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialization, "load_pem_private_key", from_pem)
        patch.setattr(RSAKey, "import_key", from_jwk)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled_rules() -> Iterator[None]:
    """Keep what Werkzeug compiles a path to: it is half of what an app takes to be made."""
    compile_builder = Rule._compile_builder
    kept: dict[object, Any] = {}

    def builder(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        how = (*rule._trace, append_unknown)
        if how not in kept:
            kept[how] = compile_builder(rule, append_unknown)
        return kept[how]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", builder)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled_statements() -> Iterator[None]:
    """Keep what SQLAlchemy compiles for each kind of store: half of what opening one takes."""
    kept: dict[object, Statements] = {}

    def statements(database: Database, dialect: sa.Dialect, *, own_time: bool) -> Statements:
        kind = (type(database), type(dialect), own_time)
        if kind not in kept:
            kept[kind] = Statements(database, dialect, own_time=own_time)
        return kept[kind]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "Statements", statements)
        yield


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
