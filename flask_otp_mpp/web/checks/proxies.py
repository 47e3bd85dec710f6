"""Checks of what stands before the app: proxies, and the paths that callers sign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from werkzeug.middleware.proxy_fix import ProxyFix

from flask_otp_mpp.protocols.values import Mount
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.traffic_settings import TrafficSettings

CHECKS: Final = Checks()
_MOST_LAYERS: Final = 20


def proxy_fix(checked: CheckedApp) -> ProxyFix | None:
    """Return the ProxyFix around an app, however many other layers there are."""
    layer: Any = checked.app.wsgi_app
    for _ in range(_MOST_LAYERS):
        if isinstance(layer, ProxyFix):
            return layer
        layer = getattr(layer, "app", None) or getattr(layer, "wsgi_app", None)
    return None


def _signed_mounts(checked: CheckedApp) -> Iterator[Mount]:
    """Yield the mounts below which callers sign the path."""
    for protocol in checked.state.protocols:
        if protocol.signs:
            yield from protocol.mounts


@CHECKS.add("proxy-fix-missing", Severity.NOTE, "the address of callers may be that of a proxy")
def _missing(checked: CheckedApp) -> Iterator[Hit]:
    if proxy_fix(checked) is None and not _is_rewritten(checked):
        yield Hit(
            "app.wsgi_app",
            "has no ProxyFix: traffic is counted for the address that connects",
            "if a proxy stands before the app, use ProxyFix(app.wsgi_app, x_for=1)",
        )


@CHECKS.add("proxy-address", Severity.WARNING, "all callers are counted as one address")
def _address(checked: CheckedApp) -> Iterator[Hit]:
    fix = proxy_fix(checked)
    if not checked.settings(TrafficSettings).address_limits:
        return
    if fix is None and _is_rewritten(checked):
        yield Hit(
            "app.wsgi_app",
            "a proxy rewrites paths, and there is no ProxyFix: traffic is counted for the proxy",
            "use ProxyFix(app.wsgi_app, x_for=1)",
        )
    if fix is not None and not fix.x_for:
        yield Hit(
            "ProxyFix",
            "has x_for=0: traffic is counted for the proxy",
            "set x_for to the number of your proxies",
        )


def _is_rewritten(checked: CheckedApp) -> bool:
    return any(
        mount.prefix != mount.public_prefix
        for protocol in checked.state.protocols
        for mount in protocol.mounts
    )


@CHECKS.add("proxy-hops", Severity.NOTE, "several proxies are trusted")
def _hops(checked: CheckedApp) -> Iterator[Hit]:
    fix = proxy_fix(checked)
    if fix is not None and fix.x_for > 1:
        yield Hit(
            "ProxyFix",
            f"has x_for={fix.x_for}: if fewer proxies add an address, callers choose their own",
            "set x_for to exactly the number of your proxies",
        )


@CHECKS.add("signed-path", Severity.WARNING, "the path that callers sign may be another one")
def _signed_path(checked: CheckedApp) -> Iterator[Hit]:
    root = str(checked.config.get("APPLICATION_ROOT") or "/")
    fix = proxy_fix(checked)
    if fix is not None and fix.x_prefix:
        why = f"ProxyFix has x_prefix={fix.x_prefix}, so a proxy takes a prefix off"
    elif root != "/":
        why = f"APPLICATION_ROOT is {root!r}"
    else:
        return
    for mount in _signed_mounts(checked):
        if mount.prefix == mount.public_prefix:
            setting = mount.setting.replace("_PREFIX", "_PUBLIC_PREFIX")
            yield Hit(
                setting,
                f"{why}, and signatures are verified over {mount.public_prefix!r} alone",
                f"set {setting} to the prefix as callers call it",
            )


@CHECKS.add("trusted-hosts", Severity.NOTE, "only some host names are served")
def _trusted_hosts(checked: CheckedApp) -> Iterator[Hit]:
    if hosts := checked.config.get("TRUSTED_HOSTS"):
        yield Hit(
            "TRUSTED_HOSTS",
            f"callers of any other name than {', '.join(map(str, hosts))} get ACCESS_DENIED",
            "see that the names by which callers call are among them",
        )
