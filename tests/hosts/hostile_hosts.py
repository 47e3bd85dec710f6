"""Open a wallet in a host app whose hooks interfere, and check answers to the last header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from flask import Flask, Response

from flask_otp_mpp import OtpMpp
from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer
from flask_otp_mpp.signing.keys import LocalSigner
from tests.wallet import Wallet, key, open_wallet

PREFIX: Final = "/aps/api/v1/users"
HEADERS: Final = (
    "content-type",
    "content-length",
    "client-id",
    "response-time",
    "signature",
    "cache-control",
)
SERVER_KEYS: Final = {"1": key("wallet").public_key()}
# What a developer or an operator may have switched on.
SWITCHES: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "testing": {"TESTING": True},
    "debug": {"DEBUG": True},
    "propagating": {"PROPAGATE_EXCEPTIONS": True},
    "trapping": {"TRAP_HTTP_EXCEPTIONS": True, "TRAP_BAD_REQUEST_ERRORS": True},
}


def case(*values: Any, switches: str) -> Any:
    """Return a case of a matrix; it is slow unless the host leaves Flask's switches alone.

    One such case is quick, and all of them together are not.
    """
    return pytest.param(*values, switches, marks=() if switches == "plain" else pytest.mark.slow)


class Switch:
    """Let a host be friendly until a test has prepared what it wants to see attacked."""

    def __init__(self, *, on: bool = False) -> None:
        self.on = on
        self.hits = 0

    def __bool__(self) -> bool:
        self.hits += self.on
        return self.on


def open_host(
    prepare: Callable[[Flask], object] = lambda app: None,
    finish: Callable[[Flask], object] = lambda app: None,
    options: dict[str, Any] | None = None,
    **how: Any,
) -> Wallet:
    """Open a wallet in a host whose key needs no loading, for that is what takes the time."""

    def before(app: Flask, _otp: OtpMpp) -> None:
        prepare(app)

    def after(app: Flask) -> None:
        finish(app)

    wallet = open_wallet(
        prepare=before,
        finish=after,
        options={"signer": LocalSigner("1", key("wallet")), **(options or {})},
        OTP_MPP_PRIVATE_KEYS=None,
        **how,
    )
    wallet.caller = wallet.calling(server_keys=SERVER_KEYS)
    return wallet


def altering(
    change: Callable[[Response], Any], *, first: bool = False, **how: Any
) -> tuple[Wallet, Switch]:
    """Open a host with an after-request function, registered before or after us."""
    switch = Switch()

    def install(app: Flask) -> None:
        app.secret_key = "a secret of the host"
        app.after_request(lambda response: change(response) if switch else response)

    wallet = open_host(install, **how) if first else open_host(finish=install, **how)
    return wallet, switch


def sealed(answer: AlipayPlusAnswer) -> str:
    """Return the code of an answer that is HTTP 200, signed, and has our headers and no other."""
    assert answer.response.status == 200
    assert answer.verified, answer.response
    assert tuple(name for name, _ in answer.response.headers) == HEADERS
    assert dict(answer.response.headers)["cache-control"] == "no-store"
    return answer.code
