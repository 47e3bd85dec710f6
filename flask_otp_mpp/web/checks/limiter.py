"""Checks of the traffic limits: whether they count, where, and what they count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flask_limiter import Limiter
from limits.storage import MemoryStorage

from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.checks.network import limiter_server
from flask_otp_mpp.web.traffic_settings import OnLimiterFailure, TrafficSettings

CHECKS: Final = Checks()
_STORAGE: Final = key_of(TrafficSettings, "limiter_storage")
_GIVEN: Final = "OtpMpp(limiter=…)"


def _place(checked: CheckedApp) -> str:
    return _STORAGE if checked.state.components.limiter is None else _GIVEN


def _ready_limiter(checked: CheckedApp) -> Limiter | None:
    """Return the Limiter if it has a storage: one of the host gets it from its init_app."""
    limiter = checked.limiter
    if limiter is None or not limiter.enabled:
        return None
    given = checked.state.components.limiter is not None
    return None if given and not limiter.initialized else limiter


@CHECKS.add("limiter-off", Severity.ERROR, "traffic is not limited")
def _off(checked: CheckedApp) -> Iterator[Hit]:
    if checked.limiter is not None and not checked.limiter.enabled:
        yield Hit(
            "RATELIMIT_ENABLED",
            "is false: no request is counted",
            "set it to true, and give the package a storage by OTP_MPP_LIMITER_STORAGE",
        )


@CHECKS.add("limiter-not-initialised", Severity.ERROR, "the Limiter can't count")
def _not_initialised(checked: CheckedApp) -> Iterator[Hit]:
    limiter = checked.state.components.limiter
    if limiter is not None and not limiter.initialized:
        yield Hit(_GIVEN, "was not initialised with an app", "call limiter.init_app(app)")


@CHECKS.add("limiter-memory", Severity.WARNING, "each process counts traffic for itself")
def _in_memory(checked: CheckedApp) -> Iterator[Hit]:
    limiter = _ready_limiter(checked)
    if limiter is not None and isinstance(limiter.storage, MemoryStorage):
        yield Hit(
            _place(checked),
            "counts in memory: with several workers, each lets through as much as one may",
            "name a storage that they share, such as redis://host:6379",
        )


@CHECKS.add("limiter-away", Severity.ERROR, "the storage of the traffic limits does not answer")
def _away(checked: CheckedApp) -> Iterator[Hit]:
    limiter = _ready_limiter(checked)
    if limiter is None or isinstance(limiter.storage, MemoryStorage):
        return
    try:
        answers, why = limiter.storage.check(), ""
    except Exception as error:  # noqa: BLE001 - each kind of storage has exceptions of its own
        answers, why = False, f" ({type(error).__name__})"
    if not answers:
        open_ = checked.settings(TrafficSettings).limiter_failure is OnLimiterFailure.OPEN
        what = "let through without a limit" if open_ else "refused as unforeseen"
        found = f"the storage does not answer{why}: requests are {what}"
        yield Hit(_place(checked), found, "see that it runs, and check host, port and password")


@CHECKS.add("limiter-open", Severity.NOTE, "traffic is not limited while the storage is down")
def _opens(checked: CheckedApp) -> Iterator[Hit]:
    if checked.settings(TrafficSettings).limiter_failure is OnLimiterFailure.OPEN:
        yield Hit(
            key_of(TrafficSettings, "limiter_failure"),
            "is 'open': while traffic can't be counted, every request is let through",
            "set it to 'closed' if a flood is worse than an outage",
        )


@CHECKS.add(
    "limiter-unencrypted", Severity.NOTE, "the connection to the traffic limits is not encrypted"
)
def _unencrypted(checked: CheckedApp) -> Iterator[Hit]:
    server = limiter_server(checked)
    if server is not None and server.remote and not server.tls:
        yield Hit(_STORAGE, f"Redis at {server} is reached without TLS", "use rediss://")


@CHECKS.add("address-limit-off", Severity.WARNING, "no limit by address")
def _address_off(checked: CheckedApp) -> Iterator[Hit]:
    if not checked.settings(TrafficSettings).address_limits:
        yield Hit(
            key_of(TrafficSettings, "address_limits"),
            "is empty: who has proven nothing can send any number of requests",
            "set it to what all traffic of Alipay+ and Google may be, as '6000 per minute'",
        )


@CHECKS.add("client-limit-off", Severity.NOTE, "no limit by client")
def _client_off(checked: CheckedApp) -> Iterator[Hit]:
    if not checked.settings(TrafficSettings).client_limits:
        yield Hit(
            key_of(TrafficSettings, "client_limits"),
            "is empty: one client can take all that the app can serve",
            "set it to what one client may send",
        )


@CHECKS.add("refusal-limit-off", Severity.WARNING, "any number of refusals is stored")
def _refusals_off(checked: CheckedApp) -> Iterator[Hit]:
    if not checked.settings(TrafficSettings).refusal_limits:
        yield Hit(
            key_of(TrafficSettings, "refusal_limits"),
            "is empty: a client can fill the store with refusals",
            "set it to a limit such as '10000 per day'",
        )
