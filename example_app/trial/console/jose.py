"""The layers of Google's messages: what is signed, what is encrypted, and what is inside.

The console opens both messages by the keys of the instance folder, where it finds the private keys
of both sides. Nobody has both outside of a trial.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from example_app.trial.console.exchange import Layer, Message, Proof, indented
from flask_otp_mpp.callers import GoogleAnswer

_PAYLOAD_NOTE = "The content, which only the two sides can read."
_JWS_NOTE = (
    "Header and payload in base64url, joined with a dot, are signed with the private key of "
    "{signer}. The third part is the signature. The header is {header}"
)
_JWE_NOTE = (
    "The JWS is encrypted to the public key of {reader}. The five parts, joined with dots, are the "
    "body of the message: header, encrypted key, nonce, content, tag. The header is {header}"
)
_BROKEN_NOTE = "No key of {reader} decrypts this body: it was changed after it was encrypted."


def request_of(answer: GoogleAnswer, instance: Path) -> Message:
    """Return the request of an answer, with its layers."""
    call = answer.call
    layers = _layers(answer.asked, call.body, instance / "wallet.jwks", ("Google", "the wallet"))
    return Message(
        f"{call.method} {call.uri}",
        list(call.headers.items()),
        call.body.decode(errors="replace"),
        layers,
    )


def answer_of(answer: GoogleAnswer, instance: Path) -> Message:
    """Return the answer, with its layers; one without a body has none."""
    response = answer.response
    layers: list[Layer] = []
    if response.body:
        inside = b"" if answer.opened is None else answer.opened.payload
        layers = _layers(inside, response.body, instance / "google.jwks", ("the wallet", "Google"))
    return Message(
        f"HTTP {response.status}",
        list(response.headers),
        response.body.decode(errors="replace"),
        layers,
    )


def proof_of(answer: GoogleAnswer) -> Proof:
    """Tell whether the answer decrypts, and was signed by the wallet's key."""
    if not answer.response.body:
        return Proof(holds=None, says="The answer has no body, so nothing is signed.")
    if answer.verified:
        return Proof(
            holds=True,
            says="The answer decrypts with Google's key, and the wallet's signature holds.",
        )
    return Proof(holds=False, says="The answer does not decrypt, or its signature does not hold.")


def _layers(payload: bytes, body: bytes, keys: Path, sides: tuple[str, str]) -> list[Layer]:
    """Return the layers of a message, from the inside to the outside.

    :param payload: what was sealed; empty if that is not known.
    :param keys: the private keys of the side that reads the message.
    :param sides: who has signed, and who can read.
    """
    signer, reader = sides
    token = _decrypted(body, keys)
    layers = [Layer("Decrypted content", _PAYLOAD_NOTE, indented(payload))] if payload else []
    if token:
        note = _JWS_NOTE.format(signer=signer, header=_header(token))
        layers.append(Layer("JWS: the signature", note, token))
    sealed = body.decode(errors="replace")
    note = _JWE_NOTE if token else _BROKEN_NOTE
    note = note.format(reader=reader, header=_header(sealed))
    layers.append(Layer("JWE: the encryption", note, sealed))
    return layers


def _decrypted(body: bytes, keys: Path) -> str:
    """Return the JWS in a JWE; empty if no key decrypts it."""
    by_kid = {key["kid"]: key for key in json.loads(keys.read_text())["keys"]}
    header = json.loads(_header(body.decode()))
    algorithms = [header["alg"], header["enc"]]
    try:
        key = RSAKey.import_key(by_kid[header["kid"]])
        return (jwe.decrypt_compact(body, key, algorithms=algorithms).plaintext or b"").decode()
    except (JoseError, ValueError, KeyError):
        return ""


def _header(token: str) -> str:
    """Return the protected header of a compact token as it is written."""
    first = token.partition(".")[0]
    return base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode(errors="replace")
