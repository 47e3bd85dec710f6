"""Cases of keys: a request is verified by the key of its client and version, and by no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Skipped, Source
from flask_otp_mpp.conformance.signed.dialect import Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay, Signing
from flask_otp_mpp.conformance.signed.probe import HEADER, LET_IN, Make, add, probe, reading
from flask_otp_mpp.conformance.target import SignedClient
from flask_otp_mpp.conformance.wire import Request

CASES: Final = SignedCases(Group.KEYS, SIGNED, HEADER)
_CODES: Final = Source("Alipay+ sendOTP and verifyOTP, AMS", "Result/Error codes")
_NO_VERSION: Final = "conformance-none"


@cache
def _fresh_key() -> RSAPrivateKey:
    """Return a key that no endpoint knows."""
    return generate_private_key(65537, 2048)


def _as(change: Callable[[SignedPlay], SignedClient]) -> Make:
    """Return what makes a probe of another client, which is right otherwise."""
    return lambda play: probe(play, Signing(client=change(play)))


def _version(version: str) -> Make:
    return _as(lambda play: replace(play.client, key_version=version))


def _named(name: Callable[[str], str]) -> Make:
    return _as(lambda play: replace(play.client, id=name(play.client.id)))


def _without_version(play: SignedPlay) -> Request:
    request = probe(play)
    part = f"keyVersion={play.client.key_version},"
    return request.with_header("Signature", request.header("signature").replace(part, ""))


def _client_replaced(play: SignedPlay) -> Request:
    """Write the second client's name into a request that the first one has signed."""
    return probe(play).with_header("Client-Id", play.second_client.id)


def _other_case(play: SignedPlay) -> Request:
    name = play.client.id.swapcase()
    if name == play.client.id:
        raise Skipped("the id of the client has no letters")
    return probe(play, Signing(client=replace(play.client, id=name)))


add(
    CASES,
    (
        ("keys.unknown-version", "A version of which the client has no key is told so",
         _version(_NO_VERSION)),
        ("keys.unknown-version-fresh-key", "A foreign key under such a version is told the same",
         _as(lambda play: replace(play.client, key=_fresh_key(), key_version=_NO_VERSION))),
    ),
    "Where the client has no key of that version, the key is not found.",
    Means.KEY_NOT_FOUND,
    source=_CODES,
)  # fmt: skip
add(
    CASES,
    (
        ("keys.version-prototype", "The version __proto__ names no key", _version("__proto__")),
        ("keys.version-path", "A version that is a path names no key", _version("../1")),
        ("keys.version-quoted", "A version with an apostrophe names no key", _version("1' OR '1")),
        ("keys.version-long", "A version of 2,000 letters names no key", _version("1" * 2000)),
        ("keys.version-zero-before", "A version with a zero before it names no key",
         _as(lambda play: replace(play.client, key_version=f"0{play.client.key_version}"))),
    ),
    "A version is a text that is looked up as it is.",
    Means.KEY_NOT_FOUND,
    Means.BAD_SIGNATURE,
    source=reading("There is no such key; a bad signature is accepted as well."),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
add(
    CASES,
    (("keys.no-version", "Without a version, the client's newest key is meant", _without_version),),
    "Without a keyVersion, the latest key of the client is meant.",
    *LET_IN,
)
add(
    CASES,
    (("keys.empty-version", "An empty version causes no internal error", _version("")),),
    "An empty version is refused, or read as if it was left out.",
    Means.KEY_NOT_FOUND,
    Means.BAD_SIGNATURE,
    *LET_IN,
    source=reading("It is refused; the newest key is accepted as well."),
    severity=Severity.RECOMMENDED,
)
add(
    CASES,
    (("keys.fresh-key", "A foreign key under the client's version is a bad signature",
      _as(lambda play: replace(play.client, key=_fresh_key()))),),
    "A client proves itself by its own key.",
    Means.BAD_SIGNATURE,
)  # fmt: skip
add(
    CASES,
    (
        ("keys.second-under-first", "The second client's key does not sign for the first one",
         _as(lambda play: replace(play.client, key=play.second_client.key))),
        ("keys.first-under-second", "The first client's key does not sign for the second one",
         _as(lambda play: replace(play.second_client, key=play.client.key))),
    ),
    "A client proves itself by its own key, not by that of another client.",
    Means.BAD_SIGNATURE,
    needs=(Need.SECOND_CLIENT,),
)  # fmt: skip
add(
    CASES,
    (("keys.client-replaced", "A Client-Id that was replaced by another client's is refused",
      _client_replaced),),
    "The signature covers the Client-Id, and is verified by its key.",
    Means.BAD_SIGNATURE,
    Means.KEY_NOT_FOUND,
    needs=(Need.SECOND_CLIENT,),
)  # fmt: skip
add(
    CASES,
    (("keys.second-client", "The second client is let in by its own key",
      _as(lambda play: play.second_client)),),
    "Each client has its own keys.",
    *LET_IN,
    Means.TOKEN_INVALID,  # the token of the probe may be the first client's alone
    needs=(Need.SECOND_CLIENT,),
)  # fmt: skip
add(
    CASES,
    (
        ("keys.unknown-client", "A client that nobody knows is told so",
         _named(lambda _: "CONFORMANCE_UNKNOWN_0001")),
        ("keys.client-prolonged", "A Client-Id with a letter behind it is an unknown client",
         _named(lambda name: f"{name}X")),
        ("keys.client-shortened", "A Client-Id without its last letter is an unknown client",
         _named(lambda name: name[:-1])),
    ),
    "A client that is not registered is invalid.",
    Means.CLIENT_UNKNOWN,
    source=_CODES,
)  # fmt: skip
add(
    CASES,
    (
        ("keys.client-case", "A Client-Id in the other case is an unknown client", _other_case),
        ("keys.client-dot", "A Client-Id that ends with a dot is an unknown client",
         _named(lambda name: f"{name}.")),
        ("keys.client-space", "A Client-Id with a space in it is an unknown client",
         _named(lambda name: f"{name} x")),
        ("keys.client-long", "A Client-Id of 2,000 letters is an unknown client",
         _named(lambda name: name + "X" * (2000 - len(name)))),
        ("keys.client-prototype", "The Client-Id __proto__ is an unknown client",
         _named(lambda _: "__proto__")),
        ("keys.client-latin-1", "A Client-Id with a letter that is not ASCII is an unknown client",
         _named(lambda name: f"{name}\xe9")),
    ),
    "A Client-Id is a text that is looked up as it is.",
    Means.CLIENT_UNKNOWN,
    Means.KEY_NOT_FOUND,
    Means.BAD_SIGNATURE,
    Means.PARAMETER,
    source=reading(
        "The client is unknown; no key, a bad signature and a bad parameter are accepted as well."
    ),
    severity=Severity.RECOMMENDED,
)  # fmt: skip
