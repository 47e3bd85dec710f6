"""Requests as the official client libraries write them: names, order and spelling, to the byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

from cryptography.hazmat.primitives.asymmetric import rsa

from flask_otp_mpp.callers.transport import Response
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import Signer

_TIMES: Final[dict[str, Callable[[datetime], str]]] = {
    "iso": lambda now: now.isoformat(timespec="seconds"),
    "iso-basic-offset": lambda now: now.strftime("%Y-%m-%dT%H:%M:%S%z"),
    "milliseconds": lambda now: str(int(now.timestamp() * 1000)),
    "nanoseconds": lambda now: f"{int(now.timestamp() * 1000)}000123",
}


@dataclass(frozen=True)
class SdkRequest:
    """What one library sends.

    :param client: the library.
    :param row: its line, headers, body, and how it writes times.
    """

    client: str
    row: dict[str, Any]

    def write(
        self, *, path: str, client: str, signer: Signer, now: datetime, **fields: str
    ) -> bytes:
        """Write the request, signed as the library signs.

        :param fields: what the body holds: acquirer, psp and token.
        """
        body = _filled(self.row["body"], fields).encode()
        time = _TIMES[self.row["times"]](now)
        signed = rsa256.canonical("POST", path, client, time, body)
        values = {
            "host": "wallet.example",
            "length": str(len(body)),
            "client": client,
            "time": time,
            "signature": rsa256.signature_header(signer, signed),
            "path": path,
        }
        headers = [f"{name}{self.row['colon']}{text}" for name, text in self.row["headers"]]
        head = "\r\n".join([self.row["line"], *headers, "", ""])
        return _filled(head, values).encode() + body

    def accepts(self, response: Response, path: str, server_key: rsa.RSAPublicKey) -> bool:
        """Tell whether the strictest of the libraries would accept an answer.

        Those in Python and PHP look for names in lower case; that in Java wants one ``=`` in the
        third item of the header, that in PHP takes what is behind the last one.
        """
        headers = dict(response.headers)
        name, value = headers["signature"].split(",")[2].split("=")
        if (name, value) != ("signature", headers["signature"].rpartition("=")[2]):
            return False
        signature = base64.b64decode(unquote_plus(value), validate=True)
        time = headers["response-time"]
        data = rsa256.canonical("POST", path, headers["client-id"], time, response.body)
        return rsa256.holds(server_key, signature, data)


def _filled(text: str, values: dict[str, str]) -> str:
    """Put values into their places; braces of JSON stay."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


SDK_REQUESTS: Final = tuple(
    SdkRequest(row["client"], row)
    for row in json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
)
