"""Each result code of both tables is reached over HTTP by its real cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from flask_otp_mpp import Operation
from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer as Answer
from flask_otp_mpp.callers.transport import over_http
from flask_otp_mpp.protocols.alipay.alipayplus import CODES
from flask_otp_mpp.protocols.alipay.common import SUCCESS
from tests.servers import serving
from tests.wallet import ACQUIRER, Wallet
from tests.web.failing import SmsGateway, crash_on_odd_tokens

Provoke = Callable[[Wallet], Answer]
SEND, VERIFY = Operation.SEND, Operation.VERIFY
CASES: list[tuple[Operation, str, Provoke]] = []


def case(operation: Operation, code: str) -> Callable[[Provoke], Provoke]:
    """File a way to provoke a code."""

    def file(provoke: Provoke) -> Provoke:
        CASES.append((operation, code, provoke))
        return provoke

    return file


def on_both(code: str) -> Callable[[Callable[[Wallet, Operation], Answer]], None]:
    """File a way that works for both operations."""

    def file(provoke: Callable[[Wallet, Operation], Answer]) -> None:
        for operation in (SEND, VERIFY):
            CASES.append((operation, code, lambda w, o=operation: provoke(w, o)))  # type: ignore[misc]

    return file


def ask(wallet: Wallet, operation: Operation, token: str = "tok-ada", **more: Any) -> Answer:
    """Call the operation with a request that is well formed, but for what is said."""
    if operation is SEND:
        return wallet.send(token, **more)
    return wallet.caller.verify(token, "0" * 44, "123456", **more)


@pytest.fixture
def online(make_wallet: Callable[..., Wallet]) -> Iterator[Wallet]:
    """Serve a wallet over HTTP."""
    gateway = SmsGateway()
    wallet = make_wallet(
        sender=gateway,
        loader=crash_on_odd_tokens,
        OTP_MPP_ALIPAYPLUS_ACQUIRERS=[ACQUIRER],
        OTP_MPP_CLIENT_LIMIT="20 per hour",
        store="sqlite",
    )
    gateway.wallet = wallet
    wallet.clock.now = datetime.now(UTC)
    with serving(wallet.app) as url:
        wallet.caller = wallet.calling(over_http(url))
        yield wallet


@case(SEND, "SUCCESS")
def _(wallet: Wallet) -> Answer:
    return wallet.send()


@case(VERIFY, "SUCCESS")
def _(wallet: Wallet) -> Answer:
    return wallet.caller.verify("tok-ada", *wallet.sent())


@on_both("ACCESS_DENIED")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, tamper="stale")


@on_both("ACCESS_DENIED")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, acquirerId="1022188000000009999")


@on_both("ACCESS_DENIED")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, "barred")


@on_both("EXPIRED_ACCESS_TOKEN")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, "expired")


@on_both("INVALID_CLIENT")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, tamper="client")


@on_both("INVALID_CLIENT")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, tamper="no-client")


@on_both("INVALID_CLIENT")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, pspId="another wallet's")


@on_both("INVALID_SIGNATURE")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, tamper="body")


@on_both("INVALID_TOKEN")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, "nobody's token")


@on_both("INVALID_TOKEN")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, "unscoped")


@on_both("KEY_NOT_FOUND")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, tamper="key-version")


@on_both("MEDIA_TYPE_NOT_ACCEPTABLE")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, tamper="media-type")


@on_both("METHOD_NOT_SUPPORTED")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, tamper="method")


@on_both("NO_INTERFACE_DEF")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return wallet.caller.call(f"/{operation}OTPs", {})


@on_both("PARAM_ILLEGAL")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, accessToken=12)


@on_both("PARAM_ILLEGAL")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return wallet.caller.call(f"/{operation}OTP", b" " * 20_000)


@case(SEND, "PARAM_ILLEGAL")
def _(wallet: Wallet) -> Answer:
    return wallet.send(verifyType="PIGEON")


@case(SEND, "PARAM_ILLEGAL")
def _(wallet: Wallet) -> Answer:
    return wallet.send("tok-homeless")


@case(SEND, "PROCESS_FAIL")
def _(wallet: Wallet) -> Answer:
    return wallet.send("tok-blocked")


@on_both("PROCESS_FAIL")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, "failing")


@on_both("USER_NOT_EXIST")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, "gone")


@on_both("USER_STATUS_ABNORMAL")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, "frozen")


@on_both("REQUEST_TRAFFIC_EXCEED_LIMIT")
def _(wallet: Wallet, operation: Operation) -> Answer:
    for _attempt in range(20):
        ask(wallet, operation)
    return ask(wallet, operation)


@on_both("UNKNOWN_EXCEPTION")
def _(wallet: Wallet, operation: Operation) -> Answer:
    return ask(wallet, operation, "tok-crash")


@case(SEND, "UNKNOWN_EXCEPTION")
def _(wallet: Wallet) -> Answer:
    return wallet.send("tok-timeout")


@case(SEND, "OTP_SEND_TIMES_EXCEED_LIMIT")
def _(wallet: Wallet) -> Answer:
    wallet.sent()
    return wallet.caller.send("tok-ada")


@case(VERIFY, "OTP_VERIFY_UNMATCHED")
def _(wallet: Wallet) -> Answer:
    request_id, code = wallet.sent()
    return wallet.caller.verify("tok-ada", request_id, wrong(code))


@case(VERIFY, "OTP_VERIFY_TIMES_EXCEED_LIMIT")
def _(wallet: Wallet) -> Answer:
    request_id, code = wallet.sent()
    for attempt in range(5):
        wallet.caller.verify("tok-ada", request_id, wrong(code, attempt))
    return wallet.caller.verify("tok-ada", request_id, code)


@case(VERIFY, "OTP_VERIFY_TIMES_EXCEED_LIMIT")
def _(wallet: Wallet) -> Answer:
    for _challenge in range(2):
        request_id, code = wallet.sent()
        for attempt in range(5):
            wallet.caller.verify("tok-ada", request_id, wrong(code, attempt))
    assert wallet.send().code == "OTP_SEND_TIMES_EXCEED_LIMIT"
    return wallet.caller.verify("tok-ada", request_id, code)


@case(VERIFY, "VERIFY_REQUEST_ID_INVALID")
def _(wallet: Wallet) -> Answer:
    return wallet.caller.verify("tok-ada", "unheard-of", "123456")


@case(VERIFY, "VERIFY_REQUEST_ID_INVALID")
def _(wallet: Wallet) -> Answer:
    request_id, code = wallet.sent()
    wallet.caller.verify("tok-ada", request_id, code)
    return wallet.caller.verify("tok-ada", request_id, code)


@case(VERIFY, "VERIFY_REQUEST_ID_INVALID")
def _(wallet: Wallet) -> Answer:
    request_id, code = wallet.sent()
    wallet.clock.forward(seconds=300)
    return wallet.caller.verify("tok-ada", request_id, code)


@case(VERIFY, "VERIFY_REQUEST_ID_INVALID")
def _(wallet: Wallet) -> Answer:
    request_id, code = wallet.sent()
    return wallet.caller.verify("tok-bob", request_id, code)


@case(VERIFY, "VERIFY_REQUEST_ID_INVALID")
def _(wallet: Wallet) -> Answer:
    old_id, old_code = wallet.sent()
    wallet.sent()
    return wallet.caller.verify("tok-ada", old_id, old_code)


def wrong(code: str, attempt: int = 0) -> str:
    """Return a code that is not the right one, another for each attempt."""
    return f"{(int(code) + 1 + attempt) % 10**6:06d}"


@pytest.mark.parametrize(
    ("operation", "code", "provoke"),
    [pytest.param(*entry, id=f"{i}-{entry[0]}-{entry[1]}") for i, entry in enumerate(CASES)],
)
def test_a_cause_is_answered_by_its_code(
    operation: Operation, code: str, provoke: Provoke, online: Wallet
) -> None:
    """O5: signed, with the status of the table, and never with more than it may say."""
    answer = provoke(online)
    assert (answer.response.status, answer.code, answer.verified) == (200, code, True)
    rows = {row.code: row.status for row in (*CODES.values(), SUCCESS)}
    assert answer.status == rows[code]
    assert len(answer.message) <= 256
    assert ("verifyRequestId" in answer.json) == (operation is SEND and code == "SUCCESS")


@pytest.mark.parametrize("operation", [SEND, VERIFY])
def test_no_code_of_a_table_is_left_out(operation: Operation) -> None:
    """O5: a code that is added to a table must be provoked here too."""
    table = {row.code for row in (*CODES.values(), SUCCESS) if operation in row.operations}
    assert {code for asked, code, _ in CASES if asked is operation} == table
