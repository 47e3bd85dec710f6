"""Google's side of an account is read as a whole, and what is missing is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flask_otp_mpp.conformance.case import Need, Wire
from flask_otp_mpp.conformance.google.side import sample
from flask_otp_mpp.conformance.registry import cases_of
from flask_otp_mpp.conformance.run import Status, run
from flask_otp_mpp.conformance.target import Target, read_target, target_of
from flask_otp_mpp.conformance.toml_table import ConfigurationFault
from tests.conformance.endpoints import kit_file, to_toml
from tests.conformance.google_sides import kit_account, kit_tables

NOWHERE = "http://127.0.0.1:9"


def read(folder: Path, wire: Wire, google: dict[str, Any]) -> Target:
    tables = {"protocol": str(wire), "base_url": NOWHERE, "tokens": kit_tables(), "google": google}
    return target_of(tables, folder)


def test_every_fault_of_both_accounts_is_told(tmp_path: Path) -> None:
    """In one message, each with the account and the member that it is in."""
    google = {
        "our_keys": ["no-such-file"],
        "key_algorithm": "RSA-OAEP",
        "second": {"our_keys": "{}", "their_keys": "{}"},
    }
    with pytest.raises(ConfigurationFault) as caught:
        read(tmp_path, Wire.GOOGLE_JOSE, google)
    told = "\n".join(caught.value.faults)
    for part in (
        "google: 'our_keys' names a file that can't be read",
        "google: 'their_keys' is missing",
        "google: 'key_algorithm'",
        "google.second: 'our_keys'",
        "google.second: 'their_keys'",
    ):
        assert part in told


def test_two_accounts_need_two_paths(tmp_path: Path) -> None:
    google = {**kit_account(Wire.GOOGLE_PGP), "program": "no-such-gpg"}
    google["second"] = {**google["second"], "program": "no-such-gpg", "paths": "/v1"}
    with pytest.raises(ConfigurationFault, match=r"google\.second: 'paths'"):
        read(tmp_path, Wire.GOOGLE_PGP, google)


def test_without_gpg_every_case_is_skipped_and_says_so(tmp_path: Path) -> None:
    google = {**kit_account(Wire.GOOGLE_PGP), "program": "no-such-gpg"}
    del google["second"]
    cases = cases_of(Wire.GOOGLE_PGP)
    done = run(read(tmp_path, Wire.GOOGLE_PGP, google), cases)
    assert done.count(Status.SKIPPED) == len(cases)
    assert "it needs the program gpg, which is not here; install GnuPG" in {
        one.said for one in done.results
    }


@pytest.mark.parametrize("wire", [Wire.GOOGLE_JOSE, Wire.GOOGLE_PGP])
def test_the_sample_of_a_file_names_all_that_a_target_has(wire: Wire, tmp_path: Path) -> None:
    """With the keys in the files that it names; for PGP without gpg, which is not asked."""
    tables = {"protocol": str(wire), **sample(wire)}
    keys = kit_account(wire)
    for account, held in ((tables["google"], keys), (tables["google"]["second"], keys["second"])):
        for member in ("our_keys", "their_keys"):
            (tmp_path / account[member][0]).write_text(held[member][0])
        if wire is Wire.GOOGLE_PGP:
            account["program"] = "no-such-gpg"
    file = tmp_path / "kit.toml"
    file.write_text(to_toml(tables))
    target = read_target(file)
    assert target.valid[0].reveal() == "+14155550001"
    assert target.associations[1].reveal() == "assoc-2"
    assert target.limits.freshness_seconds == 60
    assert target.has(Need.SECOND_CLIENT)


def test_the_file_of_the_tests_has_all_that_the_cases_need(tmp_path: Path) -> None:
    """So that no case is skipped there unseen."""
    target = read_target(kit_file(Wire.GOOGLE_JOSE, tmp_path, NOWHERE))
    needed = {need for case in cases_of(Wire.GOOGLE_JOSE) for need in case.needs}
    assert all(target.has(need) for need in needed)
