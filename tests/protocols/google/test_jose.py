"""A JWE opens only by a listed algorithm, for a key of ours that it names, and only whole."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto import jwk

from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.protocols.google.sealer import MAX_PAYLOAD, MAX_SEALED, Sealer
from tests.protocols.google import sides
from tests.protocols.google.conftest import Open
from tests.protocols.google.forge import (
    JWE,
    JWS,
    b64,
    encrypted,
    flattened,
    header_of,
    jwk_with,
    jwk_without_use,
    key,
    opened,
    sealed_raw,
    signed,
    signed_raw,
    to,
    with_header,
    without_key,
)
from tests.protocols.google.test_vectors import decide
from tests.vectors import google

PAYLOAD = google.plain("verifyOtp_request.json")
WALLET = b'{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"integrator-enc-1"}'
ENCRYPTION, SIGNATURE = Reason.ENCRYPTION_INVALID, Reason.SIGNATURE_INVALID


def test_what_jwcrypto_seals_opens_and_tells_the_signer(jose_wallet: Sealer) -> None:
    body = encrypted(signed(PAYLOAD, "google-sig-2"), "integrator-enc-2", to("integrator-enc-2"))
    told = jose_wallet.open(body)
    assert (told.payload, told.signer) == (PAYLOAD, "google-sig-2")


def test_what_is_sealed_opens_by_jwcrypto(jose_wallet: Sealer) -> None:
    sealed = jose_wallet.seal(b'{"result":"SUCCESS"}')
    assert opened(sealed, "google-enc-1", "integrator-sig-1") == b'{"result":"SUCCESS"}'


def test_both_sides_are_one_class(jose_wallet: Sealer, jose_google: Sealer) -> None:
    assert jose_wallet.open(jose_google.seal(PAYLOAD)).payload == PAYLOAD
    assert jose_google.open(jose_wallet.seal(PAYLOAD)).signer == "integrator-sig-1"


def test_the_media_type_is_the_documented_one(jose_wallet: Sealer) -> None:
    assert jose_wallet.media_type == "application/jose; charset=utf-8"


@pytest.mark.parametrize("content", ["A256GCM", "A128CBC-HS256", "A256CBC-HS512"])
@pytest.mark.parametrize("alg", ["RSA-OAEP-256", "RSA-OAEP"])
@pytest.mark.parametrize("signature", ["RS256", "PS256"])
def test_every_listed_algorithm_opens_and_the_first_seals(
    content: str, alg: str, signature: str, jose_wallet: Sealer, open_account: Open
) -> None:
    header = {"alg": alg, "enc": content}
    body = encrypted(signed(PAYLOAD, header={"alg": signature}), header=header)
    assert jose_wallet.open(body).payload == PAYLOAD
    first = {
        "key_algorithms": [alg],
        "content_algorithms": [content],
        "signature_algorithms": [signature],
    }
    google_side = open_account(sides.jose_google(**first))
    sealed = google_side.seal(PAYLOAD)
    assert json.loads(header_of(sealed)) == header | {"kid": "integrator-enc-1"}
    assert jose_wallet.open(sealed).payload == PAYLOAD


def test_an_algorithm_that_is_not_listed_is_refused(open_account: Open) -> None:
    narrow = {"content_algorithms": ["A256GCM"], "signature_algorithms": ["PS256"]}
    wallet = open_account(sides.jose_wallet(key_algorithms=["RSA-OAEP"], **narrow))
    inner = signed(PAYLOAD, header={"alg": "PS256"})
    assert decide(wallet, encrypted(inner, header={"alg": "RSA-OAEP"})) == PAYLOAD
    assert decide(wallet, encrypted(inner)) is ENCRYPTION
    other = {"alg": "RSA-OAEP", "enc": "A128CBC-HS256"}
    assert decide(wallet, encrypted(inner, header=other)) is ENCRYPTION
    assert decide(wallet, encrypted(signed(PAYLOAD), header={"alg": "RSA-OAEP"})) is SIGNATURE


def test_a_key_is_used_by_its_own_algorithm_only(open_account: Open) -> None:
    ours = [
        jwk_with("integrator-enc-1.private", alg="RSA-OAEP"),
        google.jwk("integrator-sig-1.private"),
    ]
    theirs = [jwk_with("google-sig-1.public", alg="PS256"), google.jwk("google-enc-1.public")]
    wallet = open_account(sides.jose_wallet(our_keys=ours, their_keys=theirs))
    narrow = {"alg": "RSA-OAEP"}
    assert decide(wallet, encrypted(signed(PAYLOAD, header={"alg": "PS256"}), header=narrow))
    assert decide(wallet, encrypted(signed(PAYLOAD), header=narrow)) is SIGNATURE
    assert decide(wallet, encrypted(signed(PAYLOAD))) is ENCRYPTION


HINTS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "key_ops of public keys": ({"key_ops": ["verify"]}, {"key_ops": ["encrypt", "wrapKey"]}),
    "key_ops of private keys": ({"key_ops": ["sign"]}, {"key_ops": ["unwrapKey", "decrypt"]}),
    "key_ops that are unknown too": ({"key_ops": ["verify", "x"]}, {"key_ops": ["x", "wrapKey"]}),
    "alg": ({"alg": "RS256"}, {"alg": "RSA-OAEP-256"}),
    "key_ops before alg": ({"key_ops": ["verify"], "alg": "RS256"}, {"key_ops": ["wrapKey"]}),
    "use of one": ({}, {"use": "enc"}),
}


@pytest.mark.parametrize("hint", HINTS)
def test_what_a_key_without_use_is_for_follows_from_its_other_members(
    hint: str, open_account: Open
) -> None:
    """K2: nothing is sealed to the key that they sign by, though it comes first."""
    sig, enc = HINTS[hint]
    theirs = [
        jwk_without_use("google-sig-1.public", **sig),
        jwk_without_use("google-enc-1.public", **enc),
    ]
    ours = [
        jwk_without_use("integrator-enc-1.private", **enc),
        jwk_without_use("integrator-sig-1.private", **sig, **({} if sig else {"use": "sig"})),
    ]
    wallet = open_account(sides.jose_wallet(our_keys=ours, their_keys=theirs))
    assert opened(wallet.seal(b"{}"), "google-enc-1", "integrator-sig-1") == b"{}"
    assert decide(wallet, encrypted(signed(PAYLOAD))) == PAYLOAD


@pytest.mark.parametrize(
    "hint", [{}, {"key_ops": []}, {"key_ops": ["sign", "encrypt"]}, {"alg": None}]
)
def test_keys_of_which_nothing_says_what_they_are_for_are_refused(
    hint: dict[str, object], open_account: Open
) -> None:
    """K2, F2: at start-up, for the answer could be sealed to a key that can't open it."""
    theirs = [
        jwk_without_use(f"{name}.public", **hint) for name in ("google-sig-1", "google-enc-1")
    ]
    with pytest.raises(ValueError, match="which of the keys 'google-sig-1', 'google-enc-1' is for"):
        open_account(sides.jose_wallet(their_keys=theirs))


def test_one_key_that_says_nothing_is_for_both(open_account: Open) -> None:
    """K2: there is no other one."""
    wallet = open_account(sides.jose_wallet(their_keys=[jwk_without_use("google-enc-1.public")]))
    assert opened(wallet.seal(b"{}"), "google-enc-1", "integrator-sig-1") == b"{}"


@pytest.mark.parametrize("operations", ["verify", [1], {"verify": True}])
def test_key_ops_that_are_no_list_of_texts_are_refused(
    operations: object, open_account: Open
) -> None:
    """F2: by the key's name."""
    theirs = [
        jwk_without_use("google-sig-1.public", key_ops=operations),
        google.jwk("google-enc-1.public"),
    ]
    with pytest.raises(ValueError, match="'google-sig-1' has 'key_ops' that are no list of texts"):
        open_account(sides.jose_wallet(their_keys=theirs))


def test_white_space_in_a_header_does_not_matter(jose_wallet: Sealer) -> None:
    """K2: Google's libraries write it; joserfc before 1.7.1 did not open it."""
    spaced = b'{ "alg" : "RSA-OAEP-256",\r\n\t"enc": "A256GCM", "kid": "integrator-enc-1" }\n'
    assert decide(jose_wallet, sealed_raw(signed(PAYLOAD), spaced)) == PAYLOAD
    inner = signed_raw(PAYLOAD, b' {"alg" : "RS256" , "kid" : "google-sig-1"}\n')
    assert decide(jose_wallet, encrypted(inner)) == PAYLOAD


def _public_as_secret() -> bytes:
    """Return an HS256 signature whose secret is Google's public key."""
    secret = key("google-sig-1.public").export_to_pem()
    oct_key = jwk.JWK(kty="oct", k=b64(secret).decode())
    return signed(PAYLOAD, header={"alg": "HS256"}, with_key=oct_key)


INNER: dict[str, Callable[[], bytes]] = {
    "unsigned JSON": lambda: PAYLOAD,
    "alg none": lambda: b".".join([b64(b'{"alg":"none","kid":"google-sig-1"}'), b64(PAYLOAD), b""]),
    "alg none, a signature kept": lambda: with_header(
        signed(PAYLOAD), b'{"alg":"none","kid":"google-sig-1"}'
    ),
    "HS256 with the public key": _public_as_secret,
    "a kid that is another key's": lambda: signed(
        PAYLOAD, "unknown-sig", header={"kid": "google-sig-1"}
    ),
    "an unknown kid": lambda: signed(PAYLOAD, "unknown-sig"),
    "our own signing key": lambda: signed(PAYLOAD, "integrator-sig-1"),
    "no kid": lambda: signed(PAYLOAD, header={"kid": None}),
    "an encryption key": lambda: signed_raw(
        PAYLOAD, b'{"alg":"RS256","kid":"google-enc-1"}', "google-enc-1"
    ),
    "an embedded key": lambda: signed(
        PAYLOAD, "unknown-sig", {"jwk": json.loads(google.jwk("unknown-sig.public"))}
    ),
    "an embedded key under a known kid": lambda: signed(
        PAYLOAD, header={"jwk": json.loads(google.jwk("google-sig-1.public"))}
    ),
    "jku": lambda: signed(PAYLOAD, header={"jku": "https://google.invalid/keys"}),
    "x5u": lambda: signed(PAYLOAD, header={"x5u": "https://google.invalid/keys"}),
    "x5c": lambda: signed(PAYLOAD, header={"x5c": ["AAAA"]}),
    "crit": lambda: signed_raw(
        PAYLOAD, b'{"alg":"RS256","kid":"google-sig-1","crit":["exp"],"exp":1}'
    ),
    "b64 false": lambda: signed_raw(PAYLOAD, b'{"alg":"RS256","kid":"google-sig-1","b64":false}'),
    "another header than was signed": lambda: with_header(
        signed(PAYLOAD), b'{"alg":"RS256","kid":"google-sig-1","typ":"JWT"}'
    ),
    "a repeated kid": lambda: signed_raw(
        PAYLOAD, b'{"alg":"RS256","kid":"google-sig-1","kid":"google-sig-1"}'
    ),
    "an empty signature": lambda: signed(PAYLOAD).rpartition(b".")[0] + b".",
    "a signature that is no base64url": lambda: signed(PAYLOAD).rpartition(b".")[0] + b".a=+/",
    "four segments": lambda: signed(PAYLOAD) + b".",
    "a JWE in the JWE": lambda: encrypted(signed(PAYLOAD)),
    "JSON serialization": lambda: flattened(signed(PAYLOAD), JWS),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("what", INNER)
@pytest.mark.alike(5)
def test_who_is_not_proven_is_refused(what: str, jose_wallet: Sealer) -> None:
    with pytest.raises(Refused) as refusal:
        jose_wallet.open(encrypted(INNER[what]()))
    assert (refusal.value.reason, refusal.value.detail) == (SIGNATURE, "")


OUTER: dict[str, Callable[[], bytes]] = {
    "a JWS alone": lambda: signed(PAYLOAD),
    "JSON alone": lambda: PAYLOAD,
    "nothing": lambda: b"",
    "JSON serialization": lambda: flattened(encrypted(signed(PAYLOAD)), JWE),
    "a key of another account": lambda: encrypted(
        signed(PAYLOAD), "google-enc-1", to("google-enc-1")
    ),
    "an unknown key": lambda: encrypted(signed(PAYLOAD), "unknown-enc", to("unknown-enc")),
    "an unknown key under a known kid": lambda: encrypted(signed(PAYLOAD), "unknown-enc"),
    "another of our keys by its kid": lambda: encrypted(
        signed(PAYLOAD), header=to("integrator-enc-2")
    ),
    "our signing key": lambda: sealed_raw(
        signed(PAYLOAD),
        b'{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"integrator-sig-1"}',
        "integrator-sig-1",
    ),
    "a repeated kid": lambda: sealed_raw(
        signed(PAYLOAD), WALLET[:-1] + b',"kid":"integrator-enc-1"}'
    ),
    "a little more than is read": lambda: sealed_raw(b"x" * 48_900, WALLET),
    "no kid": lambda: encrypted(signed(PAYLOAD), header={"kid": None}),
    "RSA1_5": lambda: encrypted(signed(PAYLOAD), header={"alg": "RSA1_5"}),
    "dir": lambda: with_header(
        encrypted(signed(PAYLOAD)), b'{"alg":"dir","enc":"A256GCM","kid":"integrator-enc-1"}'
    ),
    "alg as a list": lambda: with_header(
        encrypted(signed(PAYLOAD)),
        b'{"alg":["RSA-OAEP-256"],"enc":"A256GCM","kid":"integrator-enc-1"}',
    ),
    "an unknown zip": lambda: with_header(
        encrypted(signed(PAYLOAD)),
        b'{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"integrator-enc-1","zip":"GZ"}',
    ),
    "crit": lambda: with_header(
        encrypted(signed(PAYLOAD)),
        b'{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"integrator-enc-1","crit":["b64"]}',
    ),
    "another header than was sealed": lambda: with_header(
        encrypted(signed(PAYLOAD)),
        b'{"alg":"RSA-OAEP-256","kid":"integrator-enc-1","enc":"A256GCM"}',
    ),
    "a header that is a list": lambda: with_header(encrypted(PAYLOAD), b'["alg"]'),
    "a header that is a text": lambda: with_header(encrypted(PAYLOAD), b'"alg"'),
    "a header that is no JSON": lambda: with_header(encrypted(PAYLOAD), b"{"),
    "a header that is no UTF-8": lambda: with_header(encrypted(PAYLOAD), b'{"\xff":1}'),
    "a padded header": lambda: encrypted(signed(PAYLOAD)).replace(b".", b"=.", 1),
    "a trailing newline": lambda: encrypted(signed(PAYLOAD)) + b"\n",
    "six segments": lambda: encrypted(signed(PAYLOAD)) + b".",
    "no tag": lambda: encrypted(signed(PAYLOAD)).rpartition(b".")[0] + b".",
    "half a tag": lambda: encrypted(signed(PAYLOAD))[:-11],
    "no encrypted key": lambda: without_key(encrypted(signed(PAYLOAD))),
    "10,000 brackets": lambda: b64(b"[" * 10_000) + b".a.a.a.a",
    "as many brackets as a header may hold": lambda: b64(b"[" * 380) + b".a.a.a.a",
    "1 MB of a header": lambda: b"a" * 1_000_000 + b".a.a.a.a",
    "1 MB of dots": lambda: b"." * 1_000_000,
    "60 KB of dots": lambda: b"." * 60_000,
    "zip of what is no deflate": lambda: sealed_raw(b"\xff" * 100, WALLET[:-1] + b',"zip":"DEF"}'),
    "more than is read": lambda: encrypted(signed(b" " * MAX_SEALED)),
}


@pytest.mark.parametrize("what", OUTER)
def test_what_is_not_sealed_to_us_is_refused_always_the_same(
    what: str, jose_wallet: Sealer
) -> None:
    body = OUTER[what]()
    begin = time.process_time()
    with pytest.raises(Refused) as refusal:
        jose_wallet.open(body)
    assert (refusal.value.reason, refusal.value.detail) == (ENCRYPTION, "")
    assert time.process_time() - begin < 1


def test_the_raw_forms_are_right_but_for_what_is_wrong_with_them(jose_wallet: Sealer) -> None:
    inner = signed_raw(PAYLOAD, b'{"alg":"RS256","kid":"google-sig-1"}')
    assert decide(jose_wallet, sealed_raw(inner, WALLET)) == PAYLOAD


def test_unknown_header_members_are_passed_over(jose_wallet: Sealer) -> None:
    inner = signed(PAYLOAD, header={"iat": 1, "typ": "JWT"})
    assert decide(jose_wallet, encrypted(inner, header={"iat": "1", "cty": "JWT"})) == PAYLOAD


def test_a_jws_within_a_jws_leaves_the_inner_one_as_payload(jose_wallet: Sealer) -> None:
    """It is for the messages to find that this is no JSON."""
    inner = signed(PAYLOAD)
    assert decide(jose_wallet, encrypted(signed(inner))) == inner


@given(data=st.data())
def test_a_flipped_bit_is_never_accepted(data: st.DataObject, jose_wallet: Sealer) -> None:
    body = bytearray(google.jose("jws_in_jwe_oaep256_gcm"))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= 1 << data.draw(st.integers(0, 7))
    assert decide(jose_wallet, bytes(body)) is ENCRYPTION


@given(junk=st.binary(max_size=400))
def test_junk_is_refused(junk: bytes, jose_wallet: Sealer) -> None:
    assert decide(jose_wallet, junk) is ENCRYPTION
    assert decide(jose_wallet, encrypted(junk)) is SIGNATURE


def test_deflate_opens_up_to_the_limit_and_no_further(open_account: Open) -> None:
    bare = open_account(sides.jose_wallet(signed=False))
    most = b"\x00" * MAX_PAYLOAD
    assert decide(bare, encrypted(most, header={"zip": "DEF"})) == most
    assert decide(bare, encrypted(most + b"\x00", header={"zip": "DEF"})) is ENCRYPTION


BOMB = """
import resource, sys, time
from flask_otp_mpp.core.reasons import Refused
from flask_otp_mpp.protocols.google.accounts import open_sealers
from flask_otp_mpp.protocols.google.settings import read_accounts
from tests.protocols.google import sides
wallet = open_sealers(read_accounts({"a": sides.jose_wallet()}))["a"]
body = sys.stdin.buffer.read()
before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
try:
    wallet.open(body)
except Refused as refusal:
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(refusal.reason.name, after - before, time.process_time() - begin)
"""


@pytest.mark.slow
def test_a_bomb_takes_neither_time_nor_memory() -> None:
    """45 KB that inflate to 45 MB, opened in a process of its own."""
    body = encrypted(b"\x00" * 45_000_000, header={"zip": "DEF"})
    assert len(body) < MAX_SEALED
    done = subprocess.run(
        [sys.executable, "-c", BOMB], input=body, capture_output=True, check=True, timeout=60
    )
    reason, kilobytes, seconds = done.stdout.split()
    assert reason == b"ENCRYPTION_INVALID"
    assert int(kilobytes) < 8_000
    assert float(seconds) < 1


def test_the_bomb_of_the_vectors_allocates_little(jose_wallet: Sealer) -> None:
    body = google.jose("bad_zip_bomb")
    tracemalloc.start()
    try:
        assert decide(jose_wallet, body) is ENCRYPTION
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_nothing_of_a_payload_is_in_the_repr_of_what_was_opened(jose_wallet: Sealer) -> None:
    shown = repr(jose_wallet.open(encrypted(signed(PAYLOAD))))
    assert "google-sig-1" in shown
    assert "7754321" not in shown
