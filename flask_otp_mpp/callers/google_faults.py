"""The faults that a trial call to Google's methods can contain, one at a time.

A wallet must refuse each of them. Google itself sends some of them to test an integration.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from flask_otp_mpp.callers.signed_faults import strangers_key
from flask_otp_mpp.protocols.google.accounts import Account, JoseAccount
from flask_otp_mpp.protocols.google.jose.jwk import Jwk
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.signing.jwk_sets import jwk

Tamper: TypeAlias = Literal[
    "signature",
    "encryption",
    "unsealed",
    "json",
    "duplicate",
    "version",
    "stale",
    "early",
    "no-header",
    "no-time",
    "no-id",
    "id",
    "method",
]
"""The names of the faults, as the parameter ``tamper`` takes them."""


def impersonate(account: Account) -> Sealer | None:
    """Return a sealer that signs with a new key under the ``kid`` of the account's own key.

    The wallet must find that the signature does not match. Only JOSE names keys freely; for an
    account that seals by PGP, or not at all, the result is None.

    :param account: Google's side of the account.
    """
    if not isinstance(account, JoseAccount):
        return None
    keys = tuple(_forged(key) if key.serves("sig") else key for key in account.our_keys)
    return replace(account, our_keys=keys).sealer()


def before_sealing(tamper: Tamper | None, payload: bytes) -> bytes:
    """Return the payload with the fault in it; unchanged if the fault is elsewhere, or None."""
    change = _IN_PAYLOAD.get(tamper)
    return payload if change is None else change(payload)


def after_sealing(tamper: Tamper | None, sealed: bytes) -> bytes:
    """Return the body with one character changed for ``encryption``, else unchanged.

    The character is near the end: there JWE has its tag, and PGP its integrity check.
    """
    if tamper != "encryption":
        return sealed
    other = b"A" if sealed[-10:-9] != b"A" else b"B"
    return sealed[:-10] + other + sealed[-9:]


def _forged(key: Jwk) -> Jwk:
    fresh = jwk(strangers_key(), key.kid, key.use)
    return replace(key, members=fresh)


def _header_without(name: str) -> Callable[[bytes], bytes]:
    def drop(payload: bytes) -> bytes:
        message = json.loads(payload)
        del message["requestHeader"][name]
        return json.dumps(message).encode()

    return drop


def _without_header(payload: bytes) -> bytes:
    message = json.loads(payload)
    del message["requestHeader"]
    return json.dumps(message).encode()


def _with_illegal_id(payload: bytes) -> bytes:
    message = json.loads(payload)
    message["requestHeader"]["requestId"] = "no id/of ours"
    return json.dumps(message).encode()


_IN_PAYLOAD: Final[Mapping[Tamper | None, Callable[[bytes], bytes]]] = {
    "json": lambda payload: payload[:-2],
    "duplicate": lambda payload: b'{"requestHeader": {}, ' + payload[1:],
    "no-header": _without_header,
    "no-time": _header_without("requestTimestamp"),
    "no-id": _header_without("requestId"),
    "id": _with_illegal_id,
}
