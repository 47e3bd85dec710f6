"""What the kit knows of an endpoint: its TOML file, read and checked as a whole."""

from __future__ import annotations

import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from flask_otp_mpp.conformance.case import GOOGLE, Need, Wire
from flask_otp_mpp.conformance.credentials import (
    associations,
    at_second_client,
    is_number,
    valid_users,
)
from flask_otp_mpp.conformance.google.side import GoogleSide, read_side
from flask_otp_mpp.conformance.inbox import Inbox, open_inbox
from flask_otp_mpp.conformance.toml_table import ConfigurationFault, Table
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.signing.keys import load_private_key, load_public_key

_STATES: Final = {
    "expired": Need.EXPIRED,
    "unknown": Need.UNKNOWN,
    "no_scope": Need.NO_SCOPE,
    "frozen": Need.FROZEN,
    "missing": Need.MISSING,
    "no_email": Need.NO_EMAIL,
}


@dataclass(frozen=True, slots=True)
class SignedClient:
    """A client of Alipay+ or AMS whose part the kit plays.

    :param key: its private key, by which requests are signed.
    :param acquirer: the ``acquirerId`` that it names; AMS has none.
    :param psp: the ``pspId`` that it names.
    :param token: of a valid user, given to this client only; None if there is none.
    """

    id: str
    key: RSAPrivateKey = field(repr=False)
    key_version: str
    acquirer: str = ""
    psp: str = ""
    token: Secret[str] | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the endpoint promises, in numbers.

    :param answer_seconds: within which it answers.
    :param digits: of a code.
    :param attempts: comparisons of one code.
    :param life_seconds: of a code.
    :param resend_seconds: between two messages to a user; 0 if there is no such limit.
    :param freshness_seconds: how far a request's time may be from the server's.
    """

    answer_seconds: float = 5.0
    digits: int = 6
    attempts: int = 5
    life_seconds: int = 300
    resend_seconds: int = 60
    freshness_seconds: int = 300


@dataclass(frozen=True, slots=True)
class Clock:
    """How the endpoint's clock is moved, so that nobody has to wait.

    :param command: its words; ``{seconds}`` is replaced.
    """

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint, and what is known of its users.

    :param wire: the protocol that it is asked in.
    :param base_url: scheme, host and the path below which the APIs are; the path is signed.
    :param valid: the credentials of valid users: a case takes some that no other case has.
    :param states: the credential of one user in each other state.
    :param inbox: gives the codes; None if no case can learn one.
    :param second_valid: the credentials that the second client has for the valid users, by those
        that the first one has.
    :param wallet_keys: the endpoint's public keys by version, for Alipay+ and AMS.
    :param client: None for Google.
    :param google: Google's side, see :mod:`flask_otp_mpp.conformance.google.side`; None for the
        other protocols.
    :param associations: by which Google names users that are associated; a case takes some that
        no other case has.
    :param parallel: how many cases are played at once.
    """

    wire: Wire
    base_url: str
    valid: tuple[Secret[str], ...]
    states: Mapping[Need, Secret[str]]
    inbox: Inbox | None
    limits: Limits
    parallel: int
    timeout: float
    tls: ssl.SSLContext | None
    clock: Clock | None
    email: bool
    client: SignedClient | None = None
    second_client: SignedClient | None = None
    second_valid: Mapping[str, Secret[str]] = field(default_factory=dict, repr=False)
    wallet_keys: Mapping[str, RSAPublicKey] = field(default_factory=dict)
    paths: tuple[str, str] | None = None
    google: GoogleSide | None = None
    associations: tuple[Secret[str], ...] = ()

    @property
    def prefix(self) -> str:
        """The path below which the APIs are."""
        return urlsplit(self.base_url).path.rstrip("/")

    def has(self, need: Need) -> bool:
        """Tell whether the configuration has what a case needs."""
        match need:
            case Need.NUMBER:
                return any(is_number(user.reveal()) for user in self.valid[:1])
            case Need.SECOND_USER:
                return len(self.valid) > 1
            case Need.SECOND_CLIENT:
                return self.second_client is not None or (
                    self.google is not None and self.google.second is not None
                )
            case Need.SHARED_USERS:
                return bool(self.second_valid)
            case Need.CODES:
                return self.inbox is not None
            case Need.EMAIL:
                return self.email
            case Need.ASSOCIATION:
                return bool(self.associations)
        return need in self.states


def read_target(path: Path) -> Target:
    """Read a TOML file.

    :raises ConfigurationFault: with all that is wrong with it.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationFault([f"{path}: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationFault([f"{path} is no TOML: {error}"]) from None
    return target_of(raw, path.parent)


def target_of(raw: Mapping[str, Any], folder: Path) -> Target:
    """Return what a configuration says.

    :param folder: that of relative paths.
    :raises ConfigurationFault: with all that is wrong with it.
    """
    top = Table(raw, folder)
    wire = top.choice("protocol", Wire)
    base_url = top.text("base_url")
    if base_url and not is_http(base_url):
        top.fault("base_url", "write an http or https URL")
    tokens = top.table("tokens")
    limits = top.table("limits")
    usual = Limits(freshness_seconds=60) if wire in GOOGLE else Limits()
    valid = valid_users(tokens)
    target = Target(
        wire=wire,
        base_url=base_url,
        valid=valid,
        second_valid=at_second_client(tokens, valid),
        states={
            need: Secret(tokens.text(name)) for name, need in _STATES.items() if tokens.has(name)
        },
        inbox=open_inbox(top.table("inbox")) if top.has("inbox") else None,
        limits=Limits(
            limits.number("answer_seconds", usual.answer_seconds),
            limits.whole("digits", usual.digits),
            limits.whole("attempts", usual.attempts),
            limits.whole("life_seconds", usual.life_seconds),
            limits.whole("resend_seconds", usual.resend_seconds),
            limits.whole("freshness_seconds", usual.freshness_seconds),
        ),
        parallel=top.whole("parallel", 8),
        timeout=top.number("timeout", 15.0),
        tls=_tls(top.table("tls")) if top.has("tls") else None,
        clock=Clock(top.table("clock").words("command")) if top.has("clock") else None,
        email=tokens.flag("email", default=False),
        **(_google(top, tokens, wire, folder) if wire in GOOGLE else _signed(top, wire)),
    )
    top.finish()
    return target


def is_http(url: str) -> bool:
    """Tell whether a text is an http or https URL with a host, and a port that can be."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _google(top: Table, tokens: Table, wire: Wire, folder: Path) -> dict[str, Any]:
    return {
        "google": read_side(top.raw("google"), wire, folder, top.fault),
        "associations": associations(tokens),
    }


def _signed(top: Table, wire: Wire) -> dict[str, Any]:
    keys = top.table("wallet_keys")
    found = {name: keys.read(name, load_public_key, path=True) for name in keys.names()}
    if not found:
        top.fault("wallet_keys", "name the wallet's public key by its version, such as 1 = ...")
    return {
        "client": _client(top.table("client"), wire),
        "second_client": (
            _client(top.table("second_client"), wire) if top.has("second_client") else None
        ),
        "wallet_keys": {name: key for name, key in found.items() if key is not None},
        "paths": _paths(top.table("paths")) if top.has("paths") else None,
    }


def _client(client: Table, wire: Wire) -> SignedClient | None:
    name, key = client.text("id"), client.read("private_key", load_private_key, path=True)
    alipayplus = wire is Wire.ALIPAYPLUS
    acquirer, psp = (client.text(one) if alipayplus else "" for one in ("acquirer_id", "psp_id"))
    version = client.text("key_version", "1")
    token = Secret(client.text("token")) if client.has("token") else None
    return None if key is None else SignedClient(name, key, version, acquirer, psp, token)


def _paths(paths: Table) -> tuple[str, str]:
    return paths.text("send"), paths.text("verify")


def _tls(tls: Table) -> ssl.SSLContext | None:
    """Return how the server is proven: by its authority, or by those of the system."""
    name = "ca"
    try:
        context = ssl.create_default_context(cafile=tls.path(name) if tls.has(name) else None)
        name = "certificate"
        if tls.has(name):
            context.load_cert_chain(tls.path(name), tls.path("key"))
    except OSError as error:  # ssl.SSLError is one, too
        tls.fault(name, f"can't be read: {error.strerror or error}")
        return None
    return context
