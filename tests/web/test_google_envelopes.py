"""Google's methods with real encryption: JOSE and PGP, and the decisions of the test vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from flask_otp_mpp.callers.google import GoogleCaller
from flask_otp_mpp.callers.transport import Call
from flask_otp_mpp.protocols.google.sealer import SealFault
from flask_otp_mpp.signing.jwk_sets import generate_jwk_sets
from tests.protocols.google import sides
from tests.vectors.google import PGP, armored, jose, jwk, manifest, pgp
from tests.web.google_wallet import ADA, GoogleWallet, open_google
from tests.web.test_google import assert_bare, assert_error

SAMPLE_TIME = datetime(2017, 8, 12, 13, 43, 33, 98000, tzinfo=UTC)
Pair = tuple[GoogleWallet, GoogleCaller]


@pytest.fixture(
    scope="module", params=["jose", "bare-jwe", pytest.param("pgp", marks=pytest.mark.server)]
)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Open a wallet without testing mode, and Google's side of its account."""
    if request.param == "pgp":
        request.getfixturevalue("gnupg")
        ours, theirs = sides.pgp_wallet(), sides.pgp_google()
    elif request.param == "jose":
        ours, theirs = sides.jose_wallet(), sides.jose_google()
    else:
        ours, theirs = sides.jose_wallet(signed=False), sides.jose_google(signed=False)
    wallet = open_google(accounts={"gpay": ours}, testing=False)
    google = wallet.calling(theirs)
    yield wallet, google
    google._sealer.close()
    for sealer in wallet.sealers:
        sealer.close()


def test_all_methods_with_each_encryption(pair: Pair) -> None:
    """Send, wrong code, repeat, verify, use again, echo, and an error; each answer is encrypted."""
    wallet, google = pair
    wallet.clock.forward(seconds=61)
    sent = google.send(ADA)
    assert (sent.status, sent.result) == (200, "SUCCESS")
    again = google.send(ADA, request_id=sent.request_id)
    assert again.json == sent.json
    code = wallet.inbox.code
    assert google.verify(sent.request_id, "x").result == "OTP_NOT_MATCHED"
    assert google.verify(sent.request_id, code).result == "SUCCESS"
    assert google.verify(sent.request_id, code).result == "OTP_ALREADY_USED"
    assert google.echo("grüße").json["clientMessage"] == "grüße"
    assert_error(google.verify("never", code), 404, "INVALID_IDENTIFIER")
    assert_error(google.echo(tamper="json"), 400, "INVALID_DECRYPTED_REQUEST")
    assert_bare(google.echo(tamper="encryption"), 400)
    media = dict(sent.response.headers)["content-type"]
    assert media in {"application/jose; charset=utf-8", "application/octet-stream; charset=utf-8"}
    assert ADA.encode() not in sent.call.body
    assert b"SUCCESS" not in sent.response.body


@pytest.fixture(scope="module")
def pgp_pair(gnupg: None) -> Iterator[Pair]:
    wallet = open_google(accounts={"gpay": sides.pgp_wallet()}, testing=False)
    wallet.clock.now = SAMPLE_TIME
    google = wallet.calling(sides.pgp_google())
    yield wallet, google
    google._sealer.close()
    for sealer in wallet.sealers:
        sealer.close()


@pytest.mark.server
@pytest.mark.parametrize(("name", "row"), manifest(PGP).items(), ids=manifest(PGP))
def test_the_pgp_vectors_are_decided_over_http(
    pgp_pair: Pair, name: str, row: dict[str, Any]
) -> None:
    """A body that decrypts is a verify of an unknown send; any other gets a bare status."""
    _, google = pgp_pair
    answer = google.deliver(Call("POST", "/google/v1/verifyOtp", {}, pgp(name)))
    if not row["accept"]:
        assert_bare(answer, row["http"])
    elif "then" in row:
        assert_error(answer, row["then"]["http"], row["then"]["code"])
    else:
        assert_error(answer, 404, "INVALID_IDENTIFIER")


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("jws_in_jwe_oaep256_gcm", 404, "INVALID_IDENTIFIER"),
        ("jws_in_jwe_oaep256_gcm_zip", 404, "INVALID_IDENTIFIER"),
        ("bad_unknown_signer", 401, ""),
        ("bad_alg_none", 401, ""),
        ("bad_tampered", 400, ""),
        ("bad_zip_bomb", 400, ""),
        ("jws_in_jwe_legacy512", 400, ""),
        ("jwe_only_legacy128", 400, ""),
    ],
)
def test_the_jose_vectors_are_decided_over_http(name: str, status: int, code: str) -> None:
    """RSA1_5 is refused unless it is listed, and so is a body without a signature."""
    wallet = open_google(
        accounts={"gpay": sides.jose_wallet()}, testing=False, OTP_MPP_BODY_LIMIT=65536
    )
    wallet.clock.now = SAMPLE_TIME
    google = wallet.calling(sides.jose_google())
    answer = google.deliver(Call("POST", "/google/v1/verifyOtp", {}, jose(name)))
    if code:
        assert_error(answer, status, code)
    else:
        assert_bare(answer, status)


@pytest.mark.server
def test_a_pgp_signature_of_an_unknown_key_is_refused(gnupg: None) -> None:
    """It is encrypted to the wallet's key: 401 without a body."""
    wallet = open_google(accounts={"gpay": sides.pgp_wallet()}, testing=False)
    untrusted = wallet.calling(sides.pgp_google(our_keys=[armored("unknown-signer.sec")]))
    google = wallet.calling(sides.pgp_google(), impostor=untrusted._sealer)
    assert_bare(google.echo(tamper="signature"), 401)
    assert google.echo().status == 200
    for sealer in (untrusted._sealer, google._sealer, *wallet.sealers):
        sealer.close()


def test_keys_can_be_rotated() -> None:
    """Old and new are listed for a while, on either side."""
    wallet = open_google(accounts={"gpay": sides.jose_wallet()}, testing=False)
    newer = sides.jose_google(
        our_keys=[jwk("google-sig-2.private"), jwk("google-enc-1.private")],
        their_keys=[jwk("integrator-enc-2.public"), jwk("integrator-sig-1.public")],
    )
    for side in (sides.jose_google(), newer):
        assert wallet.calling(side).echo().status == 200


def test_an_answer_that_can_not_be_encrypted_is_a_bare_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """503; the work was done and its answer stored, so the repeat gets it."""
    wallet = open_google()
    sealer = wallet.sealers[0]
    seal = sealer.seal

    def broken(payload: bytes) -> bytes:
        raise SealFault("the tool is gone")

    monkeypatch.setattr(sealer, "seal", broken)
    assert_bare(wallet.google.send(ADA, request_id="one"), 503)
    monkeypatch.setattr(sealer, "seal", seal)
    assert wallet.google.send(ADA, request_id="one").result == "SUCCESS"
    assert len(wallet.inbox) == 1


def test_generated_keys_work_on_both_sides() -> None:
    """An account accepts what ``generate_jwk_sets`` returns; its public set holds no secret."""
    (ours, ours_public), (theirs, theirs_public) = (
        generate_jwk_sets("wallet"),
        generate_jwk_sets("google"),
    )
    account = {"envelope": "jose", "our_keys": ours, "their_keys": theirs_public}
    wallet = open_google(accounts={"gpay": account}, testing=False)
    google = wallet.calling({"envelope": "jose", "our_keys": theirs, "their_keys": ours_public})
    assert google.echo().status == 200
    for key in json.loads(ours_public)["keys"]:
        assert set(key) == {"kty", "kid", "use", "n", "e"}
    assert [key["kid"] for key in json.loads(ours)["keys"]] == ["wallet-sig", "wallet-enc"]
