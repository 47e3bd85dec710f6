"""Opening the configured store, and checking it before it serves."""

from __future__ import annotations

import logging

import click
from flask.cli import ScriptInfo

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.ports import Store, StoreError, UnfitStore
from flask_otp_mpp.core.settings import Faults, key_of
from flask_otp_mpp.stores import StoreOptions, from_url
from flask_otp_mpp.web.settings import OnUnfit, StoreSettings

_KEY = key_of(StoreSettings, "url")
_logger = logging.getLogger("flask_otp_mpp")


def open_store(
    settings: StoreSettings, options: StoreOptions, clock: Clock, faults: Faults
) -> Store | None:
    """Make the store that ``OTP_MPP_STORE`` names; what is wrong with it is added to the faults."""
    if settings.url is None:
        if _KEY not in dict(faults):
            advice = "use sqlite:////path/otp.db, or memory:// for trials"
            faults.append((_KEY, f"is missing; {advice}"))
        return None
    try:
        return from_url(settings.url, clock, options)
    except ValueError as fault:
        faults.append((_KEY, str(fault)))
        return None


def check_store(store: Store | None, settings: StoreSettings, faults: Faults) -> None:
    """Look whether a store could serve, if it can tell; one that can't is added to the faults.

    One that does not answer is only warned about: a database may be restarted together with its
    hosts. Commands of ``flask`` other than ``run`` don't look: one of them prepares the store.
    """
    look = getattr(store, "check", None)
    if look is None or is_command():
        return
    try:
        look()
    except UnfitStore as unfit:
        if settings.check is OnUnfit.WARN:
            _logger.warning("%r: %s", _KEY, unfit)
        else:
            faults.append((_KEY, str(unfit)))
    except StoreError as away:
        _logger.warning("%r: %s; until it does, requests are answered as unforeseen", _KEY, away)


def flask_command() -> str | None:
    """Return the command of ``flask`` that loads the app; None if something else does."""
    context = click.get_current_context(silent=True)
    if context is None or context.find_object(ScriptInfo) is None:
        return None
    return context.info_name


def is_command() -> bool:
    """Tell whether a command of ``flask`` loads the app, and does not go on to serve it."""
    return flask_command() not in (None, "run")
