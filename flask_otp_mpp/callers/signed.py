"""What the callers of Alipay+ and AMS have in common: signed requests and checked answers.

Alipay+ API overview, "Sign a request and verify the signature"; each protocol adds its paths and
fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from typing import (
    Any,
    Generic,
    NotRequired,
    TypedDict,
    TypeVar,
)

from cryptography.hazmat.primitives.asymmetric import rsa

from flask_otp_mpp.callers.signed_faults import Tamper, after_signing, strangers_key
from flask_otp_mpp.callers.transport import Call, Response, Transport
from flask_otp_mpp.core.caller import CLIENT_ID, CLIENT_ID_RULE
from flask_otp_mpp.core.clock import Clock, utc_now
from flask_otp_mpp.protocols.alipay.signed_headers import parse_time
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import LocalSigner
from flask_otp_mpp.signing.rsa256 import Malformed, SignatureHeader


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """The wallet's answer to one call, with its signature checked.

    :param call: the HTTP request that was sent.
    :param response: the HTTP response.
    :param string_to_sign: the text that the request's signature covers.
    :param verified: whether the answer names this client and a time, and its signature matches
        the wallet's key of the version that the answer names.
    """

    call: Call = field(repr=False)
    response: Response = field(repr=False)
    string_to_sign: str = field(repr=False)
    verified: bool

    @property
    def json(self) -> dict[str, Any]:
        """The body; an empty dictionary if it is no JSON object."""
        try:
            value = json.loads(self.response.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def code(self) -> str:
        """The ``resultCode``; empty if the answer has none."""
        return self._result("resultCode")

    @property
    def status(self) -> str:
        """The ``resultStatus``, S, F or U; empty if the answer has none."""
        return self._result("resultStatus")

    @property
    def message(self) -> str:
        """The ``resultMessage``; empty if the answer has none."""
        return self._result("resultMessage")

    def _result(self, name: str) -> str:
        result = self.json.get("result")
        return str(result.get(name, "")) if isinstance(result, dict) else ""


A = TypeVar("A", bound=SignedAnswer)


class SigningOptions(TypedDict):
    """The keyword arguments of every signed caller, in addition to those of its protocol.

    They are explained at :class:`SignedCaller`; those that are not required may be left out.
    """

    client_id: str
    key: rsa.RSAPrivateKey
    server_keys: Mapping[str, rsa.RSAPublicKey]
    key_version: NotRequired[str]
    paths: NotRequired[tuple[str, str]]
    clock: NotRequired[Clock]


class SignedCaller(Generic[A]):
    """Call a wallet with signed requests; the base of the callers of Alipay+ and AMS.

    :ivar paths: the paths of the protocol's two APIs, below the prefix.
    :cvar answers: the class of the answers.
    :param transport: sends the HTTP requests: ``over_wsgi(app)`` or ``over_http(url)``.
    :param client_id: the ``Client-Id`` of the requests.
    :param key: the private key that signs the requests.
    :param server_keys: the wallet's public keys by version; an answer is checked with the key of
        the version that it names.
    :param key_version: the version of ``key`` that the requests name.
    :param prefix: the path of the APIs as the caller calls and signs it.
    :param paths: those of the two APIs below the prefix, if they are not the usual ones: first the
        one that sends, then the one that verifies.
    :param clock: returns the time of the request, as aware UTC.
    :raises ValueError: if no client can have such an id.
    """

    paths: tuple[str, str]
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
        paths: tuple[str, str] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        if CLIENT_ID.fullmatch(client_id) is None:
            raise ValueError(f"client_id is {client_id!r}; a client id has {CLIENT_ID_RULE}")
        self._transport = transport
        self._client_id = client_id
        self._key = key
        self._server_keys = dict(server_keys)
        self._key_version = key_version
        self._prefix = prefix
        if paths is not None:
            self.paths = paths
        self._clock = clock

    def call(
        self, path: str, payload: Any, *, tamper: Tamper | None = None, method: str = "POST"
    ) -> A:
        """Call any path with any payload: :meth:`prepare` and :meth:`deliver` in one."""
        return self.deliver(*self.prepare(path, payload, tamper=tamper, method=method))

    def prepare(
        self, path: str, payload: Any, *, tamper: Tamper | None = None, method: str = "POST"
    ) -> tuple[Call, str]:
        """Sign a request without sending it.

        :param path: below the prefix.
        :param payload: bytes are sent as they are, anything else as JSON.
        :param tamper: the one fault that the request is to contain.
        :returns: the HTTP request, and the text that its signature covers.
        """
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        uri = self._prefix + path
        moment = self._clock() - timedelta(hours=1 if tamper == "stale" else 0)
        time = moment.astimezone(UTC).isoformat(timespec="milliseconds")
        signed = rsa256.canonical(method, uri, self._client_id, time, body)
        key = strangers_key() if tamper == "key" else self._key
        headers = {
            "content-type": "application/json; charset=UTF-8",
            "client-id": self._client_id,
            "request-time": time,
            "signature": rsa256.signature_header(LocalSigner(self._key_version, key), signed),
        }
        call = after_signing(tamper, Call(method, uri, headers, body))
        if tamper == "path":
            send, verify = self.paths
            call = replace(call, uri=self._prefix + (send if path == verify else verify))
        return call, signed.decode("utf-8", "replace")

    def deliver(self, call: Call, string_to_sign: str = "") -> A:
        """Send a prepared request and check the answer's signature.

        It may be repeated with the same request, as a network would repeat it.
        """
        response = self._transport(call)
        return self.answers(call, response, string_to_sign, self._is_signed(call, response))

    def _is_signed(self, call: Call, response: Response) -> bool:
        headers = {name.lower(): value for name, value in response.headers}
        try:
            header = SignatureHeader.parse(headers.get("signature", ""))
        except Malformed:
            return False
        key = self._server_keys.get(header.key_version or "")
        client, time = headers.get("client-id", ""), headers.get("response-time", "")
        # An answer to a client that is not registered names none.
        if key is None or client not in ("", call.headers.get("client-id", "")):
            return False
        if parse_time(time) is None:  # a part of the body could be called the end of the time
            return False
        data = rsa256.canonical(call.method, call.uri, client, time, response.body)
        return rsa256.holds(key, header.signature, data)
