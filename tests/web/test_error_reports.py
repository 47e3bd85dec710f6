"""What an error reporter gets of our frames holds no secret; measured by Sentry's SDK.

It is configured to send all that it can: locals, the whole stack of each message and exception,
personal data, and without its own list of names to mask.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from itertools import dropwhile
from typing import Any

import pytest
import sentry_sdk
from blinker import NamedSignal
from flask import Flask
from flask.signals import got_request_exception
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.flask import FlaskIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.sqlalchemy import SqlalchemyIntegration
from sentry_sdk.scrubber import EventScrubber
from sentry_sdk.transport import Transport

from flask_otp_mpp import Caller, otp_refused, otp_sent, otp_verified, state_of, user_locked
from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.message import Composer
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.signing.keys import LocalSigner, private_pem
from flask_otp_mpp.stores import MemoryStore
from flask_otp_mpp.testing import FrozenClock
from tests.codes import LONG_CODE
from tests.wallet import PEPPER, User, Wallet, key
from tests.web.google_wallet import open_google

pytestmark = pytest.mark.slow  # the reporter walks through all frames of the stack

TOKEN, PHONE, EMAIL = "tok-canary-token", "+918067218010", "canary-mail@users.example"
TYPED = "918273"
KEY_LINES = private_pem(key("wallet")).decode().splitlines()[1:-1]
BREADCRUMBS = [
    FlaskIntegration(),
    LoggingIntegration(level=logging.DEBUG, event_level=logging.ERROR),
    SqlalchemyIntegration(),
]
Event = dict[str, Any]


class Kept(Transport):
    """Keep the events instead of sending them."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        event = envelope.get_event()
        if event is not None:
            self.events.append(json.loads(json.dumps(event, default=str)))


@pytest.fixture(params=["flask", "plain"])
def reports(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Kept]]:
    """Return a function that starts Sentry, with its integration for Flask or without it."""
    monkeypatch.setattr("sentry_sdk.serializer.MAX_DATABAG_BREADTH", 10_000)
    monkeypatch.setattr("sentry_sdk.serializer.MAX_DATABAG_DEPTH", 20)
    by_hand = request.param == "plain"

    def report(sender: object, exception: BaseException, **_: object) -> None:
        sentry_sdk.capture_exception(exception)

    def start(**options: Any) -> Kept:
        kept = Kept()
        sentry_sdk.init(
            dsn="https://key@reports.example/1",
            transport=kept,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[] if by_hand else BREADCRUMBS,
            include_local_variables=True,
            attach_stacktrace=True,
            add_full_stack=True,
            max_stack_frames=1000,
            max_value_length=100_000,
            **options or {"event_scrubber": EventScrubber(denylist=[], pii_denylist=[])},
        )
        if by_hand:
            got_request_exception.connect(report)
        return kept

    yield start
    got_request_exception.disconnect(report)
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def shown(kept: Kept) -> str:
    """Return all that was reported but the locals of the host's own frames, and request.data."""
    for event in kept.events:
        event.get("request", {}).pop("data", None)
        stacks = [one.get("stacktrace") for one in event.get("exception", {}).get("values", [])]
        stacks += [one.get("stacktrace") for one in event.get("threads", {}).get("values", [])]
        for stack in [*stacks, event.get("stacktrace")]:
            if not stack:
                continue
            frames = stack["frames"]
            if any(frame["module"] == "flask.app" for frame in frames):  # else the test is below
                frames = list(dropwhile(lambda frame: frame["module"] != "flask.app", frames))
            stack["frames"] = frames
            for frame in frames:
                if frame["module"].startswith("tests."):
                    frame.pop("vars", None)
    return json.dumps(kept.events)


def frames(kept: Kept) -> Iterator[dict[str, Any]]:
    for event in kept.events:
        for one in event.get("exception", {}).get("values", []):
            yield from one.get("stacktrace", {}).get("frames", [])


def assert_masked(kept: Kept, *codes: str) -> None:
    assert kept.events
    text = shown(kept)
    assert "flask_otp_mpp" in text  # our frames are in it
    for canary in (TOKEN, PHONE, EMAIL, TYPED, PEPPER, *KEY_LINES, *codes):
        assert canary not in text, canary


def load(token: str, caller: Caller) -> User | None:
    return User("u1", PHONE, EMAIL) if token == TOKEN else None


def fail(*_: object, **__: object) -> Any:
    """Report the stack as it is, and raise."""
    sentry_sdk.capture_message("seen from a hook")
    raise RuntimeError("failed")


class FailingStore(MemoryStore):
    """A store of the host that fails at one verb, which may be any."""

    def __init__(self, clock: FrozenClock, verb: str) -> None:
        super().__init__(clock)
        self.verb = verb

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        return fail() if self.verb == "reserve" else super().reserve(draft, policy)

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        return fail() if self.verb == "spend" else super().spend(attempt, policy)

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        if self.verb == "settle":
            fail()
        super().settle(draft, outcome)


class FailingSigner(LocalSigner):
    """A signer of the host that fails."""

    def sign(self, data: bytes) -> bytes:
        return bytes(fail())


def failing_store(verb: str) -> dict[str, Any]:
    return {"options": {"store": FailingStore(FrozenClock(), verb)}}


def failing_storage(app: Flask) -> None:
    state_of(app).traffic._client_limits = [NoLimit()]  # type: ignore[list-item]


class NoLimit:
    """What fails where a limit is looked up."""

    def __getattr__(self, name: str) -> Any:
        return fail()


def misspelt(app: Flask) -> None:
    """Let the real composer fail on the code."""
    state_of(app).service._composer = Composer("Wallet", "wallet.example", "{code:d}")


class Nameless:
    """A user of the host without an id, whose repr is an address."""

    def __repr__(self) -> str:
        return f"<User {PHONE} {EMAIL}>"


class Ended(BaseException):
    """What ends a hook and is no ``Exception``, as gevent's Timeout."""


def end(*_: object) -> None:
    raise Ended


PLACES: dict[str, Callable[[], dict[str, Any]]] = {
    "sender": lambda: {"sender": fail},
    "sender in the acceptance mode": lambda: {"sender": fail, "OTP_MPP_TRIAL": True},
    "sender that ends by no exception": lambda: {"sender": end},
    "loader that ends by no exception": lambda: {"loader": end},
    "loader": lambda: {"loader": fail},
    "identity": lambda: {"prepare": lambda app, otp: otp.user_identity(fail)},
    "no identity": lambda: {"loader": lambda token, caller: Nameless()},
    "client_key": lambda: {
        "prepare": lambda app, otp: otp.client_key(fail),
        "OTP_MPP_ALIPAYPLUS_CLIENTS": None,
    },
    "reserve": lambda: failing_store("reserve"),
    "settle": lambda: failing_store("settle"),
    "spend": lambda: failing_store("spend"),
    "signer": lambda: {"options": {"signer": FailingSigner("1", key("wallet"))}},
    "limiter": lambda: {"finish": failing_storage},
    "composer": lambda: {"finish": misspelt},
}


@pytest.mark.parametrize("place", PLACES)
def test_a_reporter_gets_no_secret_from_our_frames(
    place: str, make_wallet: Callable[..., Wallet], reports: Callable[..., Kept]
) -> None:
    """X7: wherever a host's code raises, or looks at the stack."""
    kept = reports()
    wallet = make_wallet(**{"loader": load, "OTP_MPP_CODE_DIGITS": LONG_CODE, **PLACES[place]()})
    wallet.send(TOKEN)
    wallet.caller.verify(TOKEN, "some-id", TYPED)
    functions = {frame["function"] for frame in frames(kept)}
    assert functions >= {"_view", "handle"}
    assert_masked(kept, *(message.code for _, message in wallet.inbox.received))


@pytest.mark.parametrize("signal", [otp_sent, otp_refused, user_locked])
def test_a_receiver_of_a_signal_finds_no_secret_on_the_stack(
    signal: NamedSignal, make_wallet: Callable[..., Wallet], reports: Callable[..., Kept]
) -> None:
    """X7: what it reports has the whole stack, our frames too."""
    kept = reports()
    wallet = make_wallet(loader=load, OTP_MPP_FAILURE_LIMIT=2, OTP_MPP_CODE_DIGITS=LONG_CODE)
    with signal.connected_to(fail):
        request_id = wallet.send(TOKEN).verify_request_id
        code = wallet.inbox.code
        assert code != TYPED
        for _ in "12":
            wallet.caller.verify(TOKEN, request_id, TYPED)
    assert_masked(kept, code)


def test_neither_log_nor_database_leave_a_secret_in_a_breadcrumb(
    make_wallet: Callable[..., Wallet],
    reports: Callable[..., Kept],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """X7: a report has the last log lines and statements before it, with their parameters."""
    monkeypatch.setattr(logging.getLogger("sqlalchemy.engine"), "level", logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("flask_otp_mpp"), "level", logging.DEBUG)
    kept = reports(max_breadcrumbs=1000)
    wallet = make_wallet(store="sqlite", loader=load, OTP_MPP_CODE_DIGITS=LONG_CODE)
    request_id = wallet.send(TOKEN).verify_request_id
    code = wallet.inbox.code
    wallet.caller.verify(TOKEN, request_id, TYPED)
    with otp_verified.connected_to(fail):
        wallet.caller.verify(TOKEN, request_id, code)
    assert_masked(kept, code)


@pytest.mark.parametrize("place", ["sender", "loader"])
def test_a_phone_number_from_google_is_in_no_frame_of_ours(
    place: str, reports: Callable[..., Kept]
) -> None:
    """X7: the number is in the body, and finds the user."""
    kept = reports()
    how: dict[str, Any] = {place: fail}
    wallet = open_google(**how)
    wallet.app.config["PROPAGATE_EXCEPTIONS"] = False
    wallet.google.send(PHONE)
    assert_masked(kept)


def test_frames_that_read_a_body_are_left_empty(reports: Callable[..., Kept]) -> None:
    """X7: they hold the fields as texts, and a library that they call may fail."""

    def number(text: str) -> str:
        raise RuntimeError("failed")

    kept = reports()
    wallet = open_google()
    wallet.app.config["PROPAGATE_EXCEPTIONS"] = False
    (reader,) = wallet.protocol._readers.values()
    object.__setattr__(reader, "number", number)
    wallet.google.send(PHONE)
    assert "_credential" in {frame["function"] for frame in frames(kept)}
    assert_masked(kept)


@pytest.mark.parametrize(
    "settings",
    [
        {"store": "postgresql+psycopg://otp:canary-pw@127.0.0.1:1/otp"},
        {"store": "mysql+pymysql://otp:canary-pw@127.0.0.1:1/otp"},
        {"store": "redis://otp:canary-pw@127.0.0.1:1/0"},
        {"OTP_MPP_LIMITER_STORAGE": "redis://otp:canary-pw@127.0.0.1:1/0"},
    ],
    ids=["postgresql", "mysql", "redis", "limiter"],
)
def test_the_frames_of_a_driver_hold_no_password(
    settings: dict[str, str], make_wallet: Callable[..., Wallet], reports: Callable[..., Kept]
) -> None:
    """X7: they are in the traceback of an error that says that the server is away."""
    kept = reports()
    wallet = make_wallet(loader=load, **settings)
    wallet.send(TOKEN)
    wallet.caller.verify(TOKEN, "some-id", TYPED)
    modules = {frame["module"].partition(".")[0] for frame in frames(kept)}
    assert modules & {"psycopg", "pymysql", "redis"}
    assert_masked(kept, "canary-pw")


def test_the_body_of_a_request_is_reported_unless_a_setting_stops_it(
    request: pytest.FixtureRequest,
    make_wallet: Callable[..., Wallet],
    reports: Callable[..., Kept],
) -> None:
    """X7: this is Sentry's own reading of the request; docs/security.md names the settings."""
    seen = {}
    wanted: dict[str, dict[str, Any]] = {
        "default": {},
        "size": {"max_request_body_size": "never"},
        "collection": {"data_collection": {"http_bodies": []}},
    }
    for name, options in wanted.items():
        kept = reports(**options)
        wallet = make_wallet(loader=fail)
        wallet.send(TOKEN)
        seen[name] = any(TOKEN in json.dumps(event.get("request", {})) for event in kept.events)
    reads_requests = request.node.callspec.params["reports"] == "flask"
    assert seen == {"default": reads_requests, "size": False, "collection": False}
