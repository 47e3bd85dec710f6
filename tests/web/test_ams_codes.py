"""Each result code of both AMS tables is reached over HTTP by its real cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from flask_otp_mpp import Operation, Reason, refuse
from flask_otp_mpp.callers.ams import PREFIX, SANDBOX_PREFIX
from flask_otp_mpp.callers.ams import AmsAnswer as Answer
from flask_otp_mpp.callers.transport import over_http
from flask_otp_mpp.protocols.alipay.ams import CODES
from flask_otp_mpp.protocols.alipay.common import SUCCESS
from tests.ams import OTHER, SANDBOXED, Shop, open_shop, wrong
from tests.servers import serving
from tests.wallet import Wallet
from tests.web.failing import SmsGateway, crash_on_odd_tokens

Provoke = Callable[[Shop], Answer]
INIT, VERIFY = Operation.SEND, Operation.VERIFY
CASES: list[tuple[Operation, str, Provoke]] = []


def case(operation: Operation, code: str) -> Callable[[Provoke], Provoke]:
    """File a way to provoke a code."""

    def file(provoke: Provoke) -> Provoke:
        CASES.append((operation, code, provoke))
        return provoke

    return file


def on_both(code: str) -> Callable[[Callable[[Shop, Operation], Answer]], None]:
    """File a way that works for both operations."""

    def file(provoke: Callable[[Shop, Operation], Answer]) -> None:
        for operation in (INIT, VERIFY):
            CASES.append((operation, code, lambda s, o=operation: provoke(s, o)))  # type: ignore[misc]

    return file


def ask(shop: Shop, operation: Operation, **more: Any) -> Answer:
    """Call the operation with a request that is well formed, but for what is said."""
    if operation is INIT:
        return shop.init(**more)
    return shop.caller.verify("AUTH_REQ_NONE", "123456", **more)


def later(shop: Shop, opinion: Callable[[], str | None]) -> Answer:
    """Verify the right code after the host has come to think otherwise of its user."""
    request_id, code = shop.asked()
    shop.meanwhile["ada"] = opinion
    return shop.caller.verify(request_id, code)


def refusing(reason: Reason) -> Callable[[], str | None]:
    return lambda: refuse(reason)


def crashing() -> str | None:
    raise ConnectionError("the user database is away")


@pytest.fixture
def online(make_wallet: Callable[..., Wallet]) -> Iterator[Shop]:
    """Serve merchants over HTTP."""
    gateway = SmsGateway()
    shop = open_shop(
        make_wallet,
        sender=gateway,
        loader=crash_on_odd_tokens,
        OTP_MPP_CLIENT_LIMIT="20 per hour",
        store="sqlite",
    )
    gateway.wallet = shop.wallet
    shop.wallet.clock.now = datetime.now(UTC)
    with serving(shop.wallet.app) as url:
        shop.caller = shop.calling(over_http(url))
        yield shop


@case(INIT, "SUCCESS")
def _(shop: Shop) -> Answer:
    return shop.init()


@case(INIT, "SUCCESS")
def _(shop: Shop) -> Answer:
    return shop.init(channel="EMAIL")


@case(VERIFY, "SUCCESS")
def _(shop: Shop) -> Answer:
    return shop.caller.verify(*shop.asked())


@on_both("ACCESS_DENIED")
def _(shop: Shop, operation: Operation) -> Answer:
    return ask(shop, operation, tamper="stale")


@on_both("ACCESS_DENIED")
def _(shop: Shop, operation: Operation) -> Answer:
    shop.caller = shop.calling(shop.caller._transport, prefix=SANDBOX_PREFIX)
    return ask(shop, operation)


@on_both("ACCESS_DENIED")
def _(shop: Shop, operation: Operation) -> Answer:
    shop.caller = shop.calling(shop.caller._transport, client_id=SANDBOXED, prefix=PREFIX)
    return ask(shop, operation)


@case(INIT, "ACCESS_DENIED")
def _(shop: Shop) -> Answer:
    return shop.init("barred")


@case(VERIFY, "ACCESS_DENIED")
def _(shop: Shop) -> Answer:
    return later(shop, refusing(Reason.ACCESS_DENIED))


@on_both("API_INVALID")
def _(shop: Shop, operation: Operation) -> Answer:
    return shop.caller.call(f"/{operation}Authentications", {})


@on_both("CLIENT_INVALID")
def _(shop: Shop, operation: Operation) -> Answer:
    return ask(shop, operation, tamper="client")


@on_both("CLIENT_INVALID")
def _(shop: Shop, operation: Operation) -> Answer:
    return ask(shop, operation, tamper="no-client")


@on_both("SIGNATURE_INVALID")
def _(shop: Shop, operation: Operation) -> Answer:
    return ask(shop, operation, tamper="body")


@on_both("SIGNATURE_INVALID")
def _(shop: Shop, operation: Operation) -> Answer:
    return ask(shop, operation, tamper="path")


@on_both("KEY_NOT_FOUND")
def _(shop: Shop, operation: Operation) -> Answer:
    return ask(shop, operation, tamper="key-version")


@on_both("MEDIA_TYPE_NOT_ACCEPTABLE")
def _(shop: Shop, operation: Operation) -> Answer:
    return ask(shop, operation, tamper="media-type")


@on_both("METHOD_NOT_SUPPORTED")
def _(shop: Shop, operation: Operation) -> Answer:
    return ask(shop, operation, tamper="method")


@on_both("PARAM_ILLEGAL")
def _(shop: Shop, operation: Operation) -> Answer:
    return ask(shop, operation, authenticationType="PASSWORD")


@on_both("PARAM_ILLEGAL")
def _(shop: Shop, operation: Operation) -> Answer:
    path = shop.caller.paths[operation is VERIFY]
    return shop.caller.call(path, b" " * 20_000)


@case(INIT, "PARAM_ILLEGAL")
def _(shop: Shop) -> Answer:
    return shop.init(channel="PIGEON")


@case(INIT, "PARAM_ILLEGAL")
def _(shop: Shop) -> Answer:
    return shop.init("tok-homeless")


@case(INIT, "PARAM_ILLEGAL")
def _(shop: Shop) -> Answer:
    request_id, _code = shop.asked()
    return shop.init("tok-bob", request_id)


@case(INIT, "PROCESS_FAIL")
def _(shop: Shop) -> Answer:
    return shop.init("tok-blocked")


@case(INIT, "PROCESS_FAIL")
def _(shop: Shop) -> Answer:
    return shop.init("failing")


@case(INIT, "PROCESS_FAIL")
def _(shop: Shop) -> Answer:
    shop.asked()
    return shop.caller.init("tok-ada", shop.fresh_id())


@case(VERIFY, "PROCESS_FAIL")
def _(shop: Shop) -> Answer:
    return later(shop, refusing(Reason.PROCESS_FAILED))


@case(INIT, "INVALID_ACCESS_TOKEN")
def _(shop: Shop) -> Answer:
    return shop.init("expired")


@case(INIT, "INVALID_ACCESS_TOKEN")
def _(shop: Shop) -> Answer:
    return shop.init("nobody's token")


@case(INIT, "INVALID_ACCESS_TOKEN")
def _(shop: Shop) -> Answer:
    return shop.init("unscoped")


@case(VERIFY, "INVALID_ACCESS_TOKEN")
def _(shop: Shop) -> Answer:
    return later(shop, refusing(Reason.TOKEN_INVALID))


@case(VERIFY, "INVALID_ACCESS_TOKEN")
def _(shop: Shop) -> Answer:
    return later(shop, refusing(Reason.TOKEN_EXPIRED))


@case(INIT, "USER_NOT_EXIST")
def _(shop: Shop) -> Answer:
    return shop.init("gone")


@case(VERIFY, "USER_NOT_EXIST")
def _(shop: Shop) -> Answer:
    return later(shop, lambda: None)


@case(INIT, "USER_STATUS_ABNORMAL")
def _(shop: Shop) -> Answer:
    return shop.init("frozen")


@case(VERIFY, "USER_STATUS_ABNORMAL")
def _(shop: Shop) -> Answer:
    return later(shop, refusing(Reason.USER_ABNORMAL))


@on_both("REQUEST_TRAFFIC_EXCEED_LIMIT")
def _(shop: Shop, operation: Operation) -> Answer:
    for _attempt in range(20):
        ask(shop, operation)
    return ask(shop, operation)


@case(INIT, "UNKNOWN_EXCEPTION")
def _(shop: Shop) -> Answer:
    return shop.init("tok-crash")


@case(INIT, "UNKNOWN_EXCEPTION")
def _(shop: Shop) -> Answer:
    return shop.init("tok-timeout")


@case(VERIFY, "UNKNOWN_EXCEPTION")
def _(shop: Shop) -> Answer:
    return later(shop, crashing)


@case(VERIFY, "VERIFY_UNMATCHED")
def _(shop: Shop) -> Answer:
    request_id, code = shop.asked()
    return shop.caller.verify(request_id, wrong(code))


@case(VERIFY, "VERIFY_UNMATCHED")
def _(shop: Shop) -> Answer:
    request_id, code = shop.asked()
    return shop.caller.verify(request_id, f" {code}")


@case(VERIFY, "VERIFY_TIMES_EXCEED_LIMIT")
def _(shop: Shop) -> Answer:
    request_id, code = shop.asked()
    for attempt in range(5):
        shop.caller.verify(request_id, wrong(code, attempt))
    return shop.caller.verify(request_id, code)


@case(VERIFY, "VERIFY_TIMES_EXCEED_LIMIT")
def _(shop: Shop) -> Answer:
    by_mail, code = shop.asked(channel="EMAIL")
    for _challenge in range(2):
        request_id, other = shop.asked()
        for attempt in range(5):
            shop.caller.verify(request_id, wrong(other, attempt))
    return shop.caller.verify(by_mail, code)


@case(VERIFY, "AUTHENTICATION_REQUEST_ID_INVALID")
def _(shop: Shop) -> Answer:
    return shop.caller.verify("unheard-of", "123456")


@case(VERIFY, "AUTHENTICATION_REQUEST_ID_INVALID")
def _(shop: Shop) -> Answer:
    request_id, code = shop.asked()
    shop.caller.verify(request_id, code)
    return shop.caller.verify(request_id, code)


@case(VERIFY, "AUTHENTICATION_REQUEST_ID_INVALID")
def _(shop: Shop) -> Answer:
    request_id, code = shop.asked()
    shop.wallet.clock.forward(seconds=300)
    return shop.caller.verify(request_id, code)


@case(VERIFY, "AUTHENTICATION_REQUEST_ID_INVALID")
def _(shop: Shop) -> Answer:
    request_id, code = shop.asked()
    shop.asked()
    return shop.caller.verify(request_id, code)


@case(VERIFY, "AUTHENTICATION_REQUEST_ID_INVALID")
def _(shop: Shop) -> Answer:
    request_id, code = shop.asked()
    return shop.calling(shop.caller._transport, client_id=OTHER).verify(request_id, code)


@case(VERIFY, "AUTHENTICATION_REQUEST_ID_INVALID")
def _(shop: Shop) -> Answer:
    request_id = shop.init("tok-blocked").request_id
    return shop.caller.verify(request_id, "123456")


@pytest.mark.parametrize(
    ("operation", "code", "provoke"),
    [pytest.param(*entry, id=f"{i}-{entry[0]}-{entry[1]}") for i, entry in enumerate(CASES)],
)
def test_a_cause_is_answered_by_its_code(
    operation: Operation, code: str, provoke: Provoke, online: Shop
) -> None:
    """O5: signed, with the status of the table, and never with more than it may say."""
    answer = provoke(online)
    assert (answer.response.status, answer.code, answer.verified) == (200, code, True)
    rows = {row.code: row.status for row in (*CODES.values(), SUCCESS)}
    assert answer.status == rows[code]
    assert len(answer.message) <= 256
    assert set(answer.json) <= {"result", "authenticationRequestId", "isPassed"}
    compared = {"SUCCESS": True, "VERIFY_UNMATCHED": False}
    assert answer.passed is (compared.get(code) if operation is VERIFY else None)


@pytest.mark.parametrize("operation", [INIT, VERIFY])
def test_no_code_of_a_table_is_left_out(operation: Operation) -> None:
    """O5: a code that is added to a table must be provoked here too."""
    table = {row.code for row in (*CODES.values(), SUCCESS) if operation in row.operations}
    assert {code for asked, code, _ in CASES if asked is operation} == table
