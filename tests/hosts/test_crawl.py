"""Each answer under the prefix is signed, whatever is requested and whatever fails behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import pytest
from flask_limiter import Limiter

from flask_otp_mpp import MemoryStore, StoreError, otp_refused, otp_sent, otp_verified, refuse
from flask_otp_mpp.callers.transport import Call
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.web.limiter import own_limiter
from tests.hosts.hostile_hosts import SWITCHES, case, open_host, sealed
from tests.wallet import Wallet

VERBS = (
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW",
)  # fmt: skip
PATHS = (
    "/sendOTP", "/verifyOTP", "", "/", "/nothing", "/sendOTP/", "//sendOTP", "/a/b/c",
    "/sendOTP?x=1", "/%00", "/%0A", "/%E4%BD%A0", "/%FF", "/sendotp", "/..", "/%2e%2e/x",
)  # fmt: skip
OPERATIONS = ("/sendOTP", "/verifyOTP")
SOME_PATHS = (*OPERATIONS, "", "/nothing")
BODIES = {
    "malformed": b'{"acquirerId": ',
    "no-object": b"[]",
    "no-text": b"\xff\xfe\x00",
    "empty": b"",
    "deep": b"[" * 9_000,
    "oversize": b" " * 20_000,
}


def fail(*_: object, **__: object) -> NoReturn:
    raise ConnectionError("it is away")


class AwayStore(MemoryStore):
    def reserve(self, *_: Any) -> NoReturn:
        raise StoreError("the database is away")

    def spend(self, *_: Any) -> NoReturn:
        raise StoreError("the database is away")


class AwaySigner:
    version = "1"

    def sign(self, data: bytes) -> bytes:
        raise ConnectionError(f"the HSM is away, {len(data)} bytes are not signed")


class AwayLimits:
    """Break the storage of a limiter."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.limiter: Limiter = own_limiter({}, None, "fixed-window")
        monkeypatch.setattr(self.limiter.storage, "incr", fail)


@contextmanager
def failing_receivers() -> Iterator[None]:
    with ExitStack() as stack:
        for signal in (otp_sent, otp_verified, otp_refused):
            stack.enter_context(signal.connected_to(fail))
        yield


def open_faulty(fault: str, switches: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Wallet:
    """Open a wallet with one fault behind it."""
    how: dict[str, Any] = {"config": switches}
    match fault:
        case "limiter":
            how["options"] = {"limiter": AwayLimits(monkeypatch).limiter}
        case "store":
            how["options"] = {"store": AwayStore()}
        case "loader":
            how["loader"] = fail
        case "loader-leaves":
            how["loader"] = lambda *_: refuse(Reason.USER_ABNORMAL, "x" * 9_999)
        case "loader-nonsense":
            how["loader"] = lambda *_: object()
        case "sender":
            how["sender"] = fail
    return open_host(**how)


# The fault, and what a good sendOTP and a good verifyOTP are answered then.
UNKNOWN = "UNKNOWN_EXCEPTION"
FAULTS = {
    "none": ("SUCCESS", "VERIFY_REQUEST_ID_INVALID"),
    "limiter": (UNKNOWN, UNKNOWN),
    "store": (UNKNOWN, UNKNOWN),
    "loader": (UNKNOWN, UNKNOWN),
    "loader-leaves": ("USER_STATUS_ABNORMAL", "USER_STATUS_ABNORMAL"),
    "loader-nonsense": (UNKNOWN, UNKNOWN),
    "sender": (UNKNOWN, "VERIFY_REQUEST_ID_INVALID"),
    "receivers": ("SUCCESS", "VERIFY_REQUEST_ID_INVALID"),
}


def calls(wallet: Wallet, *, every_pair: bool) -> Iterator[Call]:
    """Yield each verb and each path, each body and media type on both operations.

    :param every_pair: whether each verb is called on each path; else on four of them, as the path
        does not decide what a broken store or hook can do.
    """
    for path in PATHS:
        for verb in VERBS if every_pair or path in SOME_PATHS else ["POST"]:
            yield wallet.caller.prepare(path, {}, method=verb)[0]
    for path in OPERATIONS:
        for body in BODIES.values():
            yield wallet.caller.prepare(path, body)[0]
        plain = wallet.caller.prepare(path, {})[0]
        for media_type in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ):
            yield replace(plain, headers={**plain.headers, "content-type": media_type})
        yield replace(plain, headers={})


@pytest.mark.parametrize(
    ("fault", "switches"),
    [
        case("none", switches="plain"),
        case("store", switches="plain"),
        *(
            pytest.param(fault, "plain", marks=pytest.mark.slow)
            for fault in FAULTS
            if fault not in {"none", "store"}
        ),
        *(case("none", switches=name) for name in SWITCHES if name != "plain"),
        case("store", switches="debug"),
        case("sender", switches="trapping"),
    ],
)
@pytest.mark.alike(2)
def test_every_answer_under_the_prefix_is_signed(
    fault: str, switches: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G9: verbs x paths x faults, and malformed bodies."""
    wallet = open_faulty(fault, SWITCHES[switches], monkeypatch)
    with failing_receivers() if fault == "receivers" else ExitStack():
        codes = set()
        for call in calls(wallet, every_pair=fault == "none"):
            answer = wallet.caller.deliver(call)
            if call.method == "HEAD":
                assert answer.response.status == 200
                assert answer.response.body == b""
                assert "signature" in dict(answer.response.headers)
                continue
            codes.add(sealed(answer))
        send = wallet.send()
        verify = wallet.caller.verify("tok-ada", "unheard-of", "123456")
        assert (sealed(send), sealed(verify)) == FAULTS[fault]
    if fault == "limiter":
        assert codes == {UNKNOWN, "PARAM_ILLEGAL"}  # the latter for bodies that are too long
    else:
        assert codes >= {"NO_INTERFACE_DEF", "METHOD_NOT_SUPPORTED", "PARAM_ILLEGAL"}
    assert len(wallet.inbox) == (fault in {"none", "receivers"})


@pytest.mark.parametrize("switches", ["plain", "debug", "trapping"])
@pytest.mark.alike(3)
def test_without_a_signer_the_answer_is_an_empty_503(switches: str) -> None:
    """G9: HTTP 503 and not a byte more; never an unsigned statement."""
    wallet = open_host(options={"signer": AwaySigner()}, config=SWITCHES[switches])
    wallet.app.add_url_rule("/page", "page", lambda: "page")
    for call in [
        *calls(wallet, every_pair=switches == "plain"),
        *(wallet.caller.prepare("/sendOTP", {})[0] for _ in range(2)),
    ]:
        answer = wallet.caller.deliver(call).response
        assert (answer.status, answer.body) == (503, b"")
        assert answer.headers == (("content-length", "0"), ("cache-control", "no-store"))
    assert wallet.app.test_client().get("/page").text == "page"


@pytest.mark.parametrize("hook", ["before", "after"])
def test_without_a_signer_a_hook_of_the_host_can_not_answer_either(hook: str) -> None:
    """G9: a page of the host in place of our answer would be an unsigned statement."""
    wallet = open_host(options={"signer": AwaySigner()})
    if hook == "before":
        wallet.app.before_request(lambda: "SUCCESS")
    else:
        wallet.app.after_request(lambda _: wallet.app.make_response("SUCCESS"))
    answer = wallet.send().response
    assert (answer.status, answer.body) == (503, b"")
