"""A store is opened on the deployment's terms, and looked at before it serves anybody."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import click
from flask.cli import ScriptInfo

from flask_otp_mpp.core.ports import Clock, Store, StoreError, UnfitStore
from flask_otp_mpp.core.settings import PREFIX
from flask_otp_mpp.stores import StoreOptions, from_url
from flask_otp_mpp.web.store_settings import OnUnfit

KEY: Final = PREFIX + "STORE"
Faults = list[tuple[str, str]]
_logger = logging.getLogger("flask_otp_mpp")


def open_store(values: Mapping[str, Any], clock: Clock, faults: Faults) -> Store | None:
    """Make the store that ``OTP_MPP_STORE`` names; what is wrong with it is added to the faults."""
    url = values.get("STORE")
    if url is None:
        if "STORE" in values:
            advice = "use sqlite:////path/otp.db, or memory:// for trials"
            faults.append((KEY, f"is missing; {advice}"))
        return None
    try:
        return from_url(url, clock, _options(values))
    except ValueError as fault:
        faults.append((KEY, str(fault)))
        return None


def check_store(store: Store | None, values: Mapping[str, Any], faults: Faults) -> None:
    """Look whether a store could serve, if it can tell; one that can't is added to the faults.

    One that does not answer is only warned about: a database may be restarted together with its
    hosts. Commands of ``flask`` other than ``run`` don't look: one of them prepares the store.
    """
    look = getattr(store, "check", None)
    if look is None or _is_command():
        return
    try:
        look()
    except UnfitStore as unfit:
        if values.get("STORE_CHECK") is OnUnfit.WARN:
            _logger.warning("%r: %s", KEY, unfit)
        else:
            faults.append((KEY, str(unfit)))
    except StoreError as away:
        _logger.warning("%r: %s; until it does, requests are answered as unforeseen", KEY, away)


def _options(values: Mapping[str, Any]) -> StoreOptions:
    try:
        return StoreOptions(
            pool_size=values["STORE_POOL_SIZE"],
            pool_overflow=values["STORE_POOL_OVERFLOW"],
            connect_timeout=values["STORE_CONNECT_TIMEOUT"],
            statement_timeout=values["STORE_STATEMENT_TIMEOUT"],
            pre_ping=values["STORE_PRE_PING"],
            allow_eviction=values["STORE_EVICTION"] is OnUnfit.WARN,
        )
    except KeyError:  # it is at fault, and told already; the store is only looked at
        return StoreOptions()


def _is_command() -> bool:
    """Tell whether a command of ``flask`` loads the app, and does not go on to serve it."""
    context = click.get_current_context(silent=True)
    if context is None or context.find_object(ScriptInfo) is None:
        return False
    return context.info_name != "run"
