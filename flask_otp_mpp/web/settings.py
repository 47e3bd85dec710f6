"""The settings that belong to no protocol, in groups; those of stores and codes are in their layer.

A key is declared once, in its group. Here are the groups of the web layer, and the list of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from limits import RateLimitItem, parse_many
from limits.strategies import STRATEGIES

from flask_otp_mpp.core.codes import MIN_PEPPER_BYTES
from flask_otp_mpp.core.message import DEFAULT_TEXT, check_template
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.readers import (
    OPTIONAL_TEXT,
    Reader,
    Unreadable,
    describe,
    mapping,
    one_of,
    optional_text,
    seconds,
    text,
    texts,
    whole,
)
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.secret_files import from_file
from flask_otp_mpp.core.settings import setting
from flask_otp_mpp.signing.keys import load_private_key
from flask_otp_mpp.stores.options import StoreOptions

MAX_FRESHNESS: Final = timedelta(minutes=15)
MAX_WALLET_NAME: Final = 40


class OnUnfit(StrEnum):
    """Say what becomes of an app whose store could not keep its promises."""

    REFUSE = "refuse"
    WARN = "warn"


class OnLimiterFailure(StrEnum):
    """Say what happens to a request whose rate limit can't be looked up."""

    CLOSED = "closed"
    OPEN = "open"


class Profile(StrEnum):
    """Name the standard whose clauses an app must meet to start."""

    NONE = "none"
    NIST = "nist"
    PSD2 = "psd2"


def _parse_private_keys(raw: object) -> dict[str, RSAPrivateKey]:
    keys: dict[str, RSAPrivateKey] = {}
    if raw is None:
        return keys
    findings = []
    for version, source in mapping(raw, "{key version: private key}").items():
        try:
            if not isinstance(source, str) or not source.strip():
                raise ValueError(f"found {describe(source)}; write the key or a file's path")
            keys[version] = load_private_key(source)
        except ValueError as fault:
            findings.append(f"key {version!r}: {fault}")
    if findings:
        raise Unreadable(findings, keys)
    return keys


def _parse_peppers(raw: object) -> tuple[Secret[bytes], ...]:
    return tuple(Secret(from_file(pepper).encode()) for pepper in texts(raw))


def _parse_url(raw: object) -> str | None:
    url = optional_text(raw)
    return None if url is None else from_file(url)


def _check_peppers(peppers: tuple[Secret[bytes], ...]) -> str:
    if all(len(pepper.reveal()) >= MIN_PEPPER_BYTES for pepper in peppers):
        return ""
    return (
        f"is too short; use {MIN_PEPPER_BYTES} bytes or more, such as those of: "
        "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
    )


def _check_wallet_name(name: str) -> str:
    if len(name) <= MAX_WALLET_NAME and name.isprintable():
        return ""
    return f"is too long or not printable; use at most {MAX_WALLET_NAME} printable characters"


def _check_domain(domain: str | None) -> str:
    if domain is None or all(
        label.isidentifier() or label.replace("-", "a").isalnum() for label in domain.split(".")
    ):
        return ""
    return "is no host name; set it to a bare host name such as 'wallet.example'"


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
class SigningSettings:
    """The wallet's own keys, by which answers are signed."""

    private_keys: Mapping[str, RSAPrivateKey] = setting(
        "PRIVATE_KEYS",
        Reader("a mapping of key version to private key", _parse_private_keys),
        "The wallet's own keys: PEM, one line of base64, or a file's path. Needed for Alipay+ and "
        "AMS, unless a signer was passed to `OtpMpp`.",
        default=None,
        secret=True,
    )
    key_version: str | None = setting(
        "KEY_VERSION",
        OPTIONAL_TEXT,
        "The version that signs answers. Needed if there are several keys.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSettings:
    """The secret of the codes; how they are made and checked is the policy's."""

    peppers: tuple[Secret[bytes], ...] = setting(
        "PEPPER",
        Reader("a text of 32 bytes or more, or a list of them", _parse_peppers, _check_peppers),
        "The secret under which codes are digested; keep it outside the database. A list is for "
        "rotation: the first digests new codes, the others still verify old ones. "
        "`file:/path` reads one from a file.",
        placeholder=(),
        secret=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Which store keeps the challenges; how it uses its server is in ``StoreOptions``."""

    url: str | None = setting(
        "STORE",
        Reader("a URL", _parse_url),
        "Where challenges are kept: `sqlite:////path/otp.db`, another SQLAlchemy URL, `redis://…`, "
        "or `memory://` for trials; `file:/path` reads it from a file. Needed unless a store was "
        "passed to `OtpMpp`.",
        default=None,
        secret=True,
    )
    check: OnUnfit = setting(
        "STORE_CHECK",
        one_of(OnUnfit),
        "Whether an app starts whose store is not prepared, too old, or could forget; checked when "
        "it starts to serve, not for the commands of `flask`.",
        default="refuse",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSettings:
    """What the message with a code says."""

    wallet_name: str = setting(
        "WALLET_NAME",
        Reader("a text", text, _check_wallet_name),
        "The name by which users know the wallet.",
        placeholder="",
    )
    domain: str | None = setting(
        "DOMAIN",
        Reader("a host name, or None", optional_text, _check_domain),
        "If set, messages end with `@domain #code`, so that a phone offers the code to that site "
        "only.",
        default=None,
    )
    template: str = setting(
        "MESSAGE",
        Reader("a text with {code}", lambda raw: check_template(text(raw))),
        "The message; may also hold {wallet} and {minutes}.",
        default=DEFAULT_TEXT,
    )


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
    waiting_repeats: int = setting(
        "WAITING_REPEATS",
        whole(0, 1000),
        "How many repeats may wait at a time, in a process, for the request they repeat (AMS). "
        "Each of them holds a thread, 3 seconds at most.",
        default=2,
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
        "same answer; a repeat of any further one is decided anew.",
        default="10000 per day",
    )
    limiter_storage: str | None = setting(
        "LIMITER_STORAGE",
        Reader("a storage URI of Flask-Limiter", _parse_url),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplianceSettings:
    """What the other settings are held to."""

    profile: Profile = setting(
        "PROFILE",
        one_of(Profile),
        "The standard below which no setting may be: 'nist' is SP 800-63B-4, 'psd2' the regulation "
        "(EU) 2018/389.",
        default="none",
    )


GROUPS: Final[tuple[type, ...]] = (
    SigningSettings,
    CodeSettings,
    StoreSettings,
    StoreOptions,
    MessageSettings,
    Policy,
    TrafficSettings,
    ComplianceSettings,
)
"""All groups that belong to no protocol, in the order of the documentation."""
