"""A whole conversation goes through each real envelope, and the vectors are decided as agreed."""

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
from tests.web.test_google import is_bare, is_error

SAMPLE_TIME = datetime(2017, 8, 12, 13, 43, 33, 98000, tzinfo=UTC)
Pair = tuple[GoogleWallet, GoogleCaller]


@pytest.fixture(
    scope="module", params=["jose", "bare-jwe", pytest.param("pgp", marks=pytest.mark.server)]
)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Open a wallet outside of any trial mode, and the Google of its account."""
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


def test_a_whole_round_in_its_envelope(pair: Pair) -> None:
    """Send, guess wrong, repeat, verify, use again, echo, and an error; each answer is sealed."""
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
    is_error(google.verify("never", code), 404, "INVALID_IDENTIFIER")
    is_error(google.echo(tamper="json"), 400, "INVALID_DECRYPTED_REQUEST")
    is_bare(google.echo(tamper="encryption"), 400)
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
    """What opens is a verify of a send that never was; what does not has a status and no body."""
    _, google = pgp_pair
    answer = google.deliver(Call("POST", "/google/v1/verifyOtp", {}, pgp(name)))
    if not row["accept"]:
        is_bare(answer, row["http"])
    elif "then" in row:
        is_error(answer, row["then"]["http"], row["then"]["code"])
    else:
        is_error(answer, 404, "INVALID_IDENTIFIER")


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
    """RSA1_5 is not let in by itself, nor a body that nobody has signed."""
    wallet = open_google(
        accounts={"gpay": sides.jose_wallet()}, testing=False, OTP_MPP_BODY_LIMIT=65536
    )
    wallet.clock.now = SAMPLE_TIME
    google = wallet.calling(sides.jose_google())
    answer = google.deliver(Call("POST", "/google/v1/verifyOtp", {}, jose(name)))
    if code:
        is_error(answer, status, code)
    else:
        is_bare(answer, status)


@pytest.mark.server
def test_a_forged_pgp_signature_is_none(gnupg: None) -> None:
    """By a key that the wallet does not know, to the wallet's own: 401 and nothing else."""
    wallet = open_google(accounts={"gpay": sides.pgp_wallet()}, testing=False)
    stranger = wallet.calling(sides.pgp_google(our_keys=[armored("unknown-signer.sec")]))
    google = wallet.calling(sides.pgp_google(), impostor=stranger._sealer)
    is_bare(google.echo(tamper="signature"), 401)
    assert google.echo().status == 200
    for sealer in (stranger._sealer, google._sealer, *wallet.sealers):
        sealer.close()


def test_keys_may_be_changed_one_after_the_other() -> None:
    """Old and new are listed for a while, on either side."""
    wallet = open_google(accounts={"gpay": sides.jose_wallet()}, testing=False)
    newer = sides.jose_google(
        our_keys=[jwk("google-sig-2.private"), jwk("google-enc-1.private")],
        their_keys=[jwk("integrator-enc-2.public"), jwk("integrator-sig-1.public")],
    )
    for side in (sides.jose_google(), newer):
        assert wallet.calling(side).echo().status == 200


def test_an_answer_that_cant_be_sealed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """503; the work was done and is remembered, so the repeat tells it."""
    wallet = open_google()
    sealer = wallet.sealers[0]
    seal = sealer.seal

    def broken(payload: bytes) -> bytes:
        raise SealFault("the tool is gone")

    monkeypatch.setattr(sealer, "seal", broken)
    is_bare(wallet.google.send(ADA, request_id="one"), 503)
    monkeypatch.setattr(sealer, "seal", seal)
    assert wallet.google.send(ADA, request_id="one").result == "SUCCESS"
    assert len(wallet.inbox) == 1


def test_generated_keys_serve_both_sides() -> None:
    """An account takes what ``generate_jwk_sets`` makes; its public set holds no secret."""
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
