"""An exchange with signed headers, and how each kind of capture shows it."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from flask_otp_mpp.conformance.explain import (
    Captured,
    Direction,
    Explanation,
    Known,
    Parts,
    explain,
    read_capture,
    with_parts,
)
from tests.vectors import private_key, public_key

HOST: Final = "wallet.example:8443"
URI: Final = "/aps/api/v1/users/verifyOTP"
CLIENT: Final = "SANDBOX_5Y00000000000000"
TIME: Final = "2026-03-01T08:51:49.500Z"
ANSWERED: Final = "2026-03-01T16:51:50+08:00"
TOKEN: Final = "281010033AB2F588D14B43238637264FCA5A0000"
BODY: Final = (
    '{"pspId": "1022172000000000000", "acquirerId":"1022188000000000000",'
    f'"accessToken":"{TOKEN}", "otpCode":"660000",\n "note":"ü/中=", "verifyType":null}}'
).encode()
ANSWER: Final = b'{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"Success"}}'


def sign(data: bytes, key: str = "alipayplus") -> bytes:
    return private_key(key).sign(data, padding.PKCS1v15(), hashes.SHA256())


def header(signature: bytes) -> str:
    text = quote(base64.b64encode(signature).decode(), safe="")
    return f"algorithm=RSA256,keyVersion=1,signature={text}"


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    method: str = "POST"
    uri: str = URI
    client: str = CLIENT
    time: str = TIME
    signature: str = ""
    body: bytes = field(default=BODY)
    answer_signature: str = ""
    answer: bytes = field(default=ANSWER)

    @property
    def request_headers(self) -> Mapping[str, str]:
        return {
            "Host": HOST,
            "Content-Type": "application/json; charset=UTF-8",
            "Client-Id": self.client,
            "Request-Time": self.time,
            "Signature": self.signature,
            "Content-Length": str(len(self.body)),
        }

    @property
    def answer_headers(self) -> Mapping[str, str]:
        return {
            "content-type": "application/json; charset=UTF-8",
            "content-length": str(len(self.answer)),
            "client-id": self.client,
            "response-time": ANSWERED,
            "signature": self.answer_signature,
            "date": "Sun, 01 Mar 2026 08:51:51 GMT",
        }


RIGHT: Final = f"POST {URI}\n{CLIENT}.{TIME}.".encode() + BODY
RIGHT_ANSWER: Final = f"POST {URI}\n{CLIENT}.{ANSWERED}.".encode() + ANSWER


def as_raw(exchange: Exchange) -> bytes:
    """Return the request and the answer as they are on the wire."""
    request = [f"{exchange.method} {exchange.uri} HTTP/1.1"]
    request += [f"{name}: {value}" for name, value in exchange.request_headers.items()]
    answer = ["HTTP/1.1 200 OK", *(f"{n}: {v}" for n, v in exchange.answer_headers.items())]
    return b"".join(
        (
            *("\r\n".join(request).encode("latin-1"), b"\r\n\r\n", exchange.body),
            *("\r\n".join(answer).encode("latin-1"), b"\r\n\r\n", exchange.answer),
        )
    )


def as_curl(exchange: Exchange) -> bytes:
    """Return what a terminal shows after `curl -v`, with the command above it."""
    body = shlex.quote(exchange.body.decode("latin-1")).encode("latin-1")
    sent = [f"> {exchange.method} {exchange.uri} HTTP/1.1"]
    sent += [f"> {name}: {value}" for name, value in exchange.request_headers.items()]
    received = ["< HTTP/1.1 200 OK", *(f"< {n}: {v}" for n, v in exchange.answer_headers.items())]
    return b"".join(
        (
            f"$ curl -v https://{HOST}{exchange.uri} \\\n  --data-binary ".encode() + body,
            f"\n* Trying 192.0.2.1:8443...\n* Connected to {HOST}\n".encode(),
            *("\n".join(sent).encode("latin-1"), b"\n> \n* upload completely sent off\n"),
            *("\n".join(received).encode("latin-1"), b"\n< \n"),
            b"{ [80 bytes data]\n",
            exchange.answer,
            b"* Connection #0 to host wallet.example left intact\n",
        )
    )


def as_har(exchange: Exchange) -> bytes:
    """Return what a browser or a proxy saves, between two other entries."""

    def headers(given: Mapping[str, str]) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in given.items()]

    entry = {
        "request": {
            "method": exchange.method,
            "url": f"https://{HOST}{exchange.uri}",
            "headers": headers(exchange.request_headers),
            "postData": {"mimeType": "application/json", "text": exchange.body.decode()},
        },
        "response": {
            "status": 200,
            "headers": headers(exchange.answer_headers),
            "content": {"text": base64.b64encode(exchange.answer).decode(), "encoding": "base64"},
        },
    }
    other = {
        "request": {"method": "GET", "url": f"https://{HOST}/", "headers": []},
        "response": {"status": 404, "headers": [], "content": {}},
    }
    return json.dumps({"log": {"version": "1.2", "entries": [other, entry, other]}}).encode()


def _from_parts(exchange: Exchange) -> Captured:
    request = Parts(
        exchange.method,
        f"https://{HOST}{exchange.uri}",
        exchange.client,
        exchange.time,
        exchange.signature,
        exchange.body,
    )
    answer = Parts(
        client=exchange.client,
        time=ANSWERED,
        signature=exchange.answer_signature,
        body=exchange.answer,
        direction=Direction.ANSWER,
    )
    both = with_parts(with_parts(None, request), answer)
    return with_parts(both, Parts(direction=Direction.REQUEST))


CAPTURES: Final[Mapping[str, Callable[[Exchange], Captured]]] = {
    "raw HTTP": lambda exchange: read_capture(as_raw(exchange)),
    "curl -v": lambda exchange: read_capture(as_curl(exchange)),
    "HAR": lambda exchange: read_capture(as_har(exchange)),
    "parts": _from_parts,
}
KEYS: Final = {"1": public_key("alipayplus")}
WALLET: Final = {"1": public_key("mpp")}
KNOWN: Final = Known(clients=("MERCHANT_7",), prefixes=("/wallet/gateway",))


def explained(captured: Captured, known: Known = KNOWN) -> Explanation:
    """Explain a message with the key of the side that sends it."""
    keys = KEYS if captured.direction is Direction.REQUEST else WALLET
    return explain(captured, keys, known)


def of_answer(captured: Captured) -> Captured:
    return replace(captured, direction=Direction.ANSWER)


def ids(explanation: Explanation) -> list[str]:
    return [mistake.id for mistake in explanation.found]
