"""A caller signs what it sends, believes only what is signed, and can do wrong.

What is common to the callers of Alipay+ and AMS; each of them adds its paths and fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import (
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    NotRequired,
    TypeAlias,
    TypedDict,
    TypeVar,
)

from cryptography.hazmat.primitives.asymmetric import rsa

from flask_otp_mpp.callers.transport import Call, Response, Transport
from flask_otp_mpp.core.ports import Clock, utc_now
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import LocalSigner
from flask_otp_mpp.signing.rsa256 import Malformed, SignatureHeader

Tamper: TypeAlias = Literal[
    "body",
    "path",
    "query",
    "method",
    "time",
    "client",
    "key",
    "key-version",
    "signature",
    "algorithm",
    "testing-signature",
    "no-signature",
    "no-client",
    "no-time",
    "media-type",
    "stale",
]


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """Hold an answer and whether it can be believed.

    :param string_to_sign: what the request's signature covers.
    :param verified: whether the answer names this client and its signature holds under the
        wallet's key of the version that it names.
    """

    call: Call = field(repr=False)
    response: Response = field(repr=False)
    string_to_sign: str = field(repr=False)
    verified: bool

    @property
    def json(self) -> dict[str, Any]:
        """The body; empty if it is no JSON object."""
        try:
            value = json.loads(self.response.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def code(self) -> str:
        """The resultCode; empty if the answer has none."""
        return self._result("resultCode")

    @property
    def status(self) -> str:
        """The resultStatus."""
        return self._result("resultStatus")

    @property
    def message(self) -> str:
        """The resultMessage."""
        return self._result("resultMessage")

    def _result(self, name: str) -> str:
        result = self.json.get("result")
        return str(result.get(name, "")) if isinstance(result, dict) else ""


A = TypeVar("A", bound=SignedAnswer)


class Signing(TypedDict):
    """Name what every caller takes beside its transport, as :class:`SignedCaller` explains it."""

    client_id: str
    key: rsa.RSAPrivateKey
    server_keys: Mapping[str, rsa.RSAPublicKey]
    key_version: NotRequired[str]
    clock: NotRequired[Clock]


class SignedCaller(Generic[A]):
    """Call a wallet by signed requests.

    :cvar paths: the paths of the protocol's two APIs, below the prefix.
    :cvar answers: what it makes of a response.
    :param transport: how the wallet is reached.
    :param key: signs the requests.
    :param server_keys: the wallet's public keys by version; an answer is checked by the key of
        the version that it names.
    """

    paths: ClassVar[tuple[str, str]]
    answers: Callable[[Call, Response, str, bool], A]

    def __init__(
        self,
        transport: Transport,
        *,
        client_id: str,
        key: rsa.RSAPrivateKey,
        server_keys: Mapping[str, rsa.RSAPublicKey],
        key_version: str = "1",
        prefix: str,
        clock: Clock = utc_now,
    ) -> None:
        self._transport = transport
        self._client_id = client_id
        self._key = key
        self._server_keys = dict(server_keys)
        self._key_version = key_version
        self._prefix = prefix
        self._clock = clock

    def call(
        self, path: str, payload: Any, *, tamper: Tamper | None = None, method: str = "POST"
    ) -> A:
        """Sign and send any payload; bytes go as they are."""
        return self.deliver(*self.prepare(path, payload, tamper=tamper, method=method))

    def prepare(
        self, path: str, payload: Any, *, tamper: Tamper | None = None, method: str = "POST"
    ) -> tuple[Call, str]:
        """Sign a request without sending it; return it with what its signature covers."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        uri = self._prefix + path
        moment = self._clock() - timedelta(hours=1 if tamper == "stale" else 0)
        time = moment.astimezone(UTC).isoformat(timespec="milliseconds")
        signed = rsa256.canonical(method, uri, self._client_id, time, body)
        key = rsa.generate_private_key(65537, 2048) if tamper == "key" else self._key
        headers = {
            "content-type": "application/json; charset=UTF-8",
            "client-id": self._client_id,
            "request-time": time,
            "signature": rsa256.signature_header(LocalSigner(self._key_version, key), signed),
        }
        call = _AFTER_SIGNING.get(tamper, _untouched)(Call(method, uri, headers, body))
        if tamper == "path":
            send, verify = self.paths
            call = replace(call, uri=self._prefix + (send if path == verify else verify))
        return call, signed.decode("utf-8", "replace")

    def deliver(self, call: Call, string_to_sign: str = "") -> A:
        """Send a prepared request, as often as you like; check the answer's signature."""
        response = self._transport(call)
        return self.answers(call, response, string_to_sign, self._believes(call, response))

    def _believes(self, call: Call, response: Response) -> bool:
        headers = {name.lower(): value for name, value in response.headers}
        try:
            header = SignatureHeader.parse(headers.get("signature", ""))
        except Malformed:
            return False
        key = self._server_keys.get(header.key_version or "")
        client, time = headers.get("client-id", ""), headers.get("response-time", "")
        if key is None or client != call.headers.get("client-id", ""):
            return False
        data = rsa256.canonical(call.method, call.uri, client, time, response.body)
        return rsa256.holds(key, header.signature, data)


def _untouched(call: Call) -> Call:
    return call


def _header(name: str, change: Callable[[str], str]) -> Callable[[Call], Call]:
    def tamper(call: Call) -> Call:
        return replace(call, headers={**call.headers, name: change(call.headers[name])})

    return tamper


def _without(name: str) -> Callable[[Call], Call]:
    def tamper(call: Call) -> Call:
        return replace(call, headers={k: v for k, v in call.headers.items() if k != name})

    return tamper


def _flip(text: str) -> str:
    """Change one letter inside a signature, none of a percent-escape: well formed, and wrong."""
    start, mark, signature = text.partition("signature=")
    return start + mark + re.sub("(?<!%)(?<!%.)[a-z]", _other_letter, signature, count=1)


def _other_letter(found: re.Match[str]) -> str:
    return "b" if found[0] == "a" else "a"


def _next_second(text: str) -> str:
    return (datetime.fromisoformat(text) + timedelta(seconds=1)).isoformat(timespec="milliseconds")


# What happens to a request between the caller who signed it and the wallet.
_AFTER_SIGNING: Final[Mapping[Tamper | None, Callable[[Call], Call]]] = {
    "body": lambda call: replace(call, body=call.body.replace(b"}", b" }")),
    "query": lambda call: replace(call, uri=f"{call.uri}?x=1"),
    "method": lambda call: replace(call, method="PUT"),
    "time": _header("request-time", _next_second),
    "client": _header("client-id", lambda client: f"{client}X"),
    "key-version": _header("signature", lambda text: re.sub("Version=[^,]*", "Version=99", text)),
    "signature": _header("signature", _flip),
    "algorithm": _header("signature", lambda text: text.replace("RSA256", "HS256")),
    "testing-signature": _header(
        "signature", lambda text: text.partition("signature=")[0] + "signature=testing_signature"
    ),
    "no-signature": _without("signature"),
    "no-client": _without("client-id"),
    "no-time": _without("request-time"),
    "media-type": _header("content-type", lambda _: "text/plain"),
}
