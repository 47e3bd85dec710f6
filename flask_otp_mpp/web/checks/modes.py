"""Checks of the configuration as a whole: its faults, and modes that are for trials."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.protocols.alipay.clients import SANDBOX_CLIENT
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.settings import OnUnfit, StoreSettings, TrialSettings

CHECKS: Final = Checks()
_LOGGERS: Final = ("flask_otp_mpp", "flask_otp_mpp.stores")


@CHECKS.add("configuration", Severity.ERROR, "the app does not start")
def _configuration(checked: CheckedApp) -> Iterator[Hit]:
    for key, finding in checked.state.faults:
        found, _, remedy = finding.partition("; ")
        yield Hit(key, found, remedy or f"correct {key}")


@CHECKS.add("debug-mode", Severity.ERROR, "the app is in debug mode")
def _debug_mode(checked: CheckedApp) -> Iterator[Hit]:
    if checked.state.debug:
        yield Hit(
            "DEBUG",
            "is on: exceptions leave the app, and trials and accounts without encryption may start",
            "serve without --debug, FLASK_DEBUG and DEBUG",
        )


@CHECKS.add("testing-mode", Severity.ERROR, "the app is in testing mode")
def _testing_mode(checked: CheckedApp) -> Iterator[Hit]:
    if checked.app.testing:
        yield Hit(
            "TESTING",
            "is on: exceptions leave the app, and trials and accounts without encryption may start",
            "set TESTING to false where callers are served",
        )


@CHECKS.add("exceptions-propagate", Severity.WARNING, "exceptions leave the app")
def _exceptions_propagate(checked: CheckedApp) -> Iterator[Hit]:
    if checked.config.get("PROPAGATE_EXCEPTIONS") and not checked.debugging:
        yield Hit(
            "PROPAGATE_EXCEPTIONS",
            "is on: an exception of an after-request function leaves the app, and no signed answer "
            "is sent",
            "remove it",
        )


@CHECKS.add("trial-mode", Severity.WARNING, "credentials of trials are served")
def _trial_mode(checked: CheckedApp) -> Iterator[Hit]:
    if not checked.settings(TrialSettings).trial:
        return
    names = [name for protocol in checked.state.protocols for name in protocol.client_names]
    production = [name for name in names if not name.startswith(SANDBOX_CLIENT)]
    whose = f"also of production, such as {production[0]!r}" if production else "of the sandbox"
    yield Hit(
        key_of(TrialSettings, "trial"),
        f"is on: clients {whose} can use credentials that begin with TRIAL_",
        "set it to false when the acceptance is over",
    )


@CHECKS.add("store-check-off", Severity.WARNING, "an unfit store is accepted")
def _store_check_off(checked: CheckedApp) -> Iterator[Hit]:
    if checked.settings(StoreSettings).check is OnUnfit.WARN:
        yield Hit(
            key_of(StoreSettings, "check"),
            "is 'warn': an app starts whose store is not prepared, or could forget failures",
            "set it to 'refuse'",
        )


@CHECKS.add("eviction-accepted", Severity.WARNING, "a Redis that evicts keys is accepted")
def _eviction_accepted(checked: CheckedApp) -> Iterator[Hit]:
    if checked.settings(StoreOptions).allow_eviction:
        yield Hit(
            key_of(StoreOptions, "allow_eviction"),
            "is 'warn': an app starts whose Redis may drop counted failures",
            "set it to 'refuse', and maxmemory-policy of the server to noeviction",
        )


@CHECKS.add("log-silent", Severity.WARNING, "warnings are not logged")
def _log_silent(_checked: CheckedApp) -> Iterator[Hit]:
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if logger.disabled:
            yield Hit(
                f"logger {name}",
                "is disabled, as logging.config does it to loggers that exist already",
                "set disable_existing_loggers to false",
            )
        elif not logger.isEnabledFor(logging.WARNING):
            yield Hit(f"logger {name}", "drops warnings", "set its level to WARNING or INFO")
