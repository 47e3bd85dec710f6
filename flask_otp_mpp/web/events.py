"""Tell the host what happened: a line in the log, and a signal.

An error in a receiver changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

from blinker import NamedSignal, Namespace
from flask import Flask

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.protocols.values import Act, Event, Operation
from flask_otp_mpp.web.audit import record
from flask_otp_mpp.web.event_log import fields_of, line_of
from flask_otp_mpp.web.in_sync import END_OF_PROCESS, in_sync

logger = logging.getLogger("flask_otp_mpp")
_signals = Namespace()
SINKS: Final = "otp_mpp_sinks"
Sink: TypeAlias = Callable[[Event], object]

otp_sent = _signals.signal("otp-sent")
"""The sender hook accepted a code: ``event`` is an :class:`~flask_otp_mpp.Event`."""
otp_verified = _signals.signal("otp-verified")
"""A code was right: ``event``."""
otp_refused = _signals.signal("otp-refused")
"""A request was refused: ``event``, and why in ``event.reason``."""
user_locked = _signals.signal("user-locked")
"""A user sent too many wrong codes: ``subject`` is locked at the client of ``caller`` until
``until``; if that is in the year 9999, at all clients."""


operator_acted = _signals.signal("operator-acted")
"""An operator, or the host for one, has unlocked or forgotten a user, or purged the store; or keys
or peppers have changed: ``event``, whose ``operation`` is an ``Act``."""


def add_sink(app: Flask, sink: Sink) -> None:
    """Have all events of an app handed to a function of the package, echoes too."""
    app.extensions.setdefault(SINKS, []).append(sink)


def announce(app: Flask, event: Event) -> None:
    """Log an event, and send its signal; there is none for an echo.

    What an operator did is recorded in the audit trail, too. A decision is by now: it must be
    before its answer is sealed.

    :raises AuditError: for an operator's act that could not be recorded.
    """
    _tell(app, event)
    if isinstance(event.operation, Act):
        record(app, event)


def announce_key_change(app: Flask, event: Event) -> None:
    """Announce that keys or peppers have changed; the audit trail has found and recorded it."""
    _tell(app, event, logging.WARNING)


def _tell(app: Flask, event: Event, level: int = logging.INFO) -> None:
    if logger.isEnabledFor(level):
        logger.log(level, line_of(event), extra=fields_of(event))
    for sink in app.extensions.get(SINKS, ()):
        try:
            sink(event)
        except END_OF_PROCESS:
            raise
        except BaseException as error:  # noqa: BLE001 - it must not change what was decided
            logger.error("a sink of events raised %s", type(error).__name__)
    if isinstance(event.operation, Act):
        _send(operator_acted, app, event=event)
    elif event.reason is not None:
        _send(otp_refused, app, event=event)
    elif event.operation is Operation.SEND:
        _send(otp_sent, app, event=event)
    elif event.operation is Operation.VERIFY:
        _send(otp_verified, app, event=event)


def announce_act(app: Flask, act: Act, subject: str = "", *, count: int) -> None:
    """Announce what an operator did.

    :param count: how many rows were deleted, or 1 if anything was changed.
    """
    announce(app, Event("operator", act, subject=subject, count=count))


def announce_lock(app: Flask, subject: str, until: datetime, caller: Caller) -> None:
    """Send the signal that a lock has begun."""
    _send(user_locked, app, subject=subject, until=until, caller=caller)


def _send(signal: NamedSignal, app: Flask, **values: Any) -> None:
    for receiver in signal.receivers_for(app):
        try:
            in_sync(app, receiver)(app, **values)
        except END_OF_PROCESS:
            raise
        except BaseException as error:  # noqa: BLE001 - it must not change what was decided
            logger.error("a receiver of %s raised %s", signal.name, type(error).__name__)
