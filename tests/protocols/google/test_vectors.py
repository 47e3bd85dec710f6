"""Every body of the vectors is decided as its manifest says."""

from __future__ import annotations

from typing import Any

import pytest

from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.protocols.google.sealer import Sealer
from tests.protocols.google import sides
from tests.protocols.google.conftest import Open
from tests.vectors import google

CODES = {
    "INVALID_PAYLOAD_SIGNATURE": Reason.SIGNATURE_INVALID,
    "INVALID_PAYLOAD_ENCRYPTION": Reason.ENCRYPTION_INVALID,
}
PGP = google.manifest(google.PGP)
JOSE = google.manifest(google.JOSE)
JOSE_SIGNED = [name for name, row in JOSE.items() if row.get("signed")]
JOSE_REFUSED = {
    "bad_unknown_signer": Reason.SIGNATURE_INVALID,
    "bad_alg_none": Reason.SIGNATURE_INVALID,
    "bad_tampered": Reason.ENCRYPTION_INVALID,
    "bad_zip_bomb": Reason.ENCRYPTION_INVALID,
}


def decide(sealer: Sealer, body: bytes) -> Any:
    try:
        return sealer.open(body).payload
    except Refused as refusal:
        return refusal.reason


@pytest.mark.server
@pytest.mark.parametrize("name", PGP)
def test_a_pgp_body_is_decided_as_its_manifest_says(name: str, pgp_wallet: Sealer) -> None:
    row = PGP[name]
    expected = google.plain(row["plain"]) if row["accept"] else CODES[row["code"]]
    assert decide(pgp_wallet, google.pgp(name)) == expected


@pytest.mark.server
def test_the_answer_of_the_pgp_vectors_opens_on_googles_side(pgp_google: Sealer) -> None:
    expected = google.plain("verifyOtp_response.json")
    assert decide(pgp_google, google.pgp("30_response_ok.pgp")) == expected


def test_a_jose_manifest_has_no_row_without_a_test() -> None:
    others = {"jwe_only_legacy128", "response_ok_jws_in_jwe"}
    assert set(JOSE) == others | set(JOSE_SIGNED) | set(JOSE_REFUSED)


@pytest.mark.parametrize("name", JOSE_SIGNED)
def test_a_signed_jose_body_opens(name: str, open_account: Open) -> None:
    legacy = {"rsa1_5": True, "key_algorithms": ["RSA-OAEP-256", "RSA-OAEP", "RSA1_5"]}
    wallet = open_account(sides.jose_wallet(**legacy))
    assert decide(wallet, google.jose(name)) == google.plain("verifyOtp_request.json")


def test_a_bare_jwe_opens_where_that_was_agreed(open_account: Open) -> None:
    agreed = {"signed": False, "rsa1_5": True, "key_algorithms": ["RSA1_5"]}
    wallet = open_account(sides.jose_wallet(**agreed))
    opened = wallet.open(google.jose("jwe_only_legacy128"))
    assert (opened.payload, opened.signer) == (google.plain("verifyOtp_request.json"), "")


@pytest.mark.parametrize("name", ["jwe_only_legacy128", "jws_in_jwe_legacy512"])
def test_rsa1_5_is_refused_without_the_switch(name: str, jose_wallet: Sealer) -> None:
    assert decide(jose_wallet, google.jose(name)) is Reason.ENCRYPTION_INVALID


def test_a_bare_jwe_proves_nobody_where_a_signature_was_agreed(open_account: Open) -> None:
    agreed = {"rsa1_5": True, "key_algorithms": ["RSA1_5"]}
    wallet = open_account(sides.jose_wallet(**agreed))
    assert decide(wallet, google.jose("jwe_only_legacy128")) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(("name", "reason"), JOSE_REFUSED.items())
def test_a_bad_jose_body_is_refused(name: str, reason: Reason, jose_wallet: Sealer) -> None:
    assert decide(jose_wallet, google.jose(name)) is reason


def test_the_answer_of_the_jose_vectors_opens_on_googles_side(jose_google: Sealer) -> None:
    expected = google.plain("verifyOtp_response.json")
    assert decide(jose_google, google.jose("response_ok_jws_in_jwe")) == expected
