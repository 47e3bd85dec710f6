"""The checks of a deployment: what ``flask otp-mpp check`` looks at.

A check is one function with the decorator of its module's ``CHECKS``: it gets a
:class:`~flask_otp_mpp.web.checks.checked_app.CheckedApp` and yields a
:class:`~flask_otp_mpp.web.checks.base.Hit` for each place where something is wrong. To add one,
write that function, and its row in ``tests/web/test_checks.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flask import Flask

from flask_otp_mpp.web.checks import (
    google,
    host,
    key_files,
    keys,
    libraries,
    limiter,
    modes,
    peppers,
    pgp_keys,
    proxies,
    senders,
    store,
)
from flask_otp_mpp.web.checks.base import Check, Finding, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.extension import NotServedError, state_of

__all__ = ["CHECKS", "Check", "CheckedApp", "Finding", "Severity", "check_app"]

_SUBJECTS: Final = (
    *(
        modes,
        keys,
        key_files,
        google,
        pgp_keys,
        peppers,
        store,
        limiter,
        host,
        proxies,
        senders,
        libraries,
    ),
)
CHECKS: Final[Sequence[Check]] = tuple(one for subject in _SUBJECTS for one in subject.CHECKS)


def check_app(app: Flask) -> list[Finding]:
    """Return what is wrong with an app, or is to be known of it, the worst first.

    It changes nothing. The store and the storage of the traffic limits are asked, and a signer that
    the host passed signs once.
    """
    try:
        checked = CheckedApp(app, state_of(app))
    except NotServedError as error:
        found, _, remedy = str(error).partition("; ")
        where = "OtpMpp"
        return [
            Finding("not-served", Severity.ERROR, "the app serves no OTP", where, found, remedy)
        ]
    findings = [finding for check in CHECKS for finding in check.run(checked)]
    return sorted(findings, key=lambda finding: list(Severity).index(finding.severity))
