"""Alipay+ and AMS sign alike; the settings and codes that they have in common are said once.

A protocol adds what is its own: fields, names of codes, settings beside these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.core import settings as config
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.core.settings import PREFIX, ConfigurationError, Setting
from flask_otp_mpp.protocols.base import CodeRow, Mount, Operation
from flask_otp_mpp.signing.keys import load_public_key

SEND: Final = frozenset({Operation.SEND})
VERIFY: Final = frozenset({Operation.VERIFY})
BOTH: Final = SEND | VERIFY

SUCCESS: Final = CodeRow("SUCCESS", "S", "Success", BOTH)


def row(
    code: str, message: str, operations: frozenset[Operation] = BOTH, status: str = "F"
) -> CodeRow:
    """Write one line of a code table; most codes are final failures of both operations."""
    return CodeRow(code, status, message, operations)


_ILLEGAL: Final = row("PARAM_ILLEGAL", "A parameter breaks its rule.")
_DENIED: Final = row("ACCESS_DENIED", "The request is not allowed.")
_UNKNOWN: Final = row("UNKNOWN_EXCEPTION", "The result is not known. Try again.", status="U")

COMMON_CODES: Final[Mapping[Reason, CodeRow]] = {
    Reason.METHOD_UNSUPPORTED: row("METHOD_NOT_SUPPORTED", "Use the method POST."),
    Reason.MEDIA_TYPE_UNSUPPORTED: row(
        "MEDIA_TYPE_NOT_ACCEPTABLE", "The body must be JSON in UTF-8."
    ),
    Reason.BODY_TOO_LARGE: row("PARAM_ILLEGAL", "body: is longer than is read here."),
    Reason.FIELD_INVALID: _ILLEGAL,
    Reason.KEY_UNKNOWN: row("KEY_NOT_FOUND", "The client has no key of this version."),
    Reason.ENCRYPTION_INVALID: _ILLEGAL,
    Reason.REQUEST_STALE: _DENIED,
    Reason.ACCESS_DENIED: _DENIED,
    Reason.TRAFFIC_EXCEEDED: row(
        "REQUEST_TRAFFIC_EXCEED_LIMIT", "Too many requests. Try again later.", status="U"
    ),
    Reason.USER_MISSING: row("USER_NOT_EXIST", "There is no such user."),
    Reason.USER_ABNORMAL: row("USER_STATUS_ABNORMAL", "The user's account is barred."),
    Reason.DELIVERY_REFUSED: row(
        "PROCESS_FAIL", "The message was refused for good. Do not retry.", SEND
    ),
    Reason.PROCESS_FAILED: row("PROCESS_FAIL", "The request failed. Do not retry."),
    Reason.REQUEST_PENDING: _UNKNOWN,
    Reason.REQUEST_CONFLICT: _ILLEGAL,
    Reason.UNFORESEEN: _UNKNOWN,
}
"""What both protocols answer in the same words."""


def clients_setting(name: str, signers: str) -> Setting:
    """Declare the setting for the keys of a protocol's callers.

    :param name: the protocol's, in upper case, before each of its settings.
    :param signers: who they are.
    """
    return Setting(
        f"{name}_CLIENTS",
        _read_clients,
        "a mapping of client id to a mapping of key version to public key",
        f"The keys that {signers} with: PEM, one line of base64, or a file's path. "
        "Needed unless a `client_key` hook knows them.",
        None,
    )


def mount_settings(name: str, default: str, what: str, callers: str) -> tuple[Setting, Setting]:
    """Declare the settings for one place where a protocol lives.

    :param what: what lies there, and ``callers`` who calls it.
    """
    return (
        Setting(
            f"{name}_PREFIX", config.path, "a URL path", f"Where in the Flask app {what}.", default
        ),
        Setting(
            f"{name}_PUBLIC_PREFIX",
            lambda raw: None if raw is None else config.path(raw),
            "a URL path, or None",
            f"The same as {callers} it, if a proxy rewrites paths.",
            None,
        ),
    )


def path_settings(name: str, send: str, verify: str) -> tuple[Setting, Setting]:
    """Declare the settings for the paths of a protocol's two APIs, whose names these are."""
    return (
        Setting(
            f"{name}_SEND_PATH",
            config.path,
            "a URL path",
            f"The path of {send} below the prefix.",
            f"/{send}",
        ),
        Setting(
            f"{name}_VERIFY_PATH",
            config.path,
            "a URL path",
            f"The path of {verify} below the prefix.",
            f"/{verify}",
        ),
    )


def mount_at(prefix: str, public_prefix: str | None) -> Mount:
    """Return a place, which callers see where it is unless another public prefix is given."""
    return Mount(prefix, prefix if public_prefix is None else public_prefix)


def check_paths(name: str, values: Mapping[str, Any]) -> None:
    """See that the two APIs of a protocol do not lie on one path.

    :raises ConfigurationError: if they do: the second one would never be reached.
    """
    if values[f"{name}_SEND_PATH"] == values[f"{name}_VERIFY_PATH"]:
        finding = f"is the same as {PREFIX}{name}_SEND_PATH; each API needs one of its own"
        raise ConfigurationError([(f"{PREFIX}{name}_VERIFY_PATH", finding)])


def _read_clients(raw: object) -> dict[str, dict[str, RSAPublicKey]]:
    clients: dict[str, dict[str, RSAPublicKey]] = {}
    if raw is None:
        return clients
    for client, keys in config.mapping(raw).items():
        clients[client] = {}
        for version, source in config.mapping(keys).items():
            try:
                clients[client][version] = load_public_key(config.text(source))
            except ValueError as fault:
                raise ValueError(f"key {version!r} of client {client!r} {fault}") from None
    return clients
