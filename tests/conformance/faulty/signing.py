"""The signatures of a layer: it checks and makes those of requests and answers, with any key."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding

from flask_otp_mpp.conformance.wire import Request, Response
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import LocalSigner
from flask_otp_mpp.signing.rsa256 import Malformed, SignatureHeader
from tests.ams import MERCHANT, OTHER
from tests.conformance.endpoints import KEYS, SECOND_CLIENT
from tests.wallet import CLIENT, key

CLIENT_KEYS: Final = {CLIENT: KEYS[0], SECOND_CLIENT: KEYS[1], MERCHANT: KEYS[0], OTHER: KEYS[1]}
"""The name of each client's key."""
_PKCS1: Final = padding.PKCS1v15()
_SHA256: Final = hashes.SHA256()


def text_of(request: Request, *, uri: str | None = None, body: bytes | None = None) -> bytes:
    """Return the text that the signature of a request must cover.

    :param uri: in place of the request's own; so ``body``.
    """
    client, time = request.header("client-id"), request.header("request-time")
    content = request.body if body is None else body
    return rsa256.canonical(request.method, uri or request.uri, client, time, content)


def signature_of(request: Request) -> tuple[str, str, bytes]:
    """Return the algorithm and the key version that a Signature header names, and the signature.

    Each is empty if the header does not name it.
    """
    items = [item.strip().partition("=") for item in request.header("signature").split(",")]
    named = {name.lower(): value for name, _, value in items}
    try:
        signature = base64.b64decode(unquote(named.get("signature", "")))
    except ValueError:
        signature = b""
    return named.get("algorithm", ""), named.get("keyversion", ""), signature


def holds(
    request: Request,
    text: bytes | None = None,
    *,
    by: str | None = None,
    pad: AsymmetricPadding = _PKCS1,
    algorithm: hashes.HashAlgorithm = _SHA256,
) -> bool:
    """Tell whether the signature of a request holds.

    :param text: that it covers, in place of the right one.
    :param by: the name of the key, in place of the client's.
    """
    name = by or CLIENT_KEYS.get(request.header("client-id"))
    if name is None:
        return False
    public, signature = key(name).public_key(), signature_of(request)[2]
    try:
        public.verify(signature, text_of(request) if text is None else text, pad, algorithm)
    except InvalidSignature:
        return False
    return True


def is_right(request: Request) -> bool:
    """Tell whether the right wallet would accept the signature of a request."""
    try:
        header = SignatureHeader.parse(request.header("signature"))
    except Malformed:
        return False
    return header.key_version in (None, "1") and holds(request)


def signed(request: Request) -> Request:
    """Sign a request by the key of the client that it names.

    One of no known client stays as it is.
    """
    client = request.header("client-id")
    if client not in CLIENT_KEYS:
        return request
    signer = LocalSigner("1", key(CLIENT_KEYS[client]))
    return request.with_header("signature", rsa256.signature_header(signer, text_of(request)))


def sealed(
    request: Request,
    response: Response,
    *,
    method: str | None = None,
    uri: str | None = None,
    by: str = "wallet",
) -> Response:
    """Sign an answer anew, with the headers that it has.

    :param method: that the signature covers, in place of the request's; so ``uri``.
    :param by: the name of the key that signs.
    """
    text = rsa256.canonical(
        request.method if method is None else method,
        request.uri if uri is None else uri,
        response.header("client-id"),
        response.header("response-time"),
        response.body,
    )
    value = rsa256.signature_header(LocalSigner("1", key(by)), text)
    return with_header(response, "signature", value)


def sealed_for(request: Request, response: Response) -> Response:
    """Sign the answer to a changed request for the one that the caller has made.

    An answer that is not signed, to a caller who has asked too often, stays as it is.
    """
    if not response.header("signature"):
        return response
    client = request.header("client-id").partition(",")[0]
    return sealed(request, with_header(response, "client-id", client))


def with_header(response: Response, name: str, *values: str) -> Response:
    """Return an answer with other values of a header; without values, without the header."""
    others = tuple(one for one in response.headers if one[0].lower() != name)
    return replace(response, headers=(*others, *((name, value) for value in values)))
