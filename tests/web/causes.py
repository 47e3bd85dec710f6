"""What callers of Alipay+ and AMS do to get each result code, written once for both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from flask_otp_mpp import Operation
from flask_otp_mpp.callers.signed import SignedAnswer
from flask_otp_mpp.callers.transport import Transport
from tests.ams import Shop
from tests.codes import wrong_code
from tests.wallet import Wallet

SEND, VERIFY = Operation.SEND, Operation.VERIFY
BOTH: Final = (SEND, VERIFY)
REQUESTS: Final = 20
"""How many requests an hour the client of these tests may send."""


class Side(ABC):
    """The caller of one protocol, with the calls that both protocols have.

    :param transport: reaches the wallet over HTTP.
    """

    def __init__(self, wallet: Wallet, transport: Transport) -> None:
        self.wallet = wallet
        self.transport = transport

    @abstractmethod
    def call(self, path: str, payload: Any) -> SignedAnswer:
        """Call a path under the prefix."""

    @abstractmethod
    def path(self, operation: Operation) -> str:
        """Return the path of an operation."""

    @abstractmethod
    def send(self, token: str = "tok-ada", **more: Any) -> SignedAnswer:
        """Ask for a code when the cool-down of an earlier one is over."""

    @abstractmethod
    def send_at_once(self) -> SignedAnswer:
        """Ask for a code during the cool-down."""

    @abstractmethod
    def sent(self, **more: Any) -> tuple[str, str]:
        """Ask for a code, which must be sent; return the request id and the code."""

    @abstractmethod
    def verify(self, request_id: str, code: str, **more: Any) -> SignedAnswer:
        """Verify a code."""

    def ask(self, operation: Operation, **more: Any) -> SignedAnswer:
        """Call an operation with a request that is well-formed, except for ``more``."""
        if operation is SEND:
            return self.send(**more)
        return self.verify("0" * 44, "123456", **more)


class AlipayPlusSide(Side):
    def call(self, path: str, payload: Any) -> SignedAnswer:
        return self.wallet.caller.call(path, payload)

    def path(self, operation: Operation) -> str:
        return self.wallet.caller.paths[operation is VERIFY]

    def send(self, token: str = "tok-ada", **more: Any) -> SignedAnswer:
        return self.wallet.send(token, **more)

    def send_at_once(self) -> SignedAnswer:
        return self.wallet.caller.send("tok-ada")

    def sent(self, **more: Any) -> tuple[str, str]:
        return self.wallet.sent(**more)

    def verify(
        self, request_id: str, code: str, token: str = "tok-ada", **more: Any
    ) -> SignedAnswer:
        return self.wallet.caller.verify(token, request_id, code, **more)


class AmsSide(Side):
    def __init__(self, shop: Shop, transport: Transport) -> None:
        super().__init__(shop.wallet, transport)
        self.shop = shop

    def call(self, path: str, payload: Any) -> SignedAnswer:
        return self.shop.caller.call(path, payload)

    def path(self, operation: Operation) -> str:
        return self.shop.caller.paths[operation is VERIFY]

    def send(self, token: str = "tok-ada", **more: Any) -> SignedAnswer:
        return self.shop.init(token, **more)

    def send_at_once(self) -> SignedAnswer:
        return self.shop.caller.init("tok-ada", self.shop.fresh_id())

    def sent(self, **more: Any) -> tuple[str, str]:
        return self.shop.sent(**more)

    def verify(self, request_id: str, code: str, **more: Any) -> SignedAnswer:
        return self.shop.caller.verify(request_id, code, **more)


Cause: TypeAlias = Callable[[Any, Operation], SignedAnswer]
Row: TypeAlias = tuple[str, Sequence[Operation], Cause]


def request(**more: Any) -> Cause:
    """Send a request that is well-formed, except for ``more``."""
    return lambda side, operation: side.ask(operation, **more)


def verifying(code_of: Callable[[Any], tuple[str, str]]) -> Cause:
    """Verify the request id and the code that a few calls have led to."""
    return lambda side, _: side.verify(*code_of(side))


def wrong_answers(side: Side, request_id: str, code: str, count: int = 5) -> None:
    for attempt in range(count):
        side.verify(request_id, wrong_code(code, attempt))


def unknown_path(side: Side, operation: Operation) -> SignedAnswer:
    return side.call(f"{side.path(operation)}s", {})


def long_body(side: Side, operation: Operation) -> SignedAnswer:
    return side.call(side.path(operation), b" " * 20_000)


def too_many_requests(side: Side, operation: Operation) -> SignedAnswer:
    for _ in range(REQUESTS):
        side.ask(operation)
    return side.ask(operation)


def send_during_the_cool_down(side: Side, _: Operation) -> SignedAnswer:
    side.sent()
    return side.send_at_once()


def right_code(side: Side) -> tuple[str, str]:
    return side.sent()


def with_wrong_code(side: Side) -> tuple[str, str]:
    request_id, code = side.sent()
    return request_id, wrong_code(code)


def code_without_tries(side: Side) -> tuple[str, str]:
    request_id, code = side.sent()
    wrong_answers(side, request_id, code)
    return request_id, code


def used_code(side: Side) -> tuple[str, str]:
    request_id, code = side.sent()
    side.verify(request_id, code)
    return request_id, code


def expired_code(side: Side) -> tuple[str, str]:
    request_id, code = side.sent()
    side.wallet.clock.forward(seconds=300)
    return request_id, code


def code_before_a_newer_one(side: Side) -> tuple[str, str]:
    old = side.sent()
    side.sent()
    return old
