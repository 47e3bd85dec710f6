"""URLs of Redis: one server, a primary that Sentinel names, or a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from redis.connection import parse_url, to_bool

NO_URL: Final = (
    "is not a Redis URL; use redis://user:password@host:6379/0, or rediss:// for TLS, "
    "redis+sentinel://user:password@host:26379,host:26379/service, "
    "or redis+cluster://user:password@host:6379,host:6379"
)


class Kind(Enum):
    """What answers at the hosts of a URL."""

    SERVER = "redis"
    SENTINEL = "redis+sentinel"
    CLUSTER = "redis+cluster"


_PORTS: Final = {Kind.SERVER: 6379, Kind.SENTINEL: 26379, Kind.CLUSTER: 6379}
_SCHEMES: Final = {
    **{kind.value: kind for kind in Kind},
    **{kind.value.replace("redis", "valkey"): kind for kind in Kind},
    "rediss": Kind.SERVER,
    "valkeys": Kind.SERVER,
}


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A URL, taken apart.

    :param addresses: hosts and ports: of servers, or of Sentinels.
    :param service: the name by which Sentinel knows the primary.
    :param tls: whether servers and Sentinels are reached by TLS.
    :param options: arguments of redis-py's connections, the password among them.
    """

    kind: Kind
    addresses: tuple[tuple[str, int], ...]
    service: str
    tls: bool
    options: Mapping[str, Any] = field(repr=False)

    @property
    def hosts(self) -> str:
        """Hosts and ports in one line, for messages."""
        return ", ".join(f"{host}:{port}" for host, port in self.addresses)


def parse(url: str) -> RedisUrl:
    """Take a URL apart.

    ``redis+sentinel`` and ``redis+cluster`` are spelled as the library ``limits`` spells them. It
    has no scheme for TLS there; the query ``ssl=true`` asks for it.

    :raises ValueError: if the URL can't be used; the message holds no password.
    """
    try:
        return _parse(urlsplit(url))
    except ValueError:  # its message may quote the password
        raise ValueError(NO_URL) from None


def _parse(parts: SplitResult) -> RedisUrl:
    kind = _SCHEMES.get(parts.scheme)
    if kind is None:
        raise ValueError("another scheme")
    userinfo, at, hosts = parts.netloc.rpartition("@")
    locations = [urlsplit(f"//{one.strip()}") for one in hosts.split(",")]
    if kind is Kind.SERVER and len(locations) > 1:
        raise ValueError("several hosts")
    addresses = tuple(
        (location.hostname or "localhost", location.port or _PORTS[kind]) for location in locations
    )
    path = parts.path.strip("/")
    database, service = ("", path) if kind is Kind.SENTINEL else (path, "")
    if kind is Kind.SENTINEL and (not service or "/" in service):
        raise ValueError("no name of a service")
    options = parse_url(f"redis://{userinfo}{at}host/{database}?{parts.query}")  # type: ignore[no-untyped-call]
    del options["host"]
    if kind is Kind.CLUSTER and options.pop("db", 0):
        raise ValueError("a cluster has no other database")
    tls = parts.scheme in ("rediss", "valkeys") or to_bool(options.pop("ssl", "no"))  # type: ignore[no-untyped-call]
    return RedisUrl(kind, addresses, service, bool(tls), options)
