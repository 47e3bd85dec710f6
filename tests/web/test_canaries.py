"""No sink receives a canary: a code, token, address, pepper, key or body that the tests know.

One app serves all three protocols, with an audit trail, metrics and spans. For each protocol codes
are sent and entered, requests are refused, and each hook and each verb of the store raises.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, NamedTuple

import pytest
import sqlalchemy as sa

from flask_otp_mpp import ConfigurationError, Reason, SQLAlchemyStore, otp_sent
from flask_otp_mpp.callers.google import GoogleCaller
from flask_otp_mpp.callers.transport import over_wsgi
from flask_otp_mpp.signing.keys import private_pem
from tests.ams import Shop
from tests.commands import run
from tests.protocols.google import sides
from tests.wallet import CLIENT, Wallet, key, open_wallet
from tests.web.canaries import (
    CANARIES,
    HOOKS,
    NUMBER,
    PASSWORD,
    TOKEN,
    TYPED,
    USER,
    VERBS,
    Trouble,
    open_app,
)
from tests.web.sinks import Sink, Sinks

pytestmark = pytest.mark.slow


class Side(NamedTuple):
    """One protocol's caller, in the same two calls for all.

    :ivar send: sends a code to a credential; returns the answer and the challenge's name.
    """

    credential: str
    send: Callable[..., tuple[Any, str]]
    verify: Callable[..., Any]


def sides_of(wallet: Wallet) -> dict[str, Side]:
    shop, ids = Shop(wallet, {}), count()
    account = sides.jose_google()
    google = GoogleCaller.from_account(over_wsgi(wallet.app), account, clock=wallet.clock)

    def send(token: str, **how: Any) -> tuple[Any, str]:
        answer = wallet.caller.send(token, **how)
        return answer, answer.verify_request_id

    def init(token: str, **how: Any) -> tuple[Any, str]:
        request_id = f"AUTH_REQ_{next(ids):04}"
        return shop.caller.init(token, request_id, **how), request_id

    def send_google(number: str, **how: Any) -> tuple[Any, str]:
        answer = google.send(number, **how)
        return answer, answer.request_id

    def verify(challenge: str, code: str, **how: Any) -> Any:
        return wallet.caller.verify(TOKEN, challenge, code, **how)

    return {
        "alipayplus": Side(TOKEN, send, verify),
        "ams": Side(TOKEN, init, shop.caller.verify),
        "google": Side(NUMBER, send_google, google.verify),
    }


def drive(wallet: Wallet, side: Side, trouble: Trouble) -> Iterator[Any]:
    """Have a protocol's requests end in every way; yield the answers."""
    who, send, verify = side

    def sent() -> tuple[Any, str]:
        wallet.clock.forward(seconds=61)
        return send(who)

    answer, challenge = sent()
    yield answer
    code = trouble.codes[-1]
    for typed in (TYPED[0], TYPED[1], code, code):
        yield verify(challenge, typed)
    yield send(who)[0]  # within the cool-down
    wallet.clock.forward(seconds=61)
    yield send(f"{who}9")[0]  # nobody's
    yield send(who, tamper="signature")[0]
    yield verify(challenge, code, tamper="signature")
    trouble.refused = True
    yield sent()[0]
    trouble.refused = False
    answer, challenge = sent()
    yield answer
    for typed in (TYPED[0], TYPED[0], TYPED[0], trouble.codes[-1]):
        yield verify(challenge, typed)  # locked
    yield sent()[0]
    run(wallet.app, "unlock", USER)
    for trouble.at in (*HOOKS, *VERBS, ""):
        answer, challenge = sent()
        yield answer
        yield verify(challenge, trouble.codes[-1])
    with unreadable(wallet):
        yield sent()[0]


@contextmanager
def unreadable(wallet: Wallet) -> Iterator[None]:
    """Let the database fail for the length of a block."""
    store = wallet.state.store
    assert isinstance(store, SQLAlchemyStore)
    names = "otp_mpp_requests", "elsewhere"
    for old, new in (names, names[::-1]):
        with store.engine.begin() as db:
            db.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))
        if new == "elsewhere":
            yield


def refuse_to_start(sinks: Sinks) -> None:
    """Collect what an app with faulty secrets says."""
    pem = private_pem(key("wallet")).decode()
    with pytest.raises(ConfigurationError) as error:
        open_wallet(
            store=f"oracle://otp:{PASSWORD}@db.example/otp",
            OTP_MPP_PEPPER=PASSWORD,
            OTP_MPP_PRIVATE_KEYS={"1": pem[:-200]},
        )
    sinks.keep_error(error.value)


class Received(NamedTuple):
    """What was collected, and the codes that were sent meanwhile."""

    sinks: Sinks
    trouble: Trouble


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Received:
    sinks = Sinks()
    trouble = Trouble(sinks)
    with sinks.listening(), otp_sent.connected_to(trouble.receive):
        wallet = open_app(tmp_path_factory.mktemp("canaries"), trouble)
        for side in sides_of(wallet).values():
            for answer in drive(wallet, side, trouble):
                opened = getattr(answer, "opened", None)
                text = f"{answer.response.headers} {answer.response.body!r} {opened} {answer.json}"
                sinks.texts[Sink.ANSWERS].append(text)
        refuse_to_start(sinks)
        for sink, arguments in COMMANDS.items():
            done = run(wallet.app, *arguments)
            assert done.exit_code == 0, done.output
            sinks.texts[sink] += done.output.splitlines()
    store = wallet.state.store
    assert isinstance(store, SQLAlchemyStore)
    with store.engine.connect() as db:
        rows = db.execute(sa.text("SELECT * FROM otp_mpp_audit")).all()
    sinks.texts[Sink.AUDIT_ROWS] += map(repr, rows)
    store.engine.dispose()
    return Received(sinks, trouble)


COMMANDS: Final = {
    Sink.AUDIT_EXPORT: ("audit", "export", "--from", "2020-01-01"),
    Sink.SHOW: ("show", USER),
    Sink.SHOW_JSON: ("show", USER, "--json"),
}
KNOWN: Final = {
    Sink.LOG_LINES: f"user={USER}",
    Sink.LOG_FIELDS: f"'otp_subject': '{USER}'",
    Sink.SIGNALS: f"subject='{USER}'",
    Sink.METRICS: f'client="{CLIENT}"',
    Sink.SPANS: '"otp_mpp.client": "gpay"',
    Sink.FRAMES: "OtpService._send_new",
    Sink.STACK: "OtpService._send_new",
    Sink.ERRORS: "OTP_MPP_PEPPER",
    Sink.AUDIT_ROWS: USER,
    Sink.AUDIT_EXPORT: USER,
    Sink.SHOW: "Recent events:",
    Sink.SHOW_JSON: USER,
    Sink.ANSWERS: "OTP_NOT_MATCHED",
}
"""A text that each sink must receive: so what is not found in it is not there."""


ENDS: Final = {
    Reason.SIGNATURE_INVALID,
    Reason.SEND_LIMITED,
    Reason.SEND_LOCKED,
    Reason.DELIVERY_REFUSED,
    Reason.CODE_UNMATCHED,
    Reason.CHALLENGE_USED,
    Reason.USER_LOCKED,
    Reason.UNFORESEEN,
}
"""Of these each protocol must have had one."""


@pytest.mark.parametrize("sink", Sink)
def test_a_sink_receives_what_it_should_and_no_canary(received: Received, sink: Sink) -> None:
    """P1, O10, O11, X7: whatever a request does, and whatever raises in it."""
    text = "\n".join(received.sinks.texts[sink])
    assert KNOWN[sink] in text
    for canary in (*CANARIES, *received.trouble.codes):
        assert canary not in text, canary


def test_the_requests_have_ended_in_every_way_for_each_protocol(received: Received) -> None:
    """P1: so the sinks were told of all of it."""
    found: defaultdict[str, set[Reason | None]] = defaultdict(set)
    for event in received.sinks.events:
        found[event.protocol].add(event.reason)
    for protocol in ("alipayplus", "ams", "google"):
        assert found[protocol] >= {None, *ENDS}
    assert received.trouble.raised == {*HOOKS, *VERBS}
