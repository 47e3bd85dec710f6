"""The wallet's answer to a call of Google's, decrypted and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from flask_otp_mpp.callers.transport import Call, Response
from flask_otp_mpp.protocols.google.sealer import Opened


@dataclass(frozen=True, slots=True)
class GoogleAnswer:
    """The wallet's answer to one call, decrypted and checked.

    :param call: the HTTP request that was sent.
    :param response: the HTTP response.
    :param asked: the payload of the request before it was sealed.
    :param opened: the payload of the answer and its signer; None if there was no body, or if the
        body did not decrypt or was not signed by the wallet.
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
        """The payload of the answer; empty if ``opened`` is None, or holds no JSON object."""
        try:
            value = {} if self.opened is None else json.loads(self.opened.payload)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def code(self) -> str:
        """The result, or else the errorResponseCode; empty if there is neither."""
        return self.result or self.error

    @property
    def result(self) -> str:
        """The ``result``; empty if the answer has none."""
        return str(self.json.get("result", ""))

    @property
    def error(self) -> str:
        """The ``errorResponseCode``; empty if the answer is no ErrorResponse."""
        return str(self.json.get("errorResponseCode", ""))

    @property
    def description(self) -> str:
        """The ``errorDescription``; empty if the answer is no ErrorResponse."""
        return str(self.json.get("errorDescription", ""))

    @property
    def request_id(self) -> str:
        """The ``requestId`` that was sent."""
        return str(json.loads(self.asked)["requestHeader"]["requestId"])

    @property
    def verified(self) -> bool:
        """Whether the answer decrypted and was signed by the wallet, or has no body."""
        return self.response.body == b"" or self.opened is not None
