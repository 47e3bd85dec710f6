"""Every fault of Google's settings is reported when the app starts, with its key and the remedy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from flask import Flask

from flask_otp_mpp import AlipayPlus, Channel, ConfigurationError, OtpMpp
from flask_otp_mpp.protocols.google.plain import PlainSealer
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from tests.protocols.google import sides
from tests.vectors.google import jwk
from tests.web.google_wallet import open_google


def faults(**how: Any) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        open_google(**how)
    found: dict[str, str] = {}
    for key, finding in caught.value.faults:
        found[key] = f"{found[key]}\n{finding}" if key in found else finding
    return found


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ACCOUNTS", {}, "set it to a mapping"),
        ("ACCOUNTS", "gpay", "set it to a mapping"),
        ("ACCOUNTS", {"gpay": {"envelope": "zip"}}, "set it to 'jose', 'pgp' or 'plain'"),
        ("PREFIX", "google", "begin it with a slash"),
        ("PREFIX", "/google/", "do not end it"),
        ("FRESHNESS", 0, "0 is too small; set it to 1 to 300 seconds"),
        ("FRESHNESS", 301, "301 is too large; set it to 1 to 300 seconds"),
        ("KEEP", 86399, "too small; set it to 86400 to 31536000 seconds (1 to 365 days)"),
        ("KEEP", 366 * 86400, "too large; set it to 86400 to 31536000 seconds"),
        ("SEND_RESULTS", ["not a name"], "'not a name'"),
        ("SEND_RESULTS", ["SUCCESS"], "mean a failure"),
        ("SEND_RESULTS", ["UNKNOWN_RESULT"], "mean a failure"),
        ("SEND_RESULTS", 1.5, "a list of texts"),
    ],
)
def test_a_setting_at_fault_is_reported(name: str, value: object, told: str) -> None:
    found = faults(**{f"OTP_MPP_GOOGLE_{name}": value})
    assert list(found) == [f"OTP_MPP_GOOGLE_{name}"]
    assert told in found[f"OTP_MPP_GOOGLE_{name}"]


def test_a_plain_account_is_for_trials_only() -> None:
    """Nothing is proven by it: an app that is neither debugged nor tested does not start."""
    found = faults(
        testing=False,
        accounts={"real": sides.jose_wallet(), "trial": {"envelope": "plain", "paths": "/trial"}},
    )
    assert list(found) == ["OTP_MPP_GOOGLE_ACCOUNTS"]
    assert "account 'trial'" in found["OTP_MPP_GOOGLE_ACCOUNTS"]
    assert "DEBUG or TESTING" in found["OTP_MPP_GOOGLE_ACCOUNTS"]


def test_keys_that_can_not_be_used_are_reported_for_each_account() -> None:
    """Together, by the account's name."""
    wrong = sides.jose_wallet(our_keys=[jwk("integrator-sig-1.public")])
    told = faults(accounts={"a": wrong, "b": {**wrong, "paths": "/b"}})
    text = told["OTP_MPP_GOOGLE_ACCOUNTS"]
    assert "account 'a'" in text
    assert "account 'b'" in text


def test_a_missing_program_is_reported() -> None:
    """Here the tool is missing."""
    account = {**sides.pgp_wallet(), "program": "/no/such/gpg"}
    assert "account 'gpay'" in faults(accounts={"gpay": account})["OTP_MPP_GOOGLE_ACCOUNTS"]


def test_no_account_may_lie_within_another_one_or_another_protocol() -> None:
    within = {"a": {"envelope": "plain"}, "b": {"envelope": "plain", "paths": "/v1/b"}}
    assert "'/google/v1/b' of google" in faults(accounts=within)["OTP_MPP_GOOGLE_PREFIX"]
    found = faults(
        protocols=(AlipayPlus, GoogleStandardPayments), OTP_MPP_GOOGLE_PREFIX="/aps/api/v1/users"
    )
    assert "of alipayplus" in found["OTP_MPP_GOOGLE_PREFIX"]


def test_a_missing_library_is_reported_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """``phone`` for numbers, ``google`` for JOSE; an app without them does not start."""
    for module, library, extra in (
        ("phone", "phonenumbers", "flask-otp-mpp[phone]"),
        ("jose.sealer", "joserfc", "flask-otp-mpp[google]"),
    ):
        monkeypatch.delitem(sys.modules, f"flask_otp_mpp.protocols.google.{module}", raising=False)
        monkeypatch.setitem(sys.modules, library, None)
        found = faults(accounts={"gpay": sides.jose_wallet()})
        monkeypatch.undo()
        assert extra in found["OTP_MPP_GOOGLE_ACCOUNTS"]


@pytest.mark.slow
def test_sealers_are_closed_if_the_protocol_can_not_be_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No agent of GnuPG is left behind by an app that does not start."""
    closed: list[PlainSealer] = []

    def close(sealer: PlainSealer) -> None:
        closed.append(sealer)

    monkeypatch.setattr(PlainSealer, "close", close)
    monkeypatch.delitem(sys.modules, "flask_otp_mpp.protocols.google.phone", raising=False)
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    accounts = {"a": {"envelope": "plain"}, "b": {"envelope": "plain", "paths": "/b"}}
    assert "flask-otp-mpp[phone]" in faults(accounts=accounts)["OTP_MPP_GOOGLE_ACCOUNTS"]
    assert len(closed) == 2


@pytest.mark.slow
def test_an_app_without_the_protocol_imports_none_of_its_libraries() -> None:
    """They are imported when an app with the protocol starts."""
    program = (
        "import flask_otp_mpp.web.doc_tables, flask_otp_mpp.protocols.google.protocol, sys; "
        "print(sorted({'joserfc', 'phonenumbers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_both_lookups_are_needed() -> None:
    """By number when an account is associated, by its id afterwards."""
    found = faults(with_loaders=False)
    assert {"@otp.user_loader(PhoneNumber)", "@otp.user_loader(AssociationId)"} <= set(found)


def test_a_wallet_that_sends_no_texts_can_not_serve_google() -> None:
    """F2: sendOtp names no channel, and every number would be answered as invalid."""
    found = faults(channel=Channel.EMAIL)["@otp.sender(Channel.MOBILE)"]
    assert found == "is missing; GoogleStandardPayments sends on no other channel"


def test_a_hook_for_keys_that_would_never_be_asked_is_a_fault() -> None:
    """F2: Google's keys are an account's, and no hook is looked for there."""

    def hooked(_app: Flask, otp: OtpMpp) -> None:
        otp.client_key(GoogleStandardPayments)(lambda client, version: None)

    found = faults(prepare=hooked)["@otp.client_key(GoogleStandardPayments)"]
    assert found == "would never be asked; the keys of its callers are in its settings"
