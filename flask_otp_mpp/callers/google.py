"""Google as a wallet meets it: seals what it sends, believes only what opens, can do wrong."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric import rsa

from flask_otp_mpp.callers.transport import Call, Response, Transport
from flask_otp_mpp.core.ports import Clock, utc_now
from flask_otp_mpp.core.reasons import Refused
from flask_otp_mpp.protocols.google.accounts import Account, JoseAccount
from flask_otp_mpp.protocols.google.jose.generate import jwk
from flask_otp_mpp.protocols.google.jose.jwk import Jwk
from flask_otp_mpp.protocols.google.sealer import Opened, Sealer

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
PREFIX: Final = "/google/v1"
MATCHING: Final = "AB12345678C"
"""The smsMatchingToken of Google's samples."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold an answer and whether it can be believed.

    :param asked: the payload that was sealed.
    :param opened: what was in the answer's envelope; None if it did not open.
    """

    call: Call = field(repr=False)
    response: Response = field(repr=False)
    asked: bytes = field(repr=False)
    opened: Opened | None = field(repr=False)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def json(self) -> dict[str, Any]:
        """The payload; empty if there is none, or it did not open."""
        return {} if self.opened is None else dict(json.loads(self.opened.payload))

    @property
    def code(self) -> str:
        """The result, or else the errorResponseCode; empty if there is neither."""
        return self.result or self.error

    @property
    def result(self) -> str:
        """The result; empty if the answer has none."""
        return str(self.json.get("result", ""))

    @property
    def error(self) -> str:
        """The errorResponseCode; empty if the answer is no ErrorResponse."""
        return str(self.json.get("errorResponseCode", ""))

    @property
    def description(self) -> str:
        """The errorDescription."""
        return str(self.json.get("errorDescription", ""))

    @property
    def request_id(self) -> str:
        """The requestId that was sent."""
        return str(json.loads(self.asked)["requestHeader"]["requestId"])

    @property
    def verified(self) -> bool:
        """Whether nothing was said, or what was said opens by the account's keys."""
        return self.response.body == b"" or self.opened is not None


class GoogleCaller:
    """Call sendOtp, verifyOtp and echo as Google does.

    :param transport: how the wallet is reached.
    :param envelope: Google's side of the account.
    :param impostor: seals for ``tamper="signature"``: by a key that the wallet does not trust.
    :param prefix: where the account's methods lie.
    """

    def __init__(
        self,
        transport: Transport,
        sealer: Sealer,
        *,
        impostor: Sealer | None = None,
        prefix: str = PREFIX,
        clock: Clock = utc_now,
    ) -> None:
        self._transport = transport
        self._sealer = sealer
        self._impostor = impostor
        self._prefix = prefix
        self._clock = clock

    def send(
        self,
        phone: str | None = None,
        *,
        request_id: str | None = None,
        tamper: Tamper | None = None,
        **fields: Any,
    ) -> Answer:
        """Call sendOtp.

        :param phone: the accountPhoneNumber; none where an associationId is among the fields.
        :param request_id: one of its own if it is not given.
        :param tamper: do this one thing wrong.
        :param fields: further fields, or other values for the usual ones.
        """
        usual = {"smsMatchingToken": MATCHING, "otpContext": {"association": {}}}
        if phone is not None:
            usual["accountPhoneNumber"] = phone
        return self.call("sendOtp", {**usual, **fields}, request_id=request_id, tamper=tamper)

    def verify(
        self,
        sent: str,
        code: str,
        *,
        request_id: str | None = None,
        tamper: Tamper | None = None,
        **fields: Any,
    ) -> Answer:
        """Call verifyOtp.

        :param sent: the requestId of the sendOtp before it.
        """
        usual = {"sendOtpRequestId": sent, "otp": code}
        return self.call("verifyOtp", {**usual, **fields}, request_id=request_id, tamper=tamper)

    def echo(
        self,
        word: str = "hello",
        *,
        request_id: str | None = None,
        tamper: Tamper | None = None,
        **fields: Any,
    ) -> Answer:
        """Call echo."""
        usual = {"clientMessage": word}
        return self.call("echo", {**usual, **fields}, request_id=request_id, tamper=tamper)

    def call(
        self,
        method: str,
        payload: Mapping[str, Any] | bytes,
        *,
        request_id: str | None = None,
        tamper: Tamper | None = None,
    ) -> Answer:
        """Seal and send any payload; bytes go as they are, a mapping gets a header first."""
        return self.deliver(*self.prepare(method, payload, request_id=request_id, tamper=tamper))

    def prepare(
        self,
        method: str,
        payload: Mapping[str, Any] | bytes,
        *,
        request_id: str | None = None,
        tamper: Tamper | None = None,
    ) -> tuple[Call, bytes]:
        """Seal a request without sending it; return it with what is in its envelope.

        :raises ValueError: if the fault needs an impostor, and there is none.
        """
        if isinstance(payload, bytes):
            asked = payload
        else:
            header = self._header(request_id, tamper)
            asked = json.dumps({"requestHeader": header, **payload}).encode()
        asked = _BEFORE_SEALING.get(tamper, _untouched)(asked)
        sealer = self._sealer
        if tamper == "signature":
            if self._impostor is None:
                raise ValueError("a wrong signature needs an impostor's keys")
            sealer = self._impostor
        sealed = asked if tamper == "unsealed" else sealer.seal(asked)
        if tamper == "encryption":
            sealed = _flip(sealed)
        verb = "GET" if tamper == "method" else "POST"
        headers = {"content-type": sealer.media_type}
        return Call(verb, f"{self._prefix}/{method}", headers, sealed), asked

    def deliver(self, call: Call, asked: bytes = b"{}") -> Answer:
        """Send a prepared request, as often as you like; open the answer."""
        response = self._transport(call)
        return Answer(call, response, asked, self._open(response.body))

    def _open(self, body: bytes) -> Opened | None:
        try:
            return self._sealer.open(body) if body else None
        except Refused:
            return None

    def _header(self, request_id: str | None, tamper: Tamper | None) -> Mapping[str, Any]:
        off = {"stale": -3600, "early": 3600}.get(tamper or "", 0)
        moment = self._clock() + timedelta(seconds=off) - _EPOCH
        major = 2 if tamper == "version" else 1
        return {
            "protocolVersion": {"major": major, "minor": 0, "revision": 0},
            "requestId": secrets.token_hex(16) if request_id is None else request_id,
            "requestTimestamp": str(moment // _MILLISECOND),
        }


def impersonate(account: Account) -> Sealer | None:
    """Seal as Google's side of an account does, by a fresh key under the name of its own.

    Only JOSE names keys freely; for the others there is none.
    """
    if not isinstance(account, JoseAccount):
        return None
    keys = tuple(_forged(key) if key.serves("sig") else key for key in account.our_keys)
    return replace(account, our_keys=keys).sealer()


def _forged(key: Jwk) -> Jwk:
    fresh = jwk(rsa.generate_private_key(65537, 2048), key.kid, key.use)
    return replace(key, members=fresh)


def _flip(sealed: bytes) -> bytes:
    """Change one character, near the end, where both envelopes keep what proves them whole."""
    other = b"A" if sealed[-10:-9] != b"A" else b"B"
    return sealed[:-10] + other + sealed[-9:]


def _untouched(asked: bytes) -> bytes:
    return asked


def _header_without(name: str) -> Callable[[bytes], bytes]:
    def drop(asked: bytes) -> bytes:
        message = json.loads(asked)
        del message["requestHeader"][name]
        return json.dumps(message).encode()

    return drop


def _without_header(asked: bytes) -> bytes:
    message = json.loads(asked)
    del message["requestHeader"]
    return json.dumps(message).encode()


def _with_illegal_id(asked: bytes) -> bytes:
    message = json.loads(asked)
    message["requestHeader"]["requestId"] = "no id/of ours"
    return json.dumps(message).encode()


_BEFORE_SEALING: Final[Mapping[Tamper | None, Callable[[bytes], bytes]]] = {
    "json": lambda asked: asked[:-2],
    "duplicate": lambda asked: b'{"requestHeader": {}, ' + asked[1:],
    "no-header": _without_header,
    "no-time": _header_without("requestTimestamp"),
    "no-id": _header_without("requestId"),
    "id": _with_illegal_id,
}
