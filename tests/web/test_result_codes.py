"""Each result code of Alipay+ and AMS is reached over HTTP by its real cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from flask_otp_mpp import Operation, Reason
from flask_otp_mpp.callers.signed import SignedAnswer
from flask_otp_mpp.callers.transport import Transport, over_http
from flask_otp_mpp.protocols.alipay import alipayplus_codes, ams_codes
from flask_otp_mpp.protocols.alipay.alipayplus_codes import SUCCESS
from flask_otp_mpp.protocols.values import CodeRow
from tests.ams import open_shop
from tests.servers import serving
from tests.wallet import ACQUIRER, Wallet
from tests.web.causes import BOTH, REQUESTS, SEND, VERIFY, AlipayPlusSide, AmsSide, Cause, Row, Side
from tests.web.code_tables import ALIPAYPLUS, AMS
from tests.web.failing import SmsGateway, fail_on_certain_tokens

MakeWallet = Callable[..., Wallet]


@dataclass(frozen=True)
class Protocol:
    """A protocol under test.

    :param published: the codes that it answers, by the reason.
    :param table: what a caller does to get each of them.
    :param opened: opens a wallet, and its caller over HTTP.
    :param check: checks the members of an answer.
    """

    name: str
    published: Mapping[Reason, CodeRow]
    table: Sequence[Row]
    opened: Callable[..., Any]
    check: Callable[[Any, Operation], None]

    @property
    def rows(self) -> list[CodeRow]:
        return [*self.published.values(), SUCCESS]


@contextmanager
def serving_wallet(wallet: Wallet, gateway: SmsGateway) -> Iterator[Transport]:
    gateway.wallet = wallet
    wallet.clock.now = datetime.now(UTC)
    with serving(wallet.app) as url:
        yield over_http(url)


@contextmanager
def alipayplus_side(make_wallet: MakeWallet) -> Iterator[Side]:
    gateway = SmsGateway()
    wallet = make_wallet(
        sender=gateway,
        loader=fail_on_certain_tokens,
        OTP_MPP_ALIPAYPLUS_ACQUIRERS=[ACQUIRER],
        OTP_MPP_CLIENT_LIMIT=f"{REQUESTS} per hour",
    )
    with serving_wallet(wallet, gateway) as transport:
        wallet.caller = wallet.calling(transport)
        yield AlipayPlusSide(wallet, transport)


@contextmanager
def ams_side(make_wallet: MakeWallet) -> Iterator[Side]:
    gateway = SmsGateway()
    shop = open_shop(
        make_wallet,
        sender=gateway,
        loader=fail_on_certain_tokens,
        OTP_MPP_CLIENT_LIMIT=f"{REQUESTS} per hour",
    )
    with serving_wallet(shop.wallet, gateway) as transport:
        shop.caller = shop.calling(transport)
        yield AmsSide(shop, transport)


def only_a_granted_send_has_an_id(answer: SignedAnswer, operation: Operation) -> None:
    has_id = "verifyRequestId" in answer.json
    assert has_id == (operation is SEND and answer.code == "SUCCESS")


def only_a_comparison_has_a_result(answer: Any, operation: Operation) -> None:
    assert set(answer.json) <= {"result", "authenticationRequestId", "isPassed"}
    passed = operation is VERIFY and answer.code == "SUCCESS"
    assert answer.json.get("isPassed") == ("true" if passed else None)


PROTOCOLS: Final = (
    Protocol(
        "alipayplus",
        alipayplus_codes.CODES,
        ALIPAYPLUS,
        alipayplus_side,
        only_a_granted_send_has_an_id,
    ),
    Protocol("ams", ams_codes.CODES, AMS, ams_side, only_a_comparison_has_a_result),
)
CASES: Final = [
    pytest.param(protocol, operation, code, cause, id=f"{protocol.name}-{n}-{operation}-{code}")
    for protocol in PROTOCOLS
    for n, (code, operations, cause) in enumerate(protocol.table)
    for operation in operations
]


@pytest.mark.parametrize(("protocol", "operation", "code", "cause"), CASES)
@pytest.mark.alike(8)
def test_a_cause_is_answered_by_its_code(
    protocol: Protocol, operation: Operation, code: str, cause: Cause, make_wallet: MakeWallet
) -> None:
    """O5: signed, with the status of the published table and a short message."""
    with protocol.opened(make_wallet) as side:
        answer = cause(side, operation)
    assert (answer.response.status, answer.code, answer.verified) == (200, code, True)
    assert answer.status == {row.code: row.status for row in protocol.rows}[code]
    assert len(answer.message) <= 256
    protocol.check(answer, operation)


@pytest.mark.parametrize("operation", BOTH)
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_no_published_code_is_left_out(protocol: Protocol, operation: Operation) -> None:
    """O5: a code that is added to a protocol must be added to its table here too."""
    published = {row.code for row in protocol.rows if operation in row.operations}
    assert {code for code, operations, _ in protocol.table if operation in operations} == published
