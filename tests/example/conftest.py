"""Fixtures of the example wallet: each test gets a copy of one instance folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

import example_app.records
from example_app import create_app, instance
from flask_otp_mpp import SQLAlchemyStore, state_of
from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from flask_otp_mpp.callers.transport import over_wsgi
from flask_otp_mpp.signing.keys import load_private_key, load_public_key


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no FLASK_* variable of whoever runs the tests into the wallet."""
    for name in [name for name in os.environ if name.startswith("FLASK_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def closed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the records of every wallet that a test makes."""
    engines: list[sa.Engine] = []
    reach = example_app.records.engine

    def engine(url: str) -> sa.Engine:
        engines.append(reach(url))
        return engines[-1]

    monkeypatch.setattr(example_app.records, "engine", engine)
    yield
    for one in engines:
        one.dispose()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "instance"
    instance.fill(folder)
    return folder


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "instance"))


@pytest.fixture
def app(home: Path) -> Iterator[Flask]:
    app = create_app(str(home))
    yield app
    app.extensions["mail_server"].stop()
    store = state_of(app).store
    assert isinstance(store, SQLAlchemyStore)
    store.engine.dispose()


@pytest.fixture
def alipayplus(app: Flask, home: Path) -> AlipayPlusCaller:
    return AlipayPlusCaller(
        over_wsgi(app),
        client_id=instance.CLIENT_ID,
        key=load_private_key(str(home / "alipayplus.pem")),
        server_keys={"1": load_public_key(str(home / "wallet.pub"))},
        psp_id=instance.PSP_ID,
    )


@pytest.fixture
def wallet(app: Flask) -> Callable[..., Result]:
    """Run ``flask --app example_app wallet ...``."""

    def run(*words: str) -> Result:
        return app.test_cli_runner().invoke(args=["wallet", *words])

    return run
