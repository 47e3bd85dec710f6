"""The settings of traffic: limits, and what a request may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from limits import RateLimitItem, parse_many
from limits.strategies import STRATEGIES

from flask_otp_mpp.core.readers import FLAG, Reader, one_of, optional, seconds, text, whole
from flask_otp_mpp.core.secret_files import text_or_file
from flask_otp_mpp.core.settings import setting

MAX_FRESHNESS: Final = timedelta(minutes=15)


class OnLimiterFailure(StrEnum):
    """Say what happens to a request whose rate limit can't be looked up."""

    CLOSED = "closed"
    OPEN = "open"


def _parse_limits(raw: object) -> tuple[RateLimitItem, ...]:
    """Read a limit string; Flask-Limiter itself would ignore a malformed one."""
    if raw in (None, ""):
        return ()
    try:
        return tuple(parse_many(text(raw)))
    except ValueError:
        raise ValueError(
            "is no limit string; write it like '5 per 10 minutes; 10 per day'"
        ) from None


def _parse_strategy(raw: object) -> str:
    if raw in STRATEGIES:
        return str(raw)
    raise ValueError(f"is no strategy of Flask-Limiter; use one of {', '.join(STRATEGIES)}")


_LIMITS: Final = Reader("a limit string, or ''", _parse_limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSettings:
    """Which requests are accepted, and how many."""

    freshness: timedelta = setting(
        "FRESHNESS",
        seconds(30, MAX_FRESHNESS.seconds),
        "How far a request's time may be from now, either way.",
        default=300,
    )
    body_limit: int = setting(
        "BODY_LIMIT",
        whole(1024, 1024 * 1024, unit="bytes"),
        "The longest request body.",
        default=16384,
    )
    address_limits: tuple[RateLimitItem, ...] = setting(
        "ADDRESS_LIMIT",
        _LIMITS,
        "The traffic of one network address, counted before the body is read.",
        default="6000 per minute",
    )
    address_ipv6_prefix: int = setting(
        "ADDRESS_IPV6_PREFIX",
        whole(32, 128, unit="bits"),
        "How many bits of an IPv6 address are counted as one: a subscriber has a whole network.",
        default=64,
    )
    client_limits: tuple[RateLimitItem, ...] = setting(
        "CLIENT_LIMIT",
        _LIMITS,
        "The traffic of one client, counted after its signature was found good.",
        default="6000 per minute",
    )
    deliveries: int | None = setting(
        "DELIVERIES",
        optional(whole(1, 10_000)),
        "How many messages a process delivers at a time. Further sends are answered as unknown, "
        "and nothing is done. Without it, half of what gunicorn, uWSGI or mod_wsgi handles at a "
        "time, and 4 under other servers.",
        default=None,
    )
    waiting_repeats: int | None = setting(
        "WAITING_REPEATS",
        optional(whole(0, 1000)),
        "How many repeats may wait at a time, in a process, for the request they repeat (AMS). "
        "Each of them holds a thread, 3 seconds at most. Without it, half as many as may be "
        "delivered at a time, and 2 at most.",
        default=None,
    )
    waiting_repeats_of_client: int = setting(
        "WAITING_REPEATS_OF_CLIENT",
        whole(0, 1000),
        "How many of them may be of one client.",
        default=1,
    )
    refusal_limits: tuple[RateLimitItem, ...] = setting(
        "REFUSAL_LIMIT",
        _LIMITS,
        "How many refusals of known users are stored for one client, so that a repeat gets the "
        "same answer. A repeat of any further one is decided again.",
        default="10000 per day",
    )
    limiter_storage: str | None = setting(
        "LIMITER_STORAGE",
        Reader("a storage URI of Flask-Limiter", text_or_file),
        "Where traffic is counted; RATELIMIT_STORAGE_URI if it is None, and `memory://` if that is "
        "not set either. `file:/path` reads it from a file.",
        default=None,
        secret=True,
    )
    limiter_strategy: str = setting(
        "LIMITER_STRATEGY",
        Reader("a strategy of Flask-Limiter", _parse_strategy),
        "How traffic is counted.",
        default="fixed-window",
    )
    limiter_failure: OnLimiterFailure = setting(
        "LIMITER_FAILURE",
        one_of(OnLimiterFailure),
        "Whether a request is refused or let through when traffic can't be counted.",
        default="closed",
    )
    host_limits: bool = setting(
        "HOST_LIMITS",
        FLAG,
        "Whether the limits of the host's own Limiter (`default_limits`, `application_limits`) "
        "count these requests too.",
        default=False,
    )
