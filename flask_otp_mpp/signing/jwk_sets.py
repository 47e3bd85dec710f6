"""Generate RSA keys and write them as JWK sets, one private and one public.

RFC 7517 and RFC 7518, section 6.3.
"""

from __future__ import annotations

import base64
import json

from cryptography.hazmat.primitives.asymmetric import rsa


def generate_jwk_sets(name: str, bits: int = 2048) -> tuple[str, str]:
    """Generate a key that signs and a key that decrypts.

    :param name: the beginning of each ``kid``, such as ``wallet-2026``.
    :param bits: the length of each RSA key; 2048 or more.
    :returns: the JWK set to keep secret, and the same without the private parts, both as JSON.
    """
    keys = {use: rsa.generate_private_key(65537, bits) for use in ("sig", "enc")}
    private = [jwk(key, f"{name}-{use}", use) for use, key in keys.items()]
    public = [{part: key[part] for part in ("kty", "kid", "use", "n", "e")} for key in private]
    return json.dumps({"keys": private}, indent=1), json.dumps({"keys": public}, indent=1)


def jwk(key: rsa.RSAPrivateKey, kid: str, use: str | None) -> dict[str, str]:
    """Return a private key as a JWK (RFC 7518, section 6.3.2).

    :param use: ``sig``, ``enc``, or None for both.
    """
    secret = key.private_numbers()
    numbers = {
        "n": secret.public_numbers.n,
        "e": secret.public_numbers.e,
        "d": secret.d,
        "p": secret.p,
        "q": secret.q,
        "dp": secret.dmp1,
        "dq": secret.dmq1,
        "qi": secret.iqmp,
    }
    purpose = {} if use is None else {"use": use}
    return {
        "kty": "RSA",
        "kid": kid,
        **purpose,
        **{part: _digits(number) for part, number in numbers.items()},
    }


def _digits(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
