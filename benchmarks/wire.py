"""Signed requests and their answers; requests are signed before the clock starts."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import statistics
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from example_app.instance import CLIENT_ID, PSP_ID
from flask_otp_mpp.signing.keys import load_private_key, load_public_key

PREFIX: Final = "/aps/api/v1/users"
MEDIA: Final = "application/json; charset=UTF-8"
ACQUIRER: Final = "1022188000000000000"
PADDING: Final = padding.PKCS1v15()
SHA256: Final = hashes.SHA256()
_RESULT: Final = re.compile(rb'"resultCode"\s*:\s*"([^"]*)"')
_ID: Final = re.compile(rb'"verifyRequestId"\s*:\s*"([^"]*)"')


class RequestKind(StrEnum):
    """What a request asks for."""

    SEND = "send"
    RIGHT = "right code"
    WRONG = "wrong code"
    FORGED = "forged"


EXPECTED: Final = {
    RequestKind.SEND: "SUCCESS",
    RequestKind.RIGHT: "SUCCESS",
    RequestKind.WRONG: "OTP_VERIFY_UNMATCHED",
    RequestKind.FORGED: "INVALID_SIGNATURE",
}


@dataclass(frozen=True, slots=True)
class UnsignedRequest:
    """A request before it is signed.

    :param info: makes it another request than one that is otherwise the same.
    """

    kind: RequestKind
    token: str
    challenge: str = ""
    code: str = ""
    info: str = ""

    def path(self) -> str:
        return f"{PREFIX}/{'verifyOTP' if self.challenge else 'sendOTP'}"

    def body(self) -> bytes:
        fields = {"acquirerId": ACQUIRER, "pspId": PSP_ID, "accessToken": self.token}
        if self.challenge:
            fields |= {"verifyRequestId": self.challenge, "otpCode": self.code}
        else:
            fields |= {"verifyType": "MOBILE"}
        if self.info:
            fields |= {"extendInfo": self.info}
        return json.dumps(fields, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Request:
    """A signed request."""

    unsigned: UnsignedRequest
    time: str
    signature: str
    body: bytes

    def over_http(self) -> bytes:
        """Return it as HTTP/1.1."""
        head = (
            f"POST {self.unsigned.path()} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {MEDIA}\r\n"
            f"Content-Length: {len(self.body)}\r\nClient-Id: {CLIENT_ID}\r\n"
            f"Request-Time: {self.time}\r\nSignature: {self.signature}\r\n\r\n"
        )
        return head.encode() + self.body

    def over_wsgi(self) -> dict[str, Any]:
        """Return it as a WSGI server passes it to an app."""
        return {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": self.unsigned.path(),
            "RAW_URI": self.unsigned.path(),
            "QUERY_STRING": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_CLIENT_ID": CLIENT_ID,
            "HTTP_REQUEST_TIME": self.time,
            "HTTP_SIGNATURE": self.signature,
            "CONTENT_TYPE": MEDIA,
            "CONTENT_LENGTH": str(len(self.body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Parse a raw HTTP/1.1 answer."""
        head, _, body = raw.partition(b"\r\n\r\n")
        pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
        return cls({name.lower(): value.strip() for name, _, value in pairs}, body)

    @property
    def code(self) -> str:
        """The resultCode; empty if there is none."""
        return _first(_RESULT, self.body)

    @property
    def challenge(self) -> str:
        """The verifyRequestId; empty if there is none."""
        return _first(_ID, self.body)


@dataclass(frozen=True, slots=True)
class Caller:
    """Alipay+: signs requests and verifies answers."""

    key: rsa.RSAPrivateKey
    wallet: rsa.RSAPublicKey

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Make a caller with the keys of an example wallet's instance folder."""
        return cls(
            load_private_key(str(folder / "alipayplus.pem")),
            load_public_key(str(folder / "wallet.pub")),
        )

    def sign_all(self, unsigned: Iterable[UnsignedRequest]) -> list[Request]:
        """Sign on all cores; a forged request gets the signature of another body."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # signing releases the GIL
            return list(pool.map(self._sign, unsigned))

    def holds(self, path: str, answer: Answer) -> bool:
        """Tell whether the wallet has signed this answer."""
        headers = answer.headers
        signature = headers.get("signature", "").partition("signature=")[2]
        named = f"{headers.get('client-id')}.{headers.get('response-time')}"
        try:
            self.wallet.verify(
                base64.b64decode(unquote(signature)),
                f"POST {path}\n{named}.".encode() + answer.body,
                PADDING,
                SHA256,
            )
        except (InvalidSignature, ValueError):
            return False
        return True

    def signature_us(self, times: int = 40) -> float:
        """Time one RSA-2048 signature now: a unit that follows the speed of the machine."""
        took = []
        for _ in range(times):
            begin = time.perf_counter()
            self.key.sign(b"x" * 300, PADDING, SHA256)
            took.append(time.perf_counter() - begin)
        return statistics.median(took) * 1e6

    def _sign(self, unsigned: UnsignedRequest) -> Request:
        body = unsigned.body()
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        signed = body + b" " if unsigned.kind is RequestKind.FORGED else body
        data = f"POST {unsigned.path()}\n{CLIENT_ID}.{moment}.".encode() + signed
        text = quote(base64.b64encode(self.key.sign(data, PADDING, SHA256)), safe="")
        return Request(unsigned, moment, f"algorithm=RSA256, keyVersion=1, signature={text}", body)


def _first(pattern: re.Pattern[bytes], body: bytes) -> str:
    found = pattern.search(body)
    return found[1].decode() if found else ""
