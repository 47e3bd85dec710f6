"""The signed headers of Alipay+ and AMS: verify those of requests, make those of answers.

In: ``Client-Id``, ``Request-Time``, ``Signature``. Out: ``client-id``, ``response-time``,
``signature`` (Alipay+ API overview, "Message structure").
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.protocols.values import AuthenticatedRequest, CodeRow, Inbound, Outbound
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import ClientKeys, Signer
from flask_otp_mpp.signing.rsa256 import Malformed, SignatureHeader

MAX_MESSAGE: Final = 256
_CLIENT: Final = re.compile(r"[!-+\--~]{1,128}")  # visible ASCII but the comma of joined headers
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_MS: Final = re.compile(r"[0-9]{13}")
_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})"
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_JSON: Final = re.compile(r'application/json *(; *charset *= *"?utf-8"? *)?', re.IGNORECASE)


class SignedHeaders:
    """Verifies signed requests and signs answers.

    :param freshness: how far a request's time may be from now, either way.
    """

    def __init__(
        self, keys: ClientKeys, signer: Signer, freshness: timedelta, clock: Clock
    ) -> None:
        self._keys = keys
        self._sign = rsa256.header_signer(signer)
        self._freshness = freshness
        self._clock = clock

    def open(self, inbound: Inbound) -> AuthenticatedRequest:
        """Check method, media type, client, key, signature and time, in this order.

        A byte-identical repeat has the same idempotency key: it was signed with the same time.

        :raises Refused: by the first check that fails.
        """
        headers = inbound.headers
        if inbound.method != "POST":
            refuse(Reason.METHOD_UNSUPPORTED)
        media_type = headers.get("content-type", "")
        if media_type and _JSON.fullmatch(media_type.strip()) is None:
            refuse(Reason.MEDIA_TYPE_UNSUPPORTED)
        client = headers.get("client-id", "")
        if _CLIENT.fullmatch(client) is None:
            refuse(Reason.CLIENT_UNKNOWN, "Client-Id: is required, once.")
        try:
            header = SignatureHeader.parse(headers.get("signature", ""))
        except Malformed as fault:
            self._keys.find(client, None)  # an unknown client comes first
            refuse(Reason.SIGNATURE_INVALID, f"Signature header: {fault}.")
        key = self._keys.find(client, header.key_version)
        time = headers.get("request-time", "")
        signed = rsa256.canonical(inbound.method, inbound.uri, client, time, inbound.body)
        if not rsa256.holds(key, header.signature, signed):
            refuse(Reason.SIGNATURE_INVALID)
        moment = parse_time(time)
        if moment is None:
            refuse(Reason.REQUEST_STALE, "Request-Time: must be ISO 8601 with offset, or ms.")
        if abs(self._clock() - moment) > self._freshness:
            limit = int(self._freshness.total_seconds())
            refuse(Reason.REQUEST_STALE, f"Request-Time: must be within {limit} s of now.")
        request = IdempotencyKey(_fingerprint(signed, moment), ttl=2 * self._freshness)
        return AuthenticatedRequest(client, request, inbound.body)

    def answer(
        self, inbound: Inbound, row: CodeRow, more: str = "", **fields: str | bool
    ) -> Outbound:
        """Write a result and the fields that follow it, and sign them.

        :param more: text behind the row's own message.
        """
        result = {
            "resultCode": row.code,
            "resultStatus": row.status,
            "resultMessage": f"{row.message} {more}".strip()[:MAX_MESSAGE],
        }
        return self.seal(inbound, _ENCODER.encode({"result": result, **fields}).encode())

    def seal(self, inbound: Inbound, body: bytes) -> Outbound:
        """Sign the body for the request that it answers.

        The names of headers are in lower case: the Python SDK looks them up like that.
        """
        client = inbound.headers.get("client-id", "")
        if _CLIENT.fullmatch(client) is None:
            client = ""
        time = self._clock().astimezone(UTC).isoformat(timespec="seconds")
        data = rsa256.canonical(inbound.method, inbound.uri, client, time, body)
        return Outbound(
            (
                ("content-type", "application/json; charset=UTF-8"),
                ("content-length", str(len(body))),
                ("client-id", client),
                ("response-time", time),
                ("signature", self._sign(data)),
                ("cache-control", "no-store"),
            ),
            body,
        )


def _fingerprint(signed: bytes, moment: datetime) -> str:
    """Return a key made from what was signed; it begins with the time, which suits databases."""
    milliseconds = int(moment.timestamp() * 1000)
    return f"{milliseconds:012x}{hashlib.sha256(signed).hexdigest()[:52]}"


def parse_time(text: str) -> datetime | None:
    """Read ISO 8601 with an offset, or milliseconds since the epoch; None if it is neither."""
    if _EPOCH_MS.fullmatch(text):
        return _EPOCH + timedelta(milliseconds=int(text))
    if _ISO.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None
    return None
