"""The signed headers of Alipay+ and AMS: verify those of requests, make those of answers.

An answer to a caller whose signature is valid is always signed, whatever the request is refused
for. All other answers share a budget of signatures; without one they are a 429 without a body.

In: ``Client-Id``, ``Request-Time``, ``Signature``. Out: ``client-id``, ``response-time``,
``signature`` (Alipay+ API overview, "Message structure").
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from flask_otp_mpp.core.caller import CLIENT_ID
from flask_otp_mpp.core.clock import replay_memory
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.reasons import Outcome, Reason, refuse
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.trace import current
from flask_otp_mpp.protocols.alipay.media_type import is_json
from flask_otp_mpp.protocols.alipay.settings import Repeats
from flask_otp_mpp.protocols.alipay.unproven import UnprovenAnswers
from flask_otp_mpp.protocols.base import Deployment
from flask_otp_mpp.protocols.values import (
    AuthenticatedRequest,
    CodeRow,
    Inbound,
    Outbound,
    RequestContext,
)
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.client_keys import ClientKeys
from flask_otp_mpp.signing.rsa256 import Malformed, SignatureHeader

MAX_MESSAGE: Final = 256
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Milliseconds, or nanoseconds as the official client in Go writes them.
_SINCE_EPOCH: Final = re.compile(r"([0-9]{13})([0-9]{6})?")
# What clients print, java.time and the SDKs in Python, Go and PHP: seconds may be left out, and the
# minutes of the offset.
_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)",
    re.IGNORECASE,
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


_FAILED_PROOF: Final = frozenset(
    {Reason.CLIENT_UNKNOWN, Reason.KEY_UNKNOWN, Reason.SIGNATURE_INVALID}
)
_TOO_MANY: Final = Outbound((("content-length", "0"), ("cache-control", "no-store")), b"", 429)


class SignedHeaders:
    """Verifies signed requests and signs answers.

    :param uris: what callers call: the public prefix of each mount with each path.
    :param repeats: whether a byte-identical request is known as a repeat.
    """

    def __init__(
        self, keys: ClientKeys, deployment: Deployment, uris: Collection[str], repeats: Repeats
    ) -> None:
        self._keys = keys
        self._sign = rsa256.header_signer(deployment.signer)
        self._freshness = deployment.freshness
        self._clock = deployment.clock
        self._skew = deployment.skew
        self._judge_repeats = repeats is Repeats.JUDGE
        self._unproven = UnprovenAnswers(self._sign, deployment.budget, uris)

    def open(self, inbound: Inbound) -> AuthenticatedRequest:
        """Check method, media type, client, key, signature and time, in this order.

        A byte-identical repeat has the same idempotency key, unless repeats are judged: it was
        signed with the same time.

        :raises Refused: by the first check that fails.
        """
        header_of = inbound.headers.get  # no mapping: an error reporter would store all of it
        if inbound.method != "POST":
            refuse(Reason.METHOD_UNSUPPORTED)
        if not is_json(header_of("content-type", "")):
            refuse(Reason.MEDIA_TYPE_UNSUPPORTED)
        client = header_of("client-id", "")
        if CLIENT_ID.fullmatch(client) is None:
            refuse(
                Reason.CLIENT_UNKNOWN,
                "Client-Id: is required, once, of 1 to 64 letters, digits, _ or -.",
            )
        current().claimed = client
        try:
            header = SignatureHeader.parse(header_of("signature", ""))
        except Malformed as fault:
            self._keys.find(client, None)  # an unknown client comes first
            refuse(Reason.SIGNATURE_INVALID, f"Signature header: {fault}.")
        key = self._keys.find(client, header.key_version)
        time = header_of("request-time", "")
        signed = Secret(rsa256.canonical(inbound.method, inbound.uri, client, time, inbound.body))
        if not rsa256.holds(key, header.signature, signed.reveal()):
            refuse(Reason.SIGNATURE_INVALID)
        moment = parse_time(time)
        if moment is None:
            refuse(Reason.REQUEST_STALE, "Request-Time: must be ISO 8601 with offset, or ms.")
        age = self._clock() - moment
        self._skew.observe(age.total_seconds())
        if abs(age) > self._freshness:
            limit = int(self._freshness.total_seconds())
            refuse(Reason.REQUEST_STALE, f"Request-Time: must be within {limit} s of now.")
        self._unproven.remember(client, inbound.address)
        proof = secrets.token_bytes() if self._judge_repeats else header.signature
        request = IdempotencyKey(_fingerprint(proof, moment), ttl=replay_memory(self._freshness))
        return AuthenticatedRequest(client, request, inbound.body)

    def answer(
        self, context: RequestContext, outcome: Outcome, row: CodeRow, **fields: str | bool
    ) -> Outbound:
        """Write a result and the fields that follow it, and sign them.

        :param row: of the code table; behind its message comes what explains the outcome.
        """
        result = {
            "resultCode": row.code,
            "resultStatus": row.status,
            "resultMessage": row.tell(outcome.explain())[:MAX_MESSAGE],
        }
        body = _ENCODER.encode({"result": result, **fields}).encode()
        inbound, now = context.inbound, self._clock().astimezone(UTC)
        client = inbound.headers.get("client-id", "")
        if context.authenticated is not None or self._proves(inbound, outcome.reason):
            time = now.isoformat(timespec="seconds")
            data = rsa256.canonical(inbound.method, inbound.uri, client, time, body)
            return _sealed(client, time, self._sign(data), body, row.code)
        if not self._keys.knows(client):
            client = ""  # else anyone could vary it
        signed = self._unproven.sign(inbound, outcome.reason, client, body, now)
        if signed is None:
            return _TOO_MANY
        return _sealed(client, signed.time, signed.signature, body, row.code)

    def _proves(self, inbound: Inbound, reason: Reason | None) -> bool:
        """Tell whether the signature of a request is valid that was refused before it was verified.

        That costs a fraction of a signature. No hook of the host is asked.
        """
        if not inbound.complete or reason in _FAILED_PROOF:
            return False
        headers = inbound.headers
        client = headers.get("client-id", "")
        try:
            header = SignatureHeader.parse(headers.get("signature", ""))
        except Malformed:
            return False
        key = self._keys.recall(client, header.key_version)
        if key is None:
            return False
        time = headers.get("request-time", "")
        signed = rsa256.canonical(inbound.method, inbound.uri, client, time, inbound.body)
        return rsa256.holds(key, header.signature, signed)


def _sealed(client: str, time: str, signature: str, body: bytes, code: str) -> Outbound:
    """Return a signed answer.

    The names of headers are in lower case: the Python SDK looks them up like that.
    """
    return Outbound(
        (
            ("content-type", "application/json; charset=UTF-8"),
            ("content-length", str(len(body))),
            ("client-id", client),
            ("response-time", time),
            ("signature", signature),
            ("cache-control", "no-store"),
        ),
        body,
        code=code,
    )


def _fingerprint(signature: bytes, moment: datetime) -> str:
    """Return a key for a request; it begins with the time, which suits databases.

    A text and a key have exactly one signature, so it is the same for the same bytes. It is taken
    in place of the text, which holds the typed code: whoever reads the store could try all codes.
    Only the caller's private key can make the signature of a guess.
    """
    milliseconds = int(moment.timestamp() * 1000)
    return f"{milliseconds:012x}{hashlib.sha256(signature).hexdigest()[:52]}"


def parse_time(text: str) -> datetime | None:
    """Read ISO 8601 with an offset, or milliseconds or nanoseconds since the epoch; else None."""
    if number := _SINCE_EPOCH.fullmatch(text):
        milliseconds, nanoseconds = number.groups("0")
        microseconds = int(nanoseconds) // 1000
        return _EPOCH + timedelta(milliseconds=int(milliseconds), microseconds=microseconds)
    if _ISO.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper())
        except ValueError:
            return None
    return None
