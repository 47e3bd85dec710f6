"""A version of GnuPG with a fault that a message could use is told."""

from __future__ import annotations

import pytest

from flask_otp_mpp.protocols.google.pgp.version import find_fault


@pytest.mark.parametrize(
    "version",
    ["2.2.36", "2.2.40", "2.2.51", "2.3.7", "2.3.8", "2.4.0", "2.5.0-beta12", "2.10.1", "3.0.0"],
)
@pytest.mark.parametrize("name", ["GnuPG", "GnuPG/MacGPG2"])
def test_a_version_without_known_faults_is_fine(version: str, name: str) -> None:
    assert find_fault(f"gpg ({name}) {version}\nlibgcrypt 1.10.1\n".encode()) == ""


@pytest.mark.parametrize(
    ("version", "install"),
    [
        ("2.2.35", "2.2.36"),
        ("2.2.4", "2.2.36"),
        ("2.3.6", "2.3.7"),
        ("2.1.18", "2.2.36"),
        ("1.4.40", "2.2.36"),
    ],
)
def test_an_older_one_is_told_with_what_to_install(version: str, install: str) -> None:
    fault = find_fault(f"gpg (GnuPG) {version}\n".encode())
    assert fault.startswith(f"{version} lets a message forge its signature (CVE-2022-34903)")
    assert fault.endswith(f"install {install} or later")


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\xff\xfe",
        b"gpg (GnuPG)",
        b"gpg (GnuPG) 2.2",
        b"gpg (GnuPG) two.two.forty",
        b"gpg (GnuPG) " + b"9" * 5000 + b".2.40",
        b"GnuPG 2.2.40",
        "gpg (GnuPG) \u0662.\u0662.\u0664".encode(),
    ],
    ids=range(8),
)
def test_a_version_that_can_not_be_read_is_told(output: bytes) -> None:
    assert find_fault(output) == "does not report its version"
