"""Pages of the trial in a browser: one wallet and one browser for each module of tests.

What a page writes to the console as an error, and what it could not load, fails its test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from example_app import create_app, instance
from example_app.demo.__main__ import signing
from example_app.demo.server import serving
from example_app.otp import access_tokens
from example_app.records import Grant, User, receive, records
from flask_otp_mpp import SQLAlchemyStore, state_of
from flask_otp_mpp.callers import AlipayPlusCaller, over_http
from tests.services import program

FLAGS: Final = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 900}
PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
OWN: Final = "http://127.0.0.1:"
Open = Callable[..., Page]


@dataclass
class Trial:
    """A wallet that is served.

    :param home: its instance folder.
    :param app: the same wallet in this process, which works on its tables.
    """

    url: str
    home: Path
    app: Flask

    def caller(self) -> AlipayPlusCaller:
        signs = signing(self.home, instance.CLIENT_ID, "alipayplus.pem")
        return AlipayPlusCaller(over_http(self.url), psp_id=instance.PSP_ID, **signs)

    def new_user(self, name: str, phone: str | None = None, email: str | None = None) -> str:
        """Add a user of whom nothing is known, and return an access token."""
        grant = Grant(user_id=name.lower())
        with self.app.app_context():
            with records() as session, session.begin():
                session.add_all([User(id=name.lower(), name=name, phone=phone, email=email), grant])
            return access_tokens().mint(grant.id, client=instance.CLIENT_ID)

    def receive(self, channel: str, address: str, text: str) -> None:
        """Store a message that a user receives."""
        with self.app.app_context():
            receive(channel, address, text)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Serve a wallet by ``flask run``, as ``make serve`` does."""
    home = tmp_path_factory.mktemp("trial") / "instance"
    instance.fill(home)
    app = create_app(str(home))
    with serving(home) as url:
        yield Trial(url, home, app)
    app.extensions["records"].dispose()
    store = state_of(app).store
    assert isinstance(store, SQLAlchemyStore)
    store.engine.dispose()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start a browser with a fresh profile."""
    path = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def errors() -> Iterator[list[str]]:
    """Collect what pages complain of; what a test does not remove fails it."""
    collected: list[str] = []
    yield collected
    assert collected == []


@pytest.fixture
def open_page(trial: Trial, chromium: Browser, errors: list[str]) -> Iterator[Open]:
    """Open a page by its path; options are those of a browser context."""
    contexts: list[BrowserContext] = []

    def open_it(path: str, **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "request",
            lambda sent: errors.append(sent.url) if not sent.url.startswith(OWN) else None,
        )
        page.goto(urljoin(trial.url, path))
        return page

    yield open_it
    for context in contexts:
        context.close()


def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    root = "document.documentElement"
    return int(page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


def findings(page: Page) -> list[str]:
    """Return what axe finds wrong that is serious or critical, each with the first place."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
