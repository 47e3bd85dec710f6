"""Alipay+ asks the wallet to send an OTP and to verify it, and is answered by its own code table.

Alipay+ Mobile Payment Provider API: sendOTP and verifyOTP.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final, Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.core import config
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.config import PREFIX, ConfigurationError, Setting
from flask_otp_mpp.core.ports import Clock
from flask_otp_mpp.core.reasons import Reason, Refused, refuse
from flask_otp_mpp.core.service import Done, SendOtp, VerifyOtp
from flask_otp_mpp.protocols.base import (
    Admission,
    CodeRow,
    Deployment,
    Inbound,
    Operation,
    Outbound,
)
from flask_otp_mpp.protocols.envelope import Envelope
from flask_otp_mpp.protocols.fields import Fields
from flask_otp_mpp.signing.keys import ClientKeys, Signer, load_public_key

MAX_MESSAGE: Final = 256

_BOTH: Final = frozenset(Operation)
_SEND: Final = frozenset({Operation.SEND})
_VERIFY: Final = frozenset({Operation.VERIFY})

SUCCESS: Final = CodeRow("SUCCESS", "S", "Success", _BOTH)


def _row(code: str, message: str, operations: frozenset[Operation], status: str = "F") -> CodeRow:
    return CodeRow(code, status, message, operations)


_INVALID_ID: Final = _row(
    "VERIFY_REQUEST_ID_INVALID", "The verifyRequestId names no OTP that can be verified.", _VERIFY
)
_VERIFY_LIMIT: Final = _row(
    "OTP_VERIFY_TIMES_EXCEED_LIMIT", "Too many wrong codes. A new OTP is needed.", _VERIFY
)
_ILLEGAL: Final = _row("PARAM_ILLEGAL", "A parameter breaks its rule.", _BOTH)
_DENIED: Final = _row("ACCESS_DENIED", "The request is not allowed.", _BOTH)
_UNKNOWN: Final = _row("UNKNOWN_EXCEPTION", "The result is not known. Try again.", _BOTH, "U")

CODES: Final[Mapping[Reason, CodeRow]] = {
    Reason.PATH_UNKNOWN: _row("NO_INTERFACE_DEF", "There is no such API.", _BOTH),
    Reason.METHOD_UNSUPPORTED: _row("METHOD_NOT_SUPPORTED", "Use the method POST.", _BOTH),
    Reason.MEDIA_TYPE_UNSUPPORTED: _row(
        "MEDIA_TYPE_NOT_ACCEPTABLE", "The body must be JSON in UTF-8.", _BOTH
    ),
    Reason.BODY_TOO_LARGE: _row("PARAM_ILLEGAL", "body: is longer than is read here.", _BOTH),
    Reason.FIELD_INVALID: _ILLEGAL,
    Reason.CLIENT_UNKNOWN: _row("INVALID_CLIENT", "The client is not known here.", _BOTH),
    Reason.KEY_UNKNOWN: _row("KEY_NOT_FOUND", "The client has no key of this version.", _BOTH),
    Reason.SIGNATURE_INVALID: _row("INVALID_SIGNATURE", "The signature does not hold.", _BOTH),
    Reason.REQUEST_STALE: _DENIED,
    Reason.ACCESS_DENIED: _DENIED,
    Reason.TRAFFIC_EXCEEDED: _row(
        "REQUEST_TRAFFIC_EXCEED_LIMIT", "Too many requests. Try again later.", _BOTH, "U"
    ),
    Reason.TOKEN_INVALID: _row("INVALID_TOKEN", "The access token is not valid.", _BOTH),
    Reason.TOKEN_EXPIRED: _row("EXPIRED_ACCESS_TOKEN", "The access token has expired.", _BOTH),
    Reason.USER_MISSING: _row("USER_NOT_EXIST", "There is no such user.", _BOTH),
    Reason.USER_ABNORMAL: _row("USER_STATUS_ABNORMAL", "The user's account is barred.", _BOTH),
    Reason.CHANNEL_UNAVAILABLE: _row(
        "PARAM_ILLEGAL", "verifyType: no code can reach this user that way.", _SEND
    ),
    Reason.SEND_LIMITED: _row(
        "OTP_SEND_TIMES_EXCEED_LIMIT", "No OTP can be sent to this user for now.", _SEND
    ),
    Reason.DELIVERY_REFUSED: _row(
        "PROCESS_FAIL", "The message was refused for good. Do not retry.", _SEND
    ),
    Reason.PROCESS_FAILED: _row("PROCESS_FAIL", "The request failed. Do not retry.", _BOTH),
    Reason.CODE_UNMATCHED: _row("OTP_VERIFY_UNMATCHED", "The OTP is wrong.", _VERIFY),
    Reason.TRIES_SPENT: _VERIFY_LIMIT,
    Reason.USER_LOCKED: _VERIFY_LIMIT,
    Reason.CHALLENGE_UNKNOWN: _INVALID_ID,
    Reason.CHALLENGE_EXPIRED: _INVALID_ID,
    Reason.CHALLENGE_USED: _INVALID_ID,
    Reason.CHALLENGE_CLOSED: _INVALID_ID,
    Reason.REQUEST_PENDING: _UNKNOWN,
    Reason.UNFORESEEN: _UNKNOWN,
}


def _read_clients(raw: object) -> dict[str, dict[str, RSAPublicKey]]:
    clients: dict[str, dict[str, RSAPublicKey]] = {}
    if raw is None:
        return clients
    for client, keys in config.mapping(raw).items():
        clients[client] = {}
        for version, source in config.mapping(keys).items():
            try:
                clients[client][version] = load_public_key(config.text(source))
            except ValueError as fault:
                raise ValueError(f"key {version!r} of client {client!r} {fault}") from None
    return clients


def _read_acquirers(raw: object) -> frozenset[str] | None:
    return None if raw is None else frozenset(config.texts(raw))


class AlipayPlus:
    """Speak Alipay+'s sendOTP and verifyOTP.

    :param keys: the public keys of Alipay+, by client id and key version.
    :param signer: signs the answers with the wallet's own key.
    :param psp_ids: the ids by which Alipay+ addresses this wallet.
    :param acquirers: the acquirers that may ask; None for all.
    :param freshness: how far a request's time may be from now, either way.
    :param prefix: where the paths lie in the Flask app.
    :param public_prefix: the same as Alipay+ calls and signs it; other than ``prefix`` only behind
        a proxy that rewrites paths.
    """

    name: ClassVar[str] = "alipayplus"
    codes: ClassVar[Mapping[Reason, CodeRow]] = CODES
    success: ClassVar[CodeRow] = SUCCESS
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "ALIPAYPLUS_CLIENTS",
            _read_clients,
            "a mapping of client id to a mapping of key version to public key",
            "The keys that Alipay+ signs with: PEM, one line of base64, or a file's path. "
            "Needed unless a `client_key` hook knows them.",
            None,
        ),
        Setting(
            "ALIPAYPLUS_PSP_ID",
            lambda raw: frozenset(config.texts(raw)),
            "a text, or a list of them",
            "The pspId that Alipay+ gave to this wallet; a list to serve sandbox and production.",
        ),
        Setting(
            "ALIPAYPLUS_ACQUIRERS",
            _read_acquirers,
            "a list of texts, or None",
            "The acquirerIds that may ask; all if it is None.",
            None,
        ),
        Setting(
            "ALIPAYPLUS_PREFIX",
            config.path,
            "a URL path",
            "Where the API lies in the Flask app.",
            "/aps/api/v1/users",
        ),
        Setting(
            "ALIPAYPLUS_PUBLIC_PREFIX",
            lambda raw: None if raw is None else config.path(raw),
            "a URL path, or None",
            "The same as Alipay+ calls and signs it, if a proxy rewrites paths.",
            None,
        ),
        Setting(
            "ALIPAYPLUS_SEND_PATH",
            config.path,
            "a URL path",
            "The path of sendOTP below the prefix.",
            "/sendOTP",
        ),
        Setting(
            "ALIPAYPLUS_VERIFY_PATH",
            config.path,
            "a URL path",
            "The path of verifyOTP below the prefix.",
            "/verifyOTP",
        ),
    )

    def __init__(
        self,
        *,
        keys: ClientKeys,
        signer: Signer,
        psp_ids: frozenset[str],
        acquirers: frozenset[str] | None,
        freshness: timedelta,
        clock: Clock,
        prefix: str,
        public_prefix: str | None,
        send_path: str,
        verify_path: str,
    ) -> None:
        self._envelope = Envelope(keys, signer, freshness, clock)
        self._psp_ids = psp_ids
        self._acquirers = acquirers
        self.prefix = prefix
        self.public_prefix = prefix if public_prefix is None else public_prefix
        self.paths: Mapping[str, Operation] = {
            send_path: Operation.SEND,
            verify_path: Operation.VERIFY,
        }

    @classmethod
    def configure(cls, values: Mapping[str, Any], deployment: Deployment) -> Self:
        if values["ALIPAYPLUS_SEND_PATH"] == values["ALIPAYPLUS_VERIFY_PATH"]:
            finding = "is the path of sendOTP; each API needs one of its own"
            raise ConfigurationError([(f"{PREFIX}ALIPAYPLUS_VERIFY_PATH", finding)])
        return cls(
            keys=ClientKeys(values["ALIPAYPLUS_CLIENTS"], deployment.client_key),
            signer=deployment.signer,
            psp_ids=values["ALIPAYPLUS_PSP_ID"],
            acquirers=values["ALIPAYPLUS_ACQUIRERS"],
            freshness=deployment.freshness,
            clock=deployment.clock,
            prefix=values["ALIPAYPLUS_PREFIX"],
            public_prefix=values["ALIPAYPLUS_PUBLIC_PREFIX"],
            send_path=values["ALIPAYPLUS_SEND_PATH"],
            verify_path=values["ALIPAYPLUS_VERIFY_PATH"],
        )

    def admit(self, inbound: Inbound) -> Admission:
        return self._envelope.open(inbound)

    def read(
        self, operation: Operation, inbound: Inbound, admission: Admission
    ) -> SendOtp | VerifyOtp:
        fields = Fields.parse(inbound.body)
        acquirer = fields.text("acquirerId", 64)
        psp = fields.text("pspId", 64)
        token = fields.text("accessToken", 128)
        if operation is Operation.SEND:
            channel = fields.choice("verifyType", Channel.MOBILE)
        else:
            challenge_id = fields.text("verifyRequestId", 64)
            code = fields.raw_text("otpCode", 32)
        if psp not in self._psp_ids:
            refuse(Reason.CLIENT_UNKNOWN, "pspId: is not this wallet's.")
        if self._acquirers is not None and acquirer not in self._acquirers:
            refuse(Reason.ACCESS_DENIED, "acquirerId: is not on this wallet's list.")
        caller = _caller(self.name, admission.client, acquirer, psp)
        if operation is Operation.SEND:
            return SendOtp(caller, token, channel, admission.request)
        return VerifyOtp(caller, token, challenge_id, code, admission.request)

    def write(self, operation: Operation | None, answer: Done | Refused) -> bytes:
        if isinstance(answer, Refused):
            row, more = CODES[answer.reason], answer.explain()
        else:
            row, more = SUCCESS, ""
        body: dict[str, Any] = {
            "result": {
                "resultCode": row.code,
                "resultStatus": row.status,
                "resultMessage": f"{row.message} {more}".strip()[:MAX_MESSAGE],
            }
        }
        if operation is Operation.SEND and isinstance(answer, Done):
            body["verifyRequestId"] = answer.challenge_id
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    def seal(self, inbound: Inbound, body: bytes) -> Outbound:
        return self._envelope.seal(inbound, body)


def _caller(*parts: str) -> str:
    """Stand for protocol, client, acquirer and wallet, all of which must be the same to verify."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
