"""Cases of JOSE bodies that were changed, and of their algorithms."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import Group, Severity, Skipped, Wire
from flask_otp_mpp.conformance.google.answer import payload_of
from flask_otp_mpp.conformance.google.dialect import Api, Means, written
from flask_otp_mpp.conformance.google.jose_forge import (
    JoseForge,
    b64,
    flipped,
    replaced,
)
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

_WIRES: Final = frozenset({Wire.GOOGLE_JOSE})
_DOCUMENT: Final = written("Encryption by JOSE; RFC 7515 and RFC 7516")
CASES: Final = GoogleCases(Group.SIGNATURE, _WIRES, _DOCUMENT)
Make = Callable[[JoseForge, bytes], bytes]


def _refused(make: Make, means: tuple[Means, ...], play: GooglePlay) -> None:
    play.offer(partial(make, play.jose), *means)


def _sealed_of(jws: Callable[[JoseForge, bytes], bytes]) -> Make:
    """Return what makes a right JWE around such a JWS."""
    return lambda forge, payload: forge.sealed(jws(forge, payload))


def _flipped_jwe(part: int, forge: JoseForge, payload: bytes) -> bytes:
    return flipped(forge.good(payload), part)


def _other_header(forge: JoseForge, payload: bytes) -> bytes:
    """Write the members of the JWE's header in another order: the tag covers its bytes."""
    header = {"kid": forge.recipient.kid, "enc": forge.encrypts[0], "alg": forge.wraps[0]}
    return replaced(forge.good(payload), 0, b64(json.dumps(header).encode()))


for _name, _what, _make in (
    ("jwe-header", "other bytes in the header of the JWE", _other_header),
    ("jwe-key", "one bit changed in the JWE's encrypted key", partial(_flipped_jwe, 1)),
    ("jwe-iv", "one bit changed in the JWE's initialization vector", partial(_flipped_jwe, 2)),
    ("jwe-ciphertext", "one bit changed in the JWE's ciphertext", partial(_flipped_jwe, 3)),
    ("jwe-tag", "one bit changed in the JWE's tag", partial(_flipped_jwe, 4)),
):
    CASES.add(
        f"signature.{_name}",
        f"A body with {_what} is 400 INVALID_PAYLOAD_ENCRYPTION",
        "A body that was changed does not open.",
        users=0,
    )(partial(_refused, _make, (Means.ENCRYPTION,)))


def _other_jws_header(forge: JoseForge, payload: bytes) -> bytes:
    header = {"kid": forge.signer.kid, "alg": forge.signs[0], "typ": "JWT"}
    return replaced(forge.signed(payload), 0, b64(json.dumps(header).encode()))


def _alg_none(name: str, forge: JoseForge, payload: bytes) -> bytes:
    header = b64(json.dumps({"alg": name, "kid": forge.signer.kid}).encode())
    return b".".join([header, b64(payload), b""])


def _other_alg(forge: JoseForge, payload: bytes) -> bytes:
    """Sign by one agreed algorithm, and name another one."""
    names = ("RS256", "PS256") if "PS256" in forge.signs else ("PS256", "RS256")
    return forge.signed(payload, alg=names[0], header={"alg": names[1]})


def _other_payload(forge: JoseForge, payload: bytes) -> bytes:
    return replaced(forge.signed(payload), 1, b64(payload.replace(b"conformance", b"Conformance")))


for _name, _what, _jws in (
    ("jws-header", "other bytes in the header of the JWS", _other_jws_header),
    ("jws-payload", "another payload than was signed", _other_payload),
    (
        "jws-signature",
        "one bit changed in the signature",
        lambda forge, payload: flipped(forge.signed(payload), 2),
    ),
    (
        "jws-empty-signature",
        "an empty signature",
        lambda forge, payload: replaced(forge.signed(payload), 2, b""),
    ),
    ("alg-none", "alg none and no signature", partial(_alg_none, "none")),
    ("alg-none-in-capitals", "alg NONE and no signature", partial(_alg_none, "NONE")),
    (
        "alg-none-signed",
        "alg none before a signature",
        lambda forge, payload: forge.signed(payload, header={"alg": "none"}),
    ),
    (
        "alg-hs256",
        "an HMAC whose secret is the public key",
        lambda forge, payload: forge.signed_by_mac(payload),
    ),
    ("alg-other", "another algorithm than was used", _other_alg),
    (
        "crit-unknown",
        "an extension in crit that nobody knows",
        lambda forge, payload: forge.signed(
            payload, header={"crit": ["conformance"], "conformance": True}
        ),
    ),
    (
        "before-json",
        "a bad signature over words that are no JSON",
        lambda forge, payload: flipped(forge.signed(b"no JSON"), 2),
    ),
    ("unsigned", "JSON in the JWE, without a JWS", lambda forge, payload: payload),
    ("jws-of-words", "words in the JWE in place of a JWS", lambda forge, payload: b"no signature"),
):
    CASES.add(
        f"signature.{_name}",
        f"A body with {_what} is 401 INVALID_PAYLOAD_SIGNATURE",
        "Only a signature that holds, by an agreed algorithm and an active key, proves the caller.",
        users=0,
    )(partial(_refused, _sealed_of(_jws), (Means.SIGNATURE,)))


def _algorithm_that_is_not_agreed(forge: JoseForge, payload: bytes) -> bytes:
    others = [name for name in ("RS512", "PS512", "RS384", "PS384") if name not in forge.signs]
    if not others or forge.signer.alg:
        raise Skipped("every algorithm was agreed")
    return forge.signed(payload, alg=others[0])


CASES.add(
    "signature.alg-not-agreed",
    "A signature by an algorithm that was not agreed is 401 INVALID_PAYLOAD_SIGNATURE",
    "The algorithms that were agreed are a list, and nothing else is taken.",
    source=written("Encryption by JOSE", "What was agreed is the list signature_algorithms."),
    severity=Severity.RECOMMENDED,
    users=0,
)(partial(_refused, _sealed_of(_algorithm_that_is_not_agreed), (Means.SIGNATURE,)))


def _rsa1_5(forge: JoseForge, payload: bytes) -> bytes:
    if "RSA1_5" in forge.wraps or forge.recipient.alg:
        raise Skipped("RSA1_5 was agreed, or the key is for one algorithm")
    return forge.sealed(forge.signed(payload), alg="RSA1_5")


def _content_that_is_not_agreed(forge: JoseForge, payload: bytes) -> bytes:
    others = [
        name for name in ("A128GCM", "A192GCM", "A192CBC-HS384") if name not in forge.encrypts
    ]
    if not others:
        raise Skipped("every algorithm was agreed")
    return forge.sealed(forge.signed(payload), enc=others[0])


for _name, _what, _make in (
    ("rsa1-5", "its key encrypted by RSA1_5, which was not agreed", _rsa1_5),
    ("enc-not-agreed", "its content encrypted by what was not agreed", _content_that_is_not_agreed),
):
    CASES.add(
        f"signature.{_name}",
        f"A body with {_what}, is 400 INVALID_PAYLOAD_ENCRYPTION",
        "The algorithms that were agreed are a list, and nothing else is taken.",
        source=written("Encryption by JOSE", "key_algorithms and content_algorithms are agreed."),
        severity=Severity.RECOMMENDED,
        users=0,
    )(partial(_refused, _make, (Means.ENCRYPTION,)))


@CASES.add(
    "signature.no-oracle",
    "All bodies that can't be decrypted are answered alike",
    "An answer does not tell why a body can't be decrypted.",
    source=written("none", "Who sees the cause can decrypt by trial (RFC 7516, section 11.5)."),
    users=0,
)
def no_oracle(play: GooglePlay) -> None:
    """Send bodies that are broken in different places."""
    payload = payload_of(play.message(Api.ECHO))
    answers = set()
    for part in (1, 2, 3, 4):
        body = flipped(play.jose.good(payload), part)
        answer = play.deliver(play.posted(Api.ECHO, body), payload)
        description = answer.json.get("errorDescription", "")
        answers.add((answer.response.status, answer.code, description))
    play.check(len(answers) == 1, f"{len(answers)} different answers were given")
