"""Checks of the host's app: what it does to requests before they reach the package's routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from flask_limiter import Limiter

from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.traffic_settings import TrafficSettings

CHECKS: Final = Checks()
_ENDPOINTS: Final = "otp_mpp_"
_KNOWN: Final = ("flask_wtf", "flask_limiter", "flask_otp_mpp")
"""Packages whose functions before a request let ours through, as tests show."""


@CHECKS.add("csrf-unknown", Severity.WARNING, "the CSRF protection may refuse callers")
def _csrf(checked: CheckedApp) -> Iterator[Hit]:
    found = checked.app.extensions.get("csrf")
    package = type(found).__module__.partition(".")[0]
    if found is not None and package != "flask_wtf":
        yield Hit(
            "app.extensions['csrf']",
            f"{type(found).__name__} of {package} is not known; calls of callers have no token",
            "exempt the blueprints that begin with 'otp_mpp_', and try a call by "
            "`flask otp-mpp simulate`",
        )


@CHECKS.add("before-request", Severity.NOTE, "functions of the host run before each call")
def _before_request(checked: CheckedApp) -> Iterator[Hit]:
    functions = checked.app.before_request_funcs.get(None, [])
    names = [_name(one) for one in functions if not _name(one).startswith(_KNOWN)]
    if names:
        yield Hit(
            "@app.before_request",
            f"{', '.join(names)}: callers whom one of them refuses get ACCESS_DENIED",
            "let them return None for requests whose blueprint begins with 'otp_mpp_'",
        )


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", type(function).__name__)
    return f"{getattr(function, '__module__', type(function).__module__)}.{name}"


@CHECKS.add("host-limits", Severity.WARNING, "limits of the host's own pages count callers")
def _host_limits(checked: CheckedApp) -> Iterator[Hit]:
    if not checked.settings(TrafficSettings).host_limits:
        return
    limiters = checked.app.extensions.get("limiter", ())
    if any(isinstance(one, Limiter) for one in limiters):
        yield Hit(
            key_of(TrafficSettings, "host_limits"),
            "is on: all traffic of Alipay+ comes from a few addresses, which the host's limits "
            "count as a few people",
            "set it to false, and use OTP_MPP_ADDRESS_LIMIT",
        )


@CHECKS.add("route-in-prefix", Severity.WARNING, "a route of the host is below a prefix")
def _route_in_prefix(checked: CheckedApp) -> Iterator[Hit]:
    prefixes = [mount.prefix for one in checked.state.protocols for mount in one.mounts]
    for rule in checked.app.url_map.iter_rules():
        if rule.endpoint.startswith(_ENDPOINTS):
            continue
        for prefix in prefixes:
            if f"{rule.rule}/".startswith(f"{prefix}/"):
                found = f"{rule.rule} ({rule.endpoint}) is answered by the host, and is not signed"
                yield Hit(f"route {rule.endpoint}", found, f"move it away from {prefix}")
