"""The servers that a deployment names: their hosts, and whether TLS leads there."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.settings import StoreSettings
from flask_otp_mpp.web.traffic_settings import TrafficSettings

_VERIFIED: Final = frozenset({"require", "verify-ca", "verify-full"})


@dataclass(frozen=True, slots=True)
class Server:
    """A server, or several that are one service.

    :param addresses: hosts and ports; a host may be the path of a socket.
    :param password: whether one is given.
    """

    kind: str
    addresses: frozenset[tuple[str, int]]
    tls: bool
    password: bool

    @property
    def remote(self) -> bool:
        """Whether the way to it leads out of this machine."""
        return not all(_is_local(host) for host, _ in self.addresses)

    def __str__(self) -> str:
        return ", ".join(f"{host}:{port}" for host, port in sorted(self.addresses))


def store_server(checked: CheckedApp) -> Server | None:
    """Return the server of the store; None if there is none, or it can't be told."""
    store = checked.store
    if isinstance(store, SQLAlchemyStore):
        return _sql_server(store.engine.url)
    given = checked.state.components.store is not None
    return None if given else redis_server(checked.settings(StoreSettings).url)


def limiter_server(checked: CheckedApp) -> Server | None:
    """Return the Redis that counts traffic; None if it is another storage, or can't be told."""
    if checked.state.components.limiter is not None:
        return None
    own = checked.settings(TrafficSettings).limiter_storage
    return redis_server(own or str(checked.config.get("RATELIMIT_STORAGE_URI") or ""))


def redis_server(url: str | None) -> Server | None:
    """Take the URL of a Redis apart; None if it is no such URL."""
    try:
        from flask_otp_mpp.stores.redis.urls import parse  # noqa: PLC0415 - an extra

        found = parse(url or "")
    except (ImportError, ValueError):
        return None
    if path := found.options.get("path"):
        return Server("Redis", frozenset({(str(path), 0)}), tls=False, password=True)
    given = bool(found.options.get("password"))
    return Server("Redis", frozenset(found.addresses), tls=found.tls, password=given)


def _sql_server(url: sa.URL) -> Server | None:
    backend = url.get_backend_name()
    if backend == "sqlite":
        return None
    if backend == "postgresql":
        mode = url.query.get("sslmode") or os.environ.get("PGSSLMODE")
        tls = mode in _VERIFIED
    else:
        tls = any(name.startswith("ssl") for name in url.query)
    host = url.host or url.query.get("host") or url.query.get("unix_socket") or "localhost"
    names = host if isinstance(host, tuple) else host.split(",")
    addresses = frozenset((name, url.port or 0) for name in names)
    return Server("the database", addresses, tls=tls, password=url.password is not None)


def _is_local(host: str) -> bool:
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
