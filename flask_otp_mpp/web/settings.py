"""Every OTP_MPP_* key that belongs to no protocol is declared here, once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from limits import RateLimitItem, parse_many
from limits.strategies import STRATEGIES

from flask_otp_mpp.core import settings as config
from flask_otp_mpp.core.codes import MIN_PEPPER_BYTES
from flask_otp_mpp.core.message import DEFAULT_TEXT, check_template
from flask_otp_mpp.core.policy import Resend, SendLimit
from flask_otp_mpp.core.settings import Setting
from flask_otp_mpp.signing.keys import load_private_key
from flask_otp_mpp.web.store_settings import STORE_SETTINGS

MAX_FRESHNESS: Final = timedelta(minutes=15)
MAX_BODY: Final = 1024 * 1024
MAX_WALLET_NAME: Final = 40


class OnLimiterFailure(StrEnum):
    """Say what happens to a request whose rate limit can't be looked up."""

    CLOSED = "closed"
    OPEN = "open"


def _private_keys(raw: object) -> dict[str, RSAPrivateKey] | None:
    if raw is None:
        return None
    keys: dict[str, RSAPrivateKey] = {}
    for version, source in config.mapping(raw).items():
        try:
            keys[version] = load_private_key(config.text(source))
        except ValueError as fault:
            raise ValueError(f"the key of version {version!r} {fault}") from None
    return keys


def _peppers(raw: object) -> tuple[bytes, ...]:
    peppers = tuple(text.encode() for text in config.texts(raw))
    if any(len(pepper) < MIN_PEPPER_BYTES for pepper in peppers):
        raise ValueError(
            f"is too short; use {MIN_PEPPER_BYTES} bytes or more, such as those of: "
            "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    return peppers


def _wallet_name(raw: object) -> str:
    name = config.text(raw)
    if len(name) > MAX_WALLET_NAME or not name.isprintable():
        raise ValueError(f"must be at most {MAX_WALLET_NAME} printable characters")
    return name


def _domain(raw: object) -> str | None:
    domain = config.optional_text(raw)
    if domain is not None and not all(
        label.isidentifier() or label.replace("-", "a").isalnum() for label in domain.split(".")
    ):
        raise ValueError("must be a bare host name such as 'wallet.example'")
    return domain


def _limits(raw: object) -> tuple[RateLimitItem, ...]:
    """Read a limit string; Flask-Limiter itself would ignore a malformed one."""
    if raw in (None, ""):
        return ()
    try:
        return tuple(parse_many(config.text(raw)))
    except ValueError:
        raise ValueError(
            "is no limit string; write it like '5 per 10 minutes; 10 per day'"
        ) from None


def _send_limits(raw: object) -> tuple[SendLimit, ...]:
    return tuple(
        SendLimit(item.amount, timedelta(seconds=item.get_expiry())) for item in _limits(raw)
    )


def _strategy(raw: object) -> str:
    if raw in STRATEGIES:
        return str(raw)
    raise ValueError(f"is no strategy of Flask-Limiter; use one of {', '.join(STRATEGIES)}")


def _freshness(raw: object) -> timedelta:
    window = config.seconds(raw)
    if not timedelta(seconds=30) <= window <= MAX_FRESHNESS:
        raise ValueError(f"must be 30 to {int(MAX_FRESHNESS.total_seconds())} s")
    return window


def _body_limit(raw: object) -> int:
    limit = config.whole(raw)
    if not 1024 <= limit <= MAX_BODY:
        raise ValueError(f"must be 1024 to {MAX_BODY} bytes")
    return limit


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "PRIVATE_KEYS",
        _private_keys,
        "a mapping of key version to private key",
        "The wallet's own keys: PEM, one line of base64, or a file's path. Needed for Alipay+ and "
        "AMS, unless a signer was passed to `OtpMpp`.",
        None,
    ),
    Setting(
        "KEY_VERSION",
        config.optional_text,
        "a text",
        "The version that signs answers. Needed if there are several keys.",
        None,
    ),
    Setting(
        "PEPPER",
        _peppers,
        "a text of 32 bytes or more, or a list of them",
        "The secret under which codes are digested; keep it outside the database. In a list the "
        "first digests, the others still recognise codes that are out.",
    ),
    *STORE_SETTINGS,
    Setting("WALLET_NAME", _wallet_name, "a text", "The name by which users know the wallet."),
    Setting(
        "DOMAIN",
        _domain,
        "a host name, or None",
        "If set, messages end with `@domain #code`, so that a phone offers the code to that site "
        "only.",
        None,
    ),
    Setting(
        "MESSAGE",
        lambda raw: check_template(config.text(raw)),
        "a text with {code}",
        "The message; may also hold {wallet} and {minutes}.",
        DEFAULT_TEXT,
    ),
    Setting("CODE_DIGITS", config.whole, "6 to 10", "The length of a code.", 6),
    Setting("CODE_LIFE", config.seconds, "seconds, 30 to 600", "How long a code is accepted.", 300),
    Setting("CODE_TRIES", config.whole, "1 to 5", "How many tries one code has.", 5),
    Setting(
        "RESEND",
        config.one_of(Resend),
        "'rotate' or 'reuse'",
        "Whether a new send kills the open code, or sends the same one again.",
        "rotate",
    ),
    Setting(
        "COOL_DOWN",
        config.seconds,
        "seconds, at most 28800",
        "The pause between two sends to one user and channel.",
        60,
    ),
    Setting(
        "SEND_LIMITS",
        _send_limits,
        "a limit string",
        "How many sends one user and channel may have; at least 3 a day.",
        "5 per 10 minutes; 10 per day",
    ),
    Setting(
        "FAILURE_LIMIT",
        config.whole,
        "1 to 100",
        "How many wrong codes in a row, over all challenges, lock the user.",
        10,
    ),
    Setting(
        "FIRST_LOCK",
        config.seconds,
        "seconds, 60 or more",
        "The length of the first lock; each further one is twice as long.",
        900,
    ),
    Setting("LONGEST_LOCK", config.seconds, "seconds", "Where the doubling of locks ends.", 86400),
    Setting(
        "FORGET_AFTER",
        config.seconds,
        "seconds, 86400 or more",
        "The quiet time after which failures and locks are forgotten.",
        86400,
    ),
    Setting(
        "RETENTION",
        config.seconds,
        "seconds, 1200 or more",
        "How long a dead challenge is kept before `flask otp-mpp purge` deletes it.",
        86400,
    ),
    Setting(
        "FRESHNESS",
        _freshness,
        "seconds, 30 to 900",
        "How far a request's time may be from now, either way.",
        300,
    ),
    Setting("BODY_LIMIT", _body_limit, "bytes", "The longest request body.", 16384),
    Setting(
        "ADDRESS_LIMIT",
        _limits,
        "a limit string, or ''",
        "The traffic of one network address, counted before the signature is checked.",
        "6000 per minute",
    ),
    Setting(
        "CLIENT_LIMIT",
        _limits,
        "a limit string, or ''",
        "The traffic of one client, counted after its signature was found good.",
        "6000 per minute",
    ),
    Setting(
        "LIMITER_STORAGE",
        config.optional_text,
        "a storage URI of Flask-Limiter",
        "Where traffic is counted; RATELIMIT_STORAGE_URI if it is None, and `memory://` if that is "
        "not set either.",
        None,
    ),
    Setting(
        "LIMITER_STRATEGY",
        _strategy,
        "a strategy of Flask-Limiter",
        "How traffic is counted.",
        "fixed-window",
    ),
    Setting(
        "LIMITER_FAILURE",
        config.one_of(OnLimiterFailure),
        "'closed' or 'open'",
        "Whether a request is refused or let through when traffic can't be counted.",
        "closed",
    ),
)

# Which setting a field of Policy comes from, to name the key when the policy is unsafe.
POLICY_KEYS: Final[Mapping[str, str]] = {
    "digits": "CODE_DIGITS",
    "life": "CODE_LIFE",
    "tries": "CODE_TRIES",
    "resend": "RESEND",
    "cool_down": "COOL_DOWN",
    "send_limits": "SEND_LIMITS",
    "failure_limit": "FAILURE_LIMIT",
    "first_lock": "FIRST_LOCK",
    "longest_lock": "LONGEST_LOCK",
    "forget_after": "FORGET_AFTER",
    "retention": "RETENTION",
}


def policy_values(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Pick the arguments of Policy; None if one of them could not be read."""
    if any(name not in values for name in POLICY_KEYS.values()):
        return None
    return {field: values[name] for field, name in POLICY_KEYS.items()}
