"""JOSE bodies: a JWE compact around a JWS compact (RFC 7515, 7516), or a bare JWE.

A JWE opens only by a listed algorithm, for one of our keys that its header names. The only module
that imports joserfc (extra ``google``).
"""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from joserfc import jwe, jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwe import JWERegistry
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

from flask_otp_mpp.protocols.google.jose.jwk import Jwk, pick, pick_one
from flask_otp_mpp.protocols.google.sealer import (
    MAX_PAYLOAD,
    MAX_SEALED,
    Opened,
    OpeningKeys,
    from_base64url,
    refuse_encryption,
    refuse_signature,
)
from flask_otp_mpp.signing.keys import MIN_BITS, KeyFault, fingerprint

MAX_BITS: Final = 8192
MAX_HEADER: Final = 512
"""The longest header, in bytes of base64url."""

# Headers that name or carry a key, or want what is not in the core of the RFCs.
_REFUSED: Final = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "p2c", "p2s", "epk"})
_BROKEN: Final = (JoseError, ValueError, TypeError, AssertionError, zlib.error)


class _Key:
    """A key of joserfc, and the algorithms by which it may be used."""

    def __init__(self, jwk: Jwk, allowed: Sequence[str]) -> None:
        algorithms = tuple(name for name in allowed if jwk.alg in (None, name))
        if not algorithms:
            raise KeyFault(f"key {jwk.kid!r} is for {jwk.alg!r}, which is not listed for it")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)  # the length is checked below
                self.rsa = RSAKey.import_key(dict(jwk.members))
        except (JoseError, ValueError, TypeError, KeyError):
            raise KeyFault(
                f"key {jwk.kid!r} is no RSA key whose numbers fit; use RSA of {MIN_BITS} to "
                f"{MAX_BITS} bits"
            ) from None
        bits = self.rsa.public_key.key_size
        if not MIN_BITS <= bits <= MAX_BITS:
            raise KeyFault(
                f"key {jwk.kid!r} is RSA of {bits} bits; use {MIN_BITS} to {MAX_BITS} bits"
            )
        self.kid = jwk.kid
        self.number = str(self.rsa.public_key.public_numbers().n)
        self.algorithms = algorithms


class _Encryption(JWERegistry):
    """A registry that does not warn of RSA1_5: the account's own setting allows it."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms["alg"][name]


class JoseSealer:
    """Seals with the first of our keys and algorithms, opens with any.

    joserfc inflates 250 KB at most before it gives up (its ``DeflateZipModel``), and from a body
    of MAX_SEALED only; what is longer than MAX_PAYLOAD then is refused.

    :param ours: our private keys; the first for ``sig`` signs, all for ``enc`` decrypt.
    :param theirs: their public keys; any for ``sig`` verifies, the first for ``enc`` encrypts.
    :param key_algorithms: the ``alg`` of a JWE; in all three lists the first is used to seal.
    :param content_algorithms: the ``enc`` of a JWE.
    :param signature_algorithms: the ``alg`` of a JWS.
    :param signed: whether a JWS is inside; without it the caller must be authenticated elsewhere.
    :raises KeyFault: if a key or a use is missing.
    """

    media_type: Final = "application/jose; charset=utf-8"

    def __init__(
        self,
        ours: Sequence[Jwk],
        theirs: Sequence[Jwk],
        *,
        key_algorithms: Sequence[str],
        content_algorithms: Sequence[str],
        signature_algorithms: Sequence[str],
        signed: bool = True,
    ) -> None:
        self._contents = tuple(content_algorithms)
        self._registry = _Encryption(
            algorithms=[*key_algorithms, *content_algorithms, "DEF"], strict_check_header=False
        )
        self._signatures = JWSRegistry(
            algorithms=list(signature_algorithms), strict_check_header=False
        )
        self._decrypting = _by_kid(pick(ours, "enc"), key_algorithms)
        self._recipient = _Key(pick_one(theirs, "enc"), key_algorithms)
        self._verifying: Mapping[str, _Key] = {}
        self._signer: _Key | None = None
        if signed:
            self._verifying = _by_kid(pick(theirs, "sig"), signature_algorithms)
            self._signer = _Key(pick_one(ours, "sig"), signature_algorithms)

        self.opening_keys = OpeningKeys(
            frozenset(key.number for key in self._decrypting.values()),
            frozenset(key.number for key in self._verifying.values()),
        )
        signing = [] if self._signer is None else [self._signer]
        used = {
            "ours": [*self._decrypting.values(), *signing],
            "theirs": [*self._verifying.values(), self._recipient],
        }
        self.key_prints = {
            f"{whose} {key.kid}": fingerprint(key.rsa.public_key)
            for whose, keys in used.items()
            for key in keys
        }

    def open(self, body: bytes) -> Opened:
        plaintext = self._decrypt(body)
        if plaintext is None:
            refuse_encryption()
        if self._signer is None:
            return Opened(plaintext, signer="")
        opened = self._verify(plaintext)
        if opened is None:
            refuse_signature()
        return opened

    def seal(self, payload: bytes) -> bytes:
        if self._signer is not None:
            header = {"alg": self._signer.algorithms[0], "kid": self._signer.kid}
            payload = jws.serialize_compact(
                header, payload, self._signer.rsa, registry=self._signatures
            ).encode()
        to = self._recipient
        header = {"alg": to.algorithms[0], "enc": self._contents[0], "kid": to.kid}
        return jwe.encrypt_compact(header, payload, to.rsa, registry=self._registry).encode()

    def close(self) -> None:
        """Do nothing: it holds only memory."""

    def _decrypt(self, body: bytes) -> bytes | None:
        """Return what is in a JWE; None if anything is wrong with it."""
        if len(body) > MAX_SEALED:
            return None
        header = _header(body, segments=5)
        key = self._decrypting.get(header.get("kid", ""))
        if (  # the registry checks the same again, below
            key is None
            or header.get("alg") not in key.algorithms
            or header.get("enc") not in self._contents
            or header.get("zip", "DEF") != "DEF"
        ):
            return None
        try:
            plaintext = jwe.decrypt_compact(body, key.rsa, registry=self._registry).plaintext
        except _BROKEN:
            return None
        return plaintext if plaintext is not None and len(plaintext) <= MAX_PAYLOAD else None

    def _verify(self, token: bytes) -> Opened | None:
        """Return what is in a JWS, and whose it is; None if anything is wrong with it."""
        header = _header(token, segments=3)
        key = self._verifying.get(header.get("kid", ""))
        if key is None or header.get("alg") not in key.algorithms:
            return None
        try:
            verified = jws.deserialize_compact(token, key.rsa, registry=self._signatures)
        except _BROKEN:
            return None
        return Opened(verified.payload, key.kid)


def _by_kid(keys: Iterable[Jwk], allowed: Sequence[str]) -> Mapping[str, _Key]:
    return {key.kid: _Key(key, allowed) for key in keys}


def _header(token: bytes, segments: int) -> Mapping[str, str]:
    """Read a compact token's header; it is empty if anything is wrong with it.

    Members that mean nothing here are left out, as RFC 7515, section 4, demands of unknown ones.
    """
    parts = token.split(b".", segments)
    if len(parts) != segments or len(parts[0]) > MAX_HEADER:
        return {}
    try:
        text = from_base64url(parts[0]).decode("utf-8")
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        return {}
    members = dict(pairs)
    if len(members) != len(pairs) or not _REFUSED.isdisjoint(members):
        return {}
    read = {name: members[name] for name in ("alg", "enc", "kid", "zip") if name in members}
    return read if all(isinstance(value, str) for value in read.values()) else {}
