"""A profile holds an app to the clauses of a standard, and names the one that is not met."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flask_otp_mpp import Channel, ConfigurationError, Policy
from flask_otp_mpp.web.settings import Profile
from tests.wallet import Wallet, open_wallet

NIST = {"OTP_MPP_PROFILE": "nist"}
PSD2 = {"OTP_MPP_PROFILE": "psd2", "OTP_MPP_FAILURE_LIMIT": 5}
MOBILE = (Channel.MOBILE,)


def faults_of(**changed: Any) -> dict[str, str]:
    """Try to start a wallet with a text-message channel; return the finding for each key."""
    with pytest.raises(ConfigurationError) as caught:
        open_wallet(**{"channels": MOBILE, **changed})
    found = caught.value.faults
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/otp.db"


@pytest.mark.parametrize("profile", [NIST, PSD2])
def test_an_app_that_meets_a_profile_starts(
    profile: dict[str, Any], database: str, make_wallet: Callable[..., Wallet]
) -> None:
    """O6: with the defaults otherwise."""
    wallet = make_wallet(store=database, channels=MOBILE, **profile)
    assert wallet.sent()


@pytest.mark.parametrize(
    ("profile", "changed", "key", "finding"),
    [
        (
            NIST,
            {"channels": (Channel.MOBILE, Channel.EMAIL)},
            "@otp.sender(Channel.EMAIL)",
            "remove it (profile 'nist': NIST SP 800-63B-4, 3.1.3.1)",
        ),
        (
            PSD2,
            {"OTP_MPP_FAILURE_LIMIT": 6},
            "OTP_MPP_FAILURE_LIMIT",
            "is 6; set it to 5 or less (profile 'psd2': RTS (EU) 2018/389, 4(3)(b))",
        ),
        (
            PSD2,
            {"OTP_MPP_FAILURE_LIMIT": None, "options": {"policy": Policy()}},
            "policy=Policy(failure_limit=…)",
            "is 10; set it to 5 or less",
        ),
        (
            PSD2,
            {"OTP_MPP_DISABLE_AFTER": 5},
            "OTP_MPP_DISABLE_AFTER",
            "more than the 5 failures that lock (profile 'psd2': RTS (EU) 2018/389, 4(4))",
        ),
        (NIST, {"store": "memory://"}, "OTP_MPP_STORE", "use a database or Redis (profile 'nist'"),
        (PSD2, {"store": "memory://"}, "OTP_MPP_STORE", "use a database or Redis (profile 'psd2'"),
        (NIST, {"OTP_MPP_STORE_CHECK": "warn"}, "OTP_MPP_STORE_CHECK", "800-63B-4, 3.2.2"),
        (PSD2, {"OTP_MPP_STORE_CHECK": "warn"}, "OTP_MPP_STORE_CHECK", "2018/389, 4(3)(b)"),
        (NIST, {"OTP_MPP_STORE_EVICTION": "warn"}, "OTP_MPP_STORE_EVICTION", "'refuse'"),
        (PSD2, {"OTP_MPP_STORE_EVICTION": "warn"}, "OTP_MPP_STORE_EVICTION", "'refuse'"),
    ],
)
@pytest.mark.alike(3)
def test_what_a_clause_forbids_is_refused_at_the_start_and_the_clause_is_named(
    profile: dict[str, Any], changed: dict[str, Any], key: str, finding: str, database: str
) -> None:
    """O6, F2: wherever it was set; and no other key is reported."""
    found = faults_of(**{"store": database, **profile, **changed})
    assert list(found) == [key]
    assert finding in found[key]


def test_without_a_profile_the_same_is_accepted(make_wallet: Callable[..., Wallet]) -> None:
    """O6: e-mail, ten failures, and a store in memory, which is warned of."""
    wallet = make_wallet(OTP_MPP_STORE_CHECK="warn", OTP_MPP_STORE_EVICTION="warn")
    assert wallet.sent()
    assert wallet.state.policy == Policy()


def test_a_trial_may_keep_its_codes_in_memory(make_wallet: Callable[..., Wallet]) -> None:
    """O6: as without a profile, so that a host's tests need no database."""
    assert make_wallet(channels=MOBILE, config={"TESTING": True}, **NIST).sent()


def test_a_profile_reports_all_that_it_forbids_with_all_other_faults() -> None:
    """O6, F2: in one error, and a setting that is at fault anyway once."""
    found = faults_of(
        channels=(Channel.EMAIL,),
        OTP_MPP_PROFILE="nist",
        OTP_MPP_CODE_LIFE=601,
        OTP_MPP_STORE_CHECK="never",
        OTP_MPP_STORE_EVICTION="warn",
    )
    assert {key: re.findall("profile '(.*?)'", told) for key, told in found.items()} == {
        "@otp.sender(Channel.EMAIL)": ["nist"],
        "OTP_MPP_CODE_LIFE": [],
        "OTP_MPP_STORE": ["nist"],
        "OTP_MPP_STORE_CHECK": [],
        "OTP_MPP_STORE_EVICTION": ["nist"],
    }


def test_an_unknown_profile_is_refused() -> None:
    """F2: with the names of those that there are."""
    found = faults_of(OTP_MPP_PROFILE="gdpr")
    assert list(found) == ["OTP_MPP_PROFILE"]
    assert all(repr(one.value) in found["OTP_MPP_PROFILE"] for one in Profile)
