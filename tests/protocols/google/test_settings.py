"""Every account of the setting is read, and every fault of every account is reported at once."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from flask_otp_mpp.protocols.google import accounts
from flask_otp_mpp.protocols.google.accounts import (
    JoseAccount,
    PgpAccount,
    PlainAccount,
    open_sealers,
)
from flask_otp_mpp.protocols.google.settings import read_accounts
from tests.protocols.google import sides
from tests.vectors.google import HERE, armored, jwk


def faults_of(raw: object) -> list[str]:
    with pytest.raises(ValueError) as fault:  # noqa: PT011 - the message is what is looked at
        read_accounts(raw)
    return str(fault.value).split("\n    ")


def test_the_defaults_are_the_documented_ones() -> None:
    (account,) = read_accounts({"gpay": sides.jose_wallet()})
    assert isinstance(account, JoseAccount)
    assert (account.name, account.paths, account.signed) == ("gpay", ("/v1",), True)
    assert account.key_algorithms == ("RSA-OAEP-256", "RSA-OAEP")
    assert account.content_algorithms == ("A256GCM", "A128CBC-HS256", "A256CBC-HS512")
    assert account.signature_algorithms == ("RS256", "PS256")
    mapping = {"envelope": "pgp", "our_keys": armored("integrator-test-1.sec")}
    (other,) = read_accounts({"old": mapping | {"their_keys": armored("google-test-1.pub")}})
    assert isinstance(other, PgpAccount)
    assert (other.timeout, other.program, len(other.our_keys)) == (3.0, "gpg", 1)


def test_keys_come_as_texts_as_files_as_mappings_and_as_sets() -> None:
    pairs = {"sig": "google-sig-1.public", "enc": "google-enc-1.public"}
    file = str(HERE / "jose" / "google-sig-1.public.jwk.json")
    whole = {"keys": [json.loads(jwk(name)) for name in pairs.values()]}
    forms: list[Any] = [
        [jwk(name) for name in pairs.values()],
        [file, json.loads(jwk(pairs["enc"]))],
        whole,
        json.dumps(whole),
        json.dumps(whole["keys"]),
    ]
    for form in forms:
        (account,) = read_accounts({"a": sides.jose_wallet(their_keys=form)})
        assert isinstance(account, JoseAccount)
        assert {key.kid for key in account.their_keys} == {"google-sig-1", "google-enc-1"}
    path = str(HERE / "pgp" / "keys" / "google-test-1.pub.asc")
    (account, *_) = read_accounts({"a": sides.pgp_wallet(their_keys=path)})
    assert isinstance(account, PgpAccount)
    assert [key.strip() for key in account.their_keys] == [armored("google-test-1.pub").strip()]


@pytest.mark.parametrize(
    ("before", "within"),
    [
        ("", "Comment: User-ID:\tZoë <zoe@x.example>\n"),
        ("\ufeff", ""),
        ("pub  rsa2048 2026\nfür Zoë\n\n", "Comment: 钱包\n"),
    ],
)
@pytest.mark.alike(3)
def test_an_armored_key_may_have_comments_and_text_before_it(
    tmp_path: Path, before: str, within: str
) -> None:
    """G12: programs write user ids into comments, in UTF-8; as a text, and in a file."""
    plain = armored("google-test-1.pub")
    held = before + plain.replace("-----\n", f"-----\n{within}", 1)
    (tmp_path / "key.asc").write_text(held, "utf-8")
    for source in (held, str(tmp_path / "key.asc")):
        (account,) = read_accounts({"a": sides.pgp_wallet(their_keys=source)})
        opened = open_sealers([account])
        assert opened["a"].opening_keys.verifying
        opened["a"].close()


def test_a_jwk_set_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """G12: as a text, and in a file."""
    held = "\ufeff" + json.dumps({"keys": [json.loads(jwk("google-sig-1.public"))]})
    (tmp_path / "set.jwks").write_text(held, "utf-8")
    for source in (held, str(tmp_path / "set.jwks")):
        (account,) = read_accounts(
            {"a": sides.jose_wallet(their_keys=[source, jwk("google-enc-1.public")])}
        )
        assert isinstance(account, JoseAccount)
        assert len(account.their_keys) == 2


def test_several_accounts_have_several_paths() -> None:
    read = read_accounts(
        {
            "jose": sides.jose_wallet(paths=["/v1", "/base/e-wallets-v1"]),
            "trial": {"envelope": "plain", "paths": "/trial"},
        }
    )
    assert [account.paths for account in read] == [("/v1", "/base/e-wallets-v1"), ("/trial",)]
    assert isinstance(read[1], PlainAccount)


def test_every_fault_of_every_account_is_reported_with_its_remedy() -> None:
    faults = faults_of(
        {
            "a": sides.jose_wallet(paths="/a", our_key=[], signed="no", key_algorithms=["RSA1_5"]),
            "b": {"envelope": "pgp", "paths": "/b", "timeout": 0, "their_keys": "/no/such/file"},
            "c": {"envelope": "JOSE", "paths": "v1"},
            "d": {"envelope": "plain", "paths": "/f", "zzz": 1},
            "e": 7,
            "f": {"envelope": "plain", "paths": "/f"},
            "g": {},
            "h": sides.jose_wallet(paths="/h", content_algorithms="A512GCM"),
            "i": sides.pgp_wallet(paths="/i", our_keys=str(Path(__file__))),
            "j": {"envelope": "pgp", "timeout": "soon", "their_keys": "/no/such/file"},
            "k": sides.pgp_wallet(paths="/k", processes=0),
        }
    )
    expected = [
        "account 'a': 'signed' found a text; set it to true or false",
        "account 'a': 'key_algorithms' may hold 'RSA1_5' only if 'rsa1_5' is true: it is not safe",
        "account 'a': 'our_key' is no member of an account by 'jose'; did you mean 'our_keys'?",
        "account 'b': 'our_keys' is missing; set it to armored PGP keys: texts or files' paths",
        "account 'b': 'their_keys' names a file that can't be read (FileNotFoundError)",
        "account 'b': 'timeout' is 0; set it to more than 0 and at most 30 seconds",
        "account 'c': 'envelope' found a text; set it to 'jose', 'pgp' or 'plain'",
        "account 'c': 'paths' found 'v1'; write it like",
        "account 'd': 'zzz' is no member of an account by 'plain'; remove it",
        "account 'e' maps to a number; map it to {member: value}",
        "account 'f': 'paths' holds '/f' as account 'd' does; give each account its own",
        "account 'g' maps to nothing; map it to {member: value}",
        "account 'h': 'content_algorithms' holds 'A512GCM'; set it to one of, or a list of: A256",
        f"account 'i': 'our_keys' file '{__file__}' holds no armored PGP key (make one: gpg --arm",
        "account 'j': 'our_keys' is missing",
        "account 'j': 'their_keys' names a file that can't be read (FileNotFoundError)",
        "account 'j': 'timeout' found a text; set it to a number of seconds",
        "account 'k': 'processes' 0 is too small; set it to 1 to 64",
    ]
    assert len(faults) == len(expected)
    for fault, begin in zip(faults, expected, strict=True):
        assert fault.startswith(begin)


PUBLIC = json.loads(jwk("google-sig-1.public"))
JWKS: dict[str, tuple[Any, str]] = {
    "private": (jwk("google-sig-1.private"), "is private; hold their public keys only"),
    "symmetric": ({"kty": "oct", "kid": "x", "k": "AAAA"}, "is not RSA"),
    "no kid": (PUBLIC | {"kid": ""}, "without 'kid'"),
    "another use": (PUBLIC | {"use": "both"}, "neither for 'sig' nor for 'enc'"),
    "a number as alg": (PUBLIC | {"alg": 7}, "'alg' that is no text"),
    "the same kid twice": ([PUBLIC, PUBLIC], "two keys with kid 'google-sig-1'"),
    "an empty set": ({"keys": []}, "holds no key"),
    "no key": (7, "is no JWK"),
    "no file": ("/no/such/file", "names a file that can't be read"),
    "broken JSON": ("{", "or is no JSON"),
    "deep JSON": ("[" * 100_000, "or is no JSON"),
    "no key to seal to": (PUBLIC, "holds no key with 'use': 'enc'; add one"),
}


@pytest.mark.parametrize("what", JWKS)
def test_a_jwk_that_can_not_be_used_is_reported_at_start_up(what: str) -> None:
    raw, finding = JWKS[what]
    with pytest.raises(ValueError, match=f"account 'a': 'their_keys' .*{finding}") as fault:
        read_accounts({"a": sides.jose_wallet(their_keys=raw)})
    assert PUBLIC["n"] not in str(fault.value)
    assert json.loads(jwk("google-sig-1.private"))["d"] not in str(fault.value)


def test_a_file_that_holds_a_json_text_is_no_jwk(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text('"{}"', encoding="utf-8")
    with pytest.raises(ValueError, match="is a JSON text and no JWK"):
        read_accounts({"a": sides.jose_wallet(their_keys=str(file))})


def test_a_jwk_that_comes_from_a_file_is_named_by_the_file(tmp_path: Path) -> None:
    """F2: whatever is wrong with it."""
    file = tmp_path / "key.json"
    for held, finding in {
        jwk("google-sig-1.private"): "key 'google-sig-1' is private",
        "[7]": "is no JWK",
        "{": "is no JSON",
    }.items():
        file.write_text(held, encoding="utf-8")
        with pytest.raises(ValueError, match=f"'their_keys' file '{file}' {finding}"):
            read_accounts({"a": sides.jose_wallet(their_keys=[str(file)])})


def test_our_keys_must_be_private() -> None:
    with pytest.raises(ValueError, match="'our_keys' key 'google-sig-1' is public"):
        read_accounts({"a": sides.jose_wallet(our_keys=PUBLIC)})


def test_a_key_of_more_than_two_primes_is_refused() -> None:
    """F2: RFC 7518, section 6.3.2.7; cryptography has no such keys."""
    several = json.loads(jwk("integrator-enc-1.private")) | {"oth": [{"r": "AQAB"}]}
    with pytest.raises(ValueError, match="'our_keys' key 'integrator-enc-1' has more than two"):
        read_accounts({"a": sides.jose_wallet(our_keys=[several])})


def test_a_bare_jwe_needs_no_signing_keys() -> None:
    ours, theirs = jwk("integrator-enc-1.private"), jwk("google-enc-1.public")
    mapping = {"envelope": "jose", "our_keys": ours, "their_keys": theirs}
    (account,) = read_accounts({"a": mapping | {"signed": False}})
    sealer = open_sealers([account])["a"]
    assert sealer.seal(b"{}").count(b".") == 4
    sealer.close()
    assert len(faults_of({"a": mapping})) == 2


def public_jwk(bits: int) -> dict[str, str]:
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    return {"n": numeric(numbers.n), "e": numeric(numbers.e)}


def numeric(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


NUMBERS: dict[str, tuple[dict[str, Any], str]] = {
    "short": (public_jwk(1024), "is RSA of 1024 bits; use 2048 to 8192 bits"),
    "huge": ({"n": "B" * 2000}, "is RSA of .* bits"),
    "no modulus": ({"n": None}, "is no RSA key whose numbers fit"),
    "a modulus that is no base64url": ({"n": "+/="}, "is no RSA key whose numbers fit"),
    "a number as a modulus": ({"n": 7}, "is no RSA key whose numbers fit"),
}


@pytest.mark.parametrize("what", NUMBERS)
def test_numbers_that_make_no_key_are_reported_at_start_up(what: str) -> None:
    """F2, G12: too short, too long, or none at all."""
    numbers, finding = NUMBERS[what]
    keys = [PUBLIC | numbers, jwk("google-enc-1.public")]
    with pytest.raises(ValueError, match=f"key 'google-sig-1' {finding}") as fault:
        open_sealers(read_accounts({"a": sides.jose_wallet(their_keys=keys)}))
    assert PUBLIC["n"] not in str(fault.value)


def test_private_numbers_that_do_not_fit_are_reported_at_start_up() -> None:
    """F2: a key of ours that could not decrypt."""
    broken = json.loads(jwk("integrator-enc-1.private")) | {"d": "AQAB"}
    keys = [broken, jwk("integrator-sig-1.private")]
    with pytest.raises(ValueError, match="'integrator-enc-1' is no RSA key whose numbers fit"):
        open_sealers(read_accounts({"a": sides.jose_wallet(our_keys=keys)}))


def test_a_key_for_an_algorithm_that_is_not_listed_is_refused() -> None:
    keys = [PUBLIC | {"alg": "ES256"}, jwk("google-enc-1.public")]
    with pytest.raises(ValueError, match="'google-sig-1' is for 'ES256', which is not listed"):
        open_sealers(read_accounts({"a": sides.jose_wallet(their_keys=keys)}))


def test_open_sealers_are_closed_if_another_one_can_not_be_opened() -> None:
    closed: list[str] = []

    class Watched(PlainAccount):
        def sealer(self) -> Any:
            return type("", (), {"close": lambda _: closed.append("closed")})()

    missing = read_accounts({"p": sides.pgp_wallet(program="no-such-gpg")})
    with pytest.raises(ValueError, match="account 'p': needs the program 'no-such-gpg'"):
        open_sealers([Watched(name="w", paths=("/w",)), *missing])
    assert closed == ["closed"]


def test_plain_passes_json_through_within_the_limit() -> None:
    sealer = open_sealers(read_accounts({"t": {"envelope": "plain"}}))["t"]
    opened = sealer.open(b'{"a":1}')
    assert (opened.payload, opened.signer) == (b'{"a":1}', "")
    assert sealer.seal(b"{}") == b"{}"
    assert sealer.media_type == "application/json; charset=utf-8"
    with pytest.raises(Exception, match="ENCRYPTION_INVALID"):
        sealer.open(b" " * 70_000)
    sealer.close()


def test_no_key_is_in_the_repr_of_an_account() -> None:
    read = read_accounts(
        {"a": sides.jose_wallet(), "b": sides.pgp_wallet(paths="/b")},
    )
    shown = repr(read)
    assert "integrator-enc-1" in shown
    assert json.loads(jwk("integrator-enc-1.private"))["d"] not in shown
    assert "BEGIN PGP" not in shown


WITHOUT_JOSERFC = """
import sys
sys.modules["joserfc"] = None
from flask_otp_mpp.protocols.google.settings import read_accounts
from flask_otp_mpp.protocols.google.accounts import open_sealers
from tests.protocols.google import sides
open_sealers(read_accounts({"t": {"envelope": "plain"}}))
try:
    open_sealers(read_accounts({"a": sides.jose_wallet()}))
except ValueError as fault:
    print(fault)
"""


@pytest.mark.slow
def test_joserfc_is_needed_only_by_an_account_that_uses_it() -> None:
    command = [sys.executable, "-c", WITHOUT_JOSERFC]
    said = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()
    assert said == (
        "account 'a': needs joserfc, which is not installed; pip install 'flask-otp-mpp[google]'\n"
    )


def test_the_fault_of_a_missing_joserfc_is_the_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flask_otp_mpp.protocols.google.jose.sealer", None)
    with pytest.raises(ValueError, match="needs joserfc"):
        accounts.open_sealers(read_accounts({"a": sides.jose_wallet()}))
