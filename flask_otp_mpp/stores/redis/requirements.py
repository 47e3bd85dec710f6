"""What a Redis must be to keep the store's promises, judged by what it says of itself."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from flask_otp_mpp.core.clock import CLOCKS_APART

Info: TypeAlias = Mapping[str, Any]
Config: TypeAlias = Callable[[str], Mapping[str, str]]
"""Returns the settings of a pattern; none if the server does not allow to ask for them."""

_OLDEST: Final = (6, 2, 0)
_OLDEST_WITH_REPLICAS: Final = (6, 2, 14)
_LONGEST_LAG: Final = 10
SETTINGS: Final = (
    "set min-replicas-to-write to 1 or more and min-replicas-max-lag to "
    f"{_LONGEST_LAG} s or less on every node"
)
_TWO_PRIMARIES: Final = "after a failover two primaries can be written, and a code can win twice"


def problems(info: Info, config: Config, *, in_cluster: bool) -> Iterator[str]:
    """Yield what makes a server unfit, and what to do.

    :param info: all that INFO tells.
    :param in_cluster: whether the server was found as a node of a cluster.
    """
    mode = info.get("redis_mode") or info.get("server_mode")  # so Valkey 9 calls it
    if mode == "sentinel":
        yield "is a Sentinel; name the service that it watches: redis+sentinel://host:26379/service"
        return
    if mode == "cluster" and not in_cluster:
        yield "is one node of a cluster; use redis+cluster://"
    version = _version(info)
    if version is not None and version < _OLDEST:
        yield f"is version {info['redis_version']}; the store needs 6.2 or newer"
    role = info.get("role", "master")
    if role == "active-replica" or (_is_keydb(info) and _is_active_replica(config)):
        yield (
            "is a KeyDB with active replicas: each of them decides alone by what it has, so a code "
            "can win at each of them; use one primary (active-replica no), or Redis or Valkey"
        )
    elif role != "master":
        yield (
            f"is a replica of {info.get('master_host')}:{info.get('master_port')} and must not be "
            "written; name the primary, or let Sentinel name it: "
            "redis+sentinel://host:26379/service"
        )
    elif replicas := _replicas(info):
        yield from _two_primaries(f"has {replicas} replica(s)", version, config)


def _two_primaries(found: str, version: tuple[int, ...] | None, config: Config) -> Iterator[str]:
    settings = config("min-replicas-*")
    if not settings:
        return  # a warning
    needed = int(settings.get("min-replicas-to-write", 0))
    lag = int(settings.get("min-replicas-max-lag", 0))
    if needed < 1 or not 1 <= lag <= _LONGEST_LAG:
        yield (
            f"{found}, min-replicas-to-write {needed} and min-replicas-max-lag {lag}: "
            f"{_TWO_PRIMARIES}; {SETTINGS}"
        )
    elif version is not None and version < _OLDEST_WITH_REPLICAS:
        yield (
            f"{found} and is older than 6.2.14, where scripts are not held to "
            f"min-replicas-to-write: {_TWO_PRIMARIES}; use a newer version"
        )


def warnings(info: Info, config: Config, *, in_cluster: bool) -> Iterator[str]:
    """Yield what could not be learnt, and what an operator must look to."""
    if (now := info.get("server_time_usec")) is not None:
        apart = int(now) / 1e6 - time.time()
        if abs(apart) > CLOCKS_APART.total_seconds():
            ahead = "ahead of" if apart > 0 else "behind"
            yield (
                f"has a clock that is {abs(apart):.0f} s {ahead} that of this machine; synchronise "
                "them (NTP)"
            )
    replicas = _replicas(info)
    settings = config("min-replicas-*") if replicas else {}
    needed = int(settings.get("min-replicas-to-write", 0))
    # A primary of a cluster waits for its replica in a failover that was asked for.
    if 0 < needed < replicas and not in_cluster:
        yield (
            f"has {replicas} replicas and min-replicas-to-write {needed}: while Sentinel moves the "
            "primary, the old one still writes what is forgotten then; set min-replicas-to-write "
            f"to {replicas}, or pause writes before a planned failover"
        )
    # Redis tells how many replicas are good if both settings are above zero.
    if replicas and not settings and "min_slaves_good_slaves" not in info:
        yield (
            f"has {replicas} replica(s) and does not let its settings be read; {SETTINGS}: "
            f"without them, {_TWO_PRIMARIES}"
        )


def eviction(info: Info) -> str | None:
    """Return what is wrong with the eviction policy, and what to do."""
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if not info.get("maxmemory") or policy == "noeviction":
        return None
    return (
        f"may evict keys (maxmemory-policy {policy}), and with them counted failures; "
        "set maxmemory-policy to noeviction, or use a separate server"
    )


def _is_keydb(info: Info) -> bool:
    return "mvcc_depth" in info or "keydb" in str(info.get("executable", ""))


def _is_active_replica(config: Config) -> bool:
    """Tell the one of two that has found no other yet, and still says that it is a master."""
    return config("active-replica").get("active-replica") == "yes"


def _version(info: Info) -> tuple[int, ...] | None:
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", str(info.get("redis_version", "")))
    return None if found is None else tuple(int(part or 0) for part in found.groups())


def _replicas(info: Info) -> int:
    return int(info.get("connected_slaves", 0))
