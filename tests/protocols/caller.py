"""Requests as Alipay+ signs them, built without its SDK, so that each part can be another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, ParamSpec, TypeVar

import pytest

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.reasons import Refused
from flask_otp_mpp.core.settings import ConfigurationError, Faults, read_group
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus, AlipayPlusSettings
from flask_otp_mpp.protocols.alipay.clients import AlipayPlusClient
from flask_otp_mpp.protocols.alipay.settings import Repeats
from flask_otp_mpp.protocols.alipay.signed_headers import SignedHeaders
from flask_otp_mpp.protocols.base import Deployment, WireProtocol
from flask_otp_mpp.protocols.values import Inbound
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.client_keys import ClientKeyHook, ClientKeys
from flask_otp_mpp.signing.keys import LocalSigner
from flask_otp_mpp.testing import FrozenClock
from tests.vectors import private_key, public_key

CLIENT: Final = "SANDBOX_5Y00000000000000"
PREFIX: Final = "/aps/api/v1/users"
FRESHNESS: Final = timedelta(minutes=5)
CLOCK: Final = FrozenClock()
NOW: Final = CLOCK.now.isoformat()
COMMON: Final = {"acquirerId": "acquirer", "pspId": "psp", "accessToken": "token"}
CLIENT_KEYS: Final = {
    CLIENT: {"1": public_key("alipayplus")},
    "OTHER": {"1": public_key("unrelated")},
}
NO_DIGITS: Final = (
    "12345x",
    " 123456",
    "123456\n",
    "123 456",
    "+12345",
    "1\0",
    "\N{FULLWIDTH DIGIT ONE}23456",
    "\ud800",
    "1\u00b2",
)
"""What is no code: signs, spaces, controls, digits of other scripts."""
P = ParamSpec("P")
W = TypeVar("W", bound=WireProtocol)
SIGNER: Final = LocalSigner("3", private_key("mpp"))


def inbound(
    payload: Any = COMMON,
    *,
    path: str = "/sendOTP",
    prefix: str = PREFIX,
    method: str = "POST",
    client: str = CLIENT,
    time: str = NOW,
    key: str = "alipayplus",
    version: str = "1",
    headers: Mapping[str, str | None] | None = None,
) -> Inbound:
    """Sign a request.

    :param payload: bytes go as they are, anything else as JSON.
    :param headers: what arrives instead of what was signed; None for nothing at all.
    """
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    uri = prefix + path
    data = rsa256.canonical(method, uri, client, time, body)
    signature = rsa256.signature_header(LocalSigner(version, private_key(key)), data)
    usual = {
        "content-type": "application/json; charset=UTF-8",
        "client-id": client,
        "request-time": time,
        "signature": signature,
    }
    changed = {**usual, **(headers or {})}
    present = {name: value for name, value in changed.items() if value is not None}
    return Inbound(method, uri, path, present, body, "192.0.2.1", prefix)


def configured(kind: type[W], deployment: Deployment, **values: Any) -> W:
    """Configure a protocol by its settings, whose keys are given without their prefix."""
    faults: Faults = []
    config = {f"OTP_MPP_{name}": value for name, value in values.items()}
    settings = read_group(kind.settings, config, faults)
    if faults:
        raise ConfigurationError(faults)
    return kind(settings, deployment)


def signed_headers(clock: Clock = CLOCK) -> SignedHeaders:
    deployment = Deployment(SIGNER, FRESHNESS, clock)
    return SignedHeaders(ClientKeys(CLIENT_KEYS), deployment, [f"{PREFIX}/sendOTP"], Repeats.REPLAY)


def protocol(client_key: ClientKeyHook | None = None, **changes: Any) -> AlipayPlus:
    """Make the protocol; without a hook it knows the keys of two clients.

    :param changes: fields of its settings.
    """
    psp_ids = changes.pop("psp_ids", frozenset({"psp"}))
    listed = {
        name: AlipayPlusClient(keys=keys, psp_ids=psp_ids) for name, keys in CLIENT_KEYS.items()
    }
    clients = {} if client_key else listed
    settings = AlipayPlusSettings(**{"clients": clients, "psp_ids": psp_ids, **changes})
    return AlipayPlus(settings, Deployment(SIGNER, FRESHNESS, CLOCK, client_key))


def refusal(act: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Refused:
    with pytest.raises(Refused) as caught:
        act(*args, **kwargs)
    return caught.value
