"""Checks of Google's accounts: whether their messages are sealed, and how."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

from flask_otp_mpp.protocols.google.account_members import RSA1_5
from flask_otp_mpp.protocols.google.accounts import JoseAccount, PgpAccount, PlainAccount
from flask_otp_mpp.protocols.google.pgp.version import find_fault
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.checks.fingerprints import ACCOUNTS, accounts

CHECKS: Final = Checks()
_SECONDS: Final = 5


def _place(name: str) -> str:
    return f"{ACCOUNTS}[{name!r}]"


@CHECKS.add("google-plain", Severity.ERROR, "an account's messages are not sealed")
def _plain(checked: CheckedApp) -> Iterator[Hit]:
    for one in accounts(checked):
        if isinstance(one, PlainAccount):
            found = "its envelope is 'plain': everybody can call, and read the answers"
            yield Hit(_place(one.name), found, "agree on 'jose' or 'pgp' with Google")


@CHECKS.add("google-unsigned", Severity.WARNING, "an account's messages are not signed")
def _unsigned(checked: CheckedApp) -> Iterator[Hit]:
    for one in accounts(checked):
        if isinstance(one, JoseAccount) and not one.signed:
            found = "'signed' is false: who calls must be proven by mutual TLS before the app"
            yield Hit(_place(one.name), found, "have requests signed, or see that the proxy checks")


@CHECKS.add("google-rsa1_5", Severity.WARNING, "an account takes an unsafe algorithm")
def _rsa1_5(checked: CheckedApp) -> Iterator[Hit]:
    for one in accounts(checked):
        if isinstance(one, JoseAccount) and RSA1_5 in one.key_algorithms:
            yield Hit(
                _place(one.name),
                f"'key_algorithms' holds {RSA1_5!r}, whose padding can be attacked",
                "agree on RSA-OAEP-256 with Google, and take it out",
            )


@CHECKS.add("gnupg-old", Severity.ERROR, "GnuPG has a fault that a message can use")
def _gnupg(checked: CheckedApp) -> Iterator[Hit]:
    programs = {one.program for one in accounts(checked) if isinstance(one, PgpAccount)}
    for program in sorted(programs):
        path = shutil.which(program)
        if path is None:
            continue  # a fault of the configuration
        told = subprocess.run(  # noqa: S603 - the program that the account names
            [path, "--version"], capture_output=True, timeout=_SECONDS, check=False
        )
        if fault := find_fault(told.stdout):
            yield Hit(ACCOUNTS, f"{program}: {fault}", "upgrade GnuPG")
