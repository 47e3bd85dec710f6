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

from flask_otp_mpp.audit.failure import OnFailure
from flask_otp_mpp.core.codes import MIN_PEPPER_BYTES
from flask_otp_mpp.core.message import DEFAULT_TEXT, check_template
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.readers import (
    FLAG,
    OPTIONAL_TEXT,
    Reader,
    Unreadable,
    describe,
    mapping,
    one_of,
    optional,
    optional_text,
    seconds,
    text,
    texts,
)
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.secret_files import from_file, text_or_file
from flask_otp_mpp.core.settings import setting
from flask_otp_mpp.signing.keys import load_private_key
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.web.traffic_settings import TrafficSettings

MAX_WALLET_NAME: Final = 40


class OnUnfit(StrEnum):
    """Say what becomes of an app whose store could not keep its promises."""

    REFUSE = "refuse"
    WARN = "warn"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """Whether an app serves OTP at all."""

    enabled: bool = setting(
        "ENABLED",
        FLAG,
        "Whether the app serves OTP. If false, `init_app` registers nothing, and no other setting "
        "is read.",
        default=True,
    )


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
        Reader("a URL", text_or_file),
        "Where challenges are kept: `sqlite:////path/otp.db`, another SQLAlchemy URL, `redis://…`, "
        "or `memory://` for trials; `file:/path` reads it from a file. Needed unless a store was "
        "passed to `OtpMpp`.",
        default=None,
        secret=True,
    )
    check: OnUnfit = setting(
        "STORE_CHECK",
        one_of(OnUnfit),
        "Whether an app starts if its store is not prepared, is too old, or could lose data. It is "
        "checked when the app starts to serve, not for the commands of `flask`.",
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
        "The message; may also hold {wallet} and {life}, such as `5 min` or `90 s`.",
        default=DEFAULT_TEXT,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSettings:
    """The acceptance mode."""

    trial: bool = setting(
        "TRIAL",
        FLAG,
        "Whether credentials that begin with `TRIAL_` provoke result codes, for acceptance in a "
        "sandbox. An app with clients of production starts with it only if it is in debug or "
        "testing mode.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """The audit trail: a table of decisions and operator's acts that nobody can change unseen."""

    url: str | None = setting(
        "AUDIT",
        Reader("a URL, 'store', or None", text_or_file),
        "Where decisions and operator's acts are recorded: a SQLAlchemy URL, or `store` for the "
        "database of the SQL store; `file:/path` reads it from a file. None records nothing.",
        default=None,
        secret=True,
    )
    failure: OnFailure = setting(
        "AUDIT_FAILURE",
        one_of(OnFailure),
        "What happens to an answer whose row can't be written. `closed` answers it as unforeseen, "
        "and with `store` the decision is not made. `open` sends it and writes a line into the "
        "log.",
        default="closed",
    )
    durable: bool = setting(
        "AUDIT_DURABLE",
        FLAG,
        "Whether each row waits for the database's disk. Without it a crash of the database's "
        "machine may lose rows of the last second, on SQLite and PostgreSQL; with `store` none of "
        "a verification.",
        default=False,
    )
    keep: timedelta | None = setting(
        "AUDIT_KEEP",
        optional(seconds(24 * 3600)),
        "How old rows are that `flask otp-mpp audit purge` deletes. None keeps all.",
        default=None,
    )


GROUPS: Final[tuple[type, ...]] = (
    ServingSettings,
    SigningSettings,
    CodeSettings,
    StoreSettings,
    StoreOptions,
    MessageSettings,
    Policy,
    TrafficSettings,
    ComplianceSettings,
    TrialSettings,
    AuditSettings,
)
"""All groups that belong to no protocol, in the order of the documentation."""
