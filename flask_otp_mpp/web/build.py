"""Settings, keys and hooks are read once, into a frozen state; all faults are told at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from operator import itemgetter
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from flask import Flask
from flask_limiter import Limiter
from limits.errors import ConfigurationError as LimitsConfigurationError

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.codes import Codes
from flask_otp_mpp.core.message import Composer
from flask_otp_mpp.core.policy import Policy, UnsafePolicy
from flask_otp_mpp.core.ports import Clock, Store
from flask_otp_mpp.core.service import OtpService, Sender
from flask_otp_mpp.core.settings import PREFIX, ConfigurationError, read_settings
from flask_otp_mpp.core.users import AccessToken, Credential, User, UserLoader, Users
from flask_otp_mpp.protocols.base import Deployment, TrafficLimiter, WireProtocol
from flask_otp_mpp.signing.keys import LocalSigner, Signer, is_exposed
from flask_otp_mpp.stores import MemoryStore
from flask_otp_mpp.web.events import announce_lock
from flask_otp_mpp.web.open_store import check_store, open_store
from flask_otp_mpp.web.settings import POLICY_KEYS, SETTINGS, policy_values
from flask_otp_mpp.web.traffic import FlaskTrafficLimiter, own_limiter

logger = logging.getLogger("flask_otp_mpp")
Faults = list[tuple[str, str]]


@dataclass(slots=True)
class Hooks:
    """Collect what the host registers before it calls ``init_app``."""

    user_loaders: dict[type[Credential], UserLoader] = field(default_factory=dict)
    user_identity: Callable[..., Any] | None = None
    client_keys: dict[type[WireProtocol] | None, Callable[..., Any]] = field(default_factory=dict)
    senders: dict[Channel, Sender] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Components:
    """Hold what the host passed to ``OtpMpp`` ready made."""

    protocols: Sequence[type[WireProtocol]]
    signer: Signer | None
    store: Store | None
    limiter: Limiter | None
    clock: Clock


@dataclass(frozen=True, slots=True)
class State:
    """Hold everything that one app serves with; nothing of it changes while the app runs.

    :param public_keys: the wallet's own public keys by version; empty if a signer was passed.
    """

    protocols: tuple[WireProtocol, ...]
    service: OtpService
    store: Store
    policy: Policy
    traffic: TrafficLimiter
    body_limit: int
    public_keys: Mapping[str, RSAPublicKey]


def build(app: Flask, components: Components, hooks: Hooks) -> State:
    """Build the state of an app.

    :raises ConfigurationError: naming every fault that was found.
    """
    faults: Faults = []
    declared = [
        *SETTINGS,
        *(item for protocol in components.protocols for item in protocol.settings),
    ]
    values = read_settings(declared, app.config, faults)
    keys: Mapping[str, RSAPrivateKey] = values.get("PRIVATE_KEYS") or {}
    signer, store, limiter = components.signer, components.store, components.limiter
    if signer is None and any(protocol.signs for protocol in components.protocols):
        signer = _own_signer(values, keys, faults)
    if store is None:
        store = open_store(values, components.clock, faults)
    check_store(store, values, faults)
    if limiter is None:
        limiter = _limiter(app, values, faults)
    policy = _policy(values, faults)
    _check_hooks(values, components.protocols, hooks, faults)
    if faults or store is None or policy is None or limiter is None:
        raise ConfigurationError(faults)
    _warn(app, store)
    loaders = {kind: app.ensure_sync(hook) for kind, hook in hooks.user_loaders.items()}
    return State(
        protocols=_protocols(app, values, components, hooks, signer),
        service=OtpService(
            store=store,
            policy=policy,
            codes=Codes(values["PEPPER"], policy.digits, policy.resend),
            composer=Composer(values["WALLET_NAME"], values["DOMAIN"], values["MESSAGE"]),
            users=Users(loaders, app.ensure_sync(hooks.user_identity or identity_of)),
            senders={channel: app.ensure_sync(hook) for channel, hook in hooks.senders.items()},
            on_lock=partial(announce_lock, app),
            clock=components.clock,
        ),
        store=store,
        policy=policy,
        traffic=FlaskTrafficLimiter(
            limiter, values["ADDRESS_LIMIT"], values["CLIENT_LIMIT"], values["LIMITER_FAILURE"]
        ),
        body_limit=values["BODY_LIMIT"],
        public_keys={version: key.public_key() for version, key in keys.items()},
    )


def identity_of(user: User) -> str:
    """Name a user by what users usually have: ``get_id()``, ``id``, or being a text.

    :raises TypeError: if it has none of them; a ``user_identity`` hook is then needed.
    """
    if isinstance(user, str):
        return user
    if callable(get_id := getattr(user, "get_id", None)):
        return str(get_id())
    if (number := getattr(user, "id", None)) is not None:
        return str(number)
    raise TypeError(f"a {type(user).__name__} has no id; register @otp.user_identity")


def _own_signer(
    values: Mapping[str, Any], keys: Mapping[str, RSAPrivateKey], faults: Faults
) -> Signer | None:
    key = PREFIX + "PRIVATE_KEYS"
    if "PRIVATE_KEYS" not in values or "KEY_VERSION" not in values:
        return None
    if not keys:
        advice = "make a key with `flask otp-mpp keygen`, or pass a signer to OtpMpp"
        faults.append((key, f"is missing; {advice}"))
        return None
    version: str | None = values["KEY_VERSION"] or (next(iter(keys)) if len(keys) == 1 else None)
    if version is None or version not in keys:
        found = "is missing" if version is None else f"found {version!r}"
        choices = ", ".join(repr(listed) for listed in keys)
        faults.append((PREFIX + "KEY_VERSION", f"{found}; name the key that signs: {choices}"))
        return None
    return LocalSigner(version, keys[version])


def _policy(values: Mapping[str, Any], faults: Faults) -> Policy | None:
    arguments = policy_values(values)
    if arguments is None:
        return None
    try:
        return Policy(**arguments)
    except UnsafePolicy as unsafe:
        faults.extend((PREFIX + POLICY_KEYS[name], rule) for name, rule in unsafe.faults)
        return None


def _limiter(app: Flask, values: Mapping[str, Any], faults: Faults) -> Limiter | None:
    if "LIMITER_STORAGE" not in values or "LIMITER_STRATEGY" not in values:
        return None
    try:
        return own_limiter(app.config, values["LIMITER_STORAGE"], values["LIMITER_STRATEGY"])
    except (LimitsConfigurationError, ValueError) as fault:
        faults.append((PREFIX + "LIMITER_STORAGE", f"can't be used by Flask-Limiter: {fault}"))
        return None


def _protocols(
    app: Flask,
    values: Mapping[str, Any],
    components: Components,
    hooks: Hooks,
    signer: Signer | None,
) -> tuple[WireProtocol, ...]:
    """Configure each protocol, and see that no two of them live in one place."""
    configured: list[WireProtocol] = []
    faults: Faults = []
    for protocol in components.protocols:
        hook = hooks.client_keys.get(protocol, hooks.client_keys.get(None))
        deployment = Deployment(
            signer=signer,
            freshness=values["FRESHNESS"],
            clock=components.clock,
            client_key=None if hook is None else app.ensure_sync(hook),
            trial=app.debug or app.testing,
        )
        try:
            configured.append(protocol.configure(values, deployment))
        except ConfigurationError as error:
            faults.extend(error.faults)
    places = [(mount.prefix, known) for known in configured for mount in known.mounts]
    for (one, first), (other, second) in combinations(sorted(places, key=itemgetter(0)), 2):
        if f"{other}/".startswith(f"{one}/"):
            finding = f"{other!r} of {second.name} lies in {one!r} of {first.name}; part them"
            faults.append((f"{PREFIX}{second.name.upper()}_PREFIX", finding))
    if faults:
        raise ConfigurationError(faults)
    return tuple(configured)


def _check_hooks(
    values: Mapping[str, Any],
    protocols: Sequence[type[WireProtocol]],
    hooks: Hooks,
    faults: Faults,
) -> None:
    wanted = {kind for protocol in protocols for kind in protocol.credentials}
    for kind in sorted(wanted - hooks.user_loaders.keys(), key=lambda kind: kind.__name__):
        name = "" if kind is AccessToken else f"({kind.__name__})"
        faults.append((f"@otp.user_loader{name}", "is missing; register it before init_app"))
    if None in hooks.client_keys and len(protocols) > 1:
        advice = f"say whose keys it knows, as in @otp.client_key({protocols[0].__name__})"
        faults.append(("@otp.client_key", f"is registered for several protocols; {advice}"))
    if not hooks.senders:
        advice = "register one for each channel before init_app"
        faults.append(("@otp.sender", f"is missing; {advice}"))
    for protocol in protocols:
        for channel in protocol.channels - hooks.senders.keys():
            finding = f"is missing; {protocol.__name__} sends on no other channel"
            faults.append((f"@otp.sender(Channel.{channel.name})", finding))
        hooked = protocol in hooks.client_keys or None in hooks.client_keys
        listed = [item.name for item in protocol.settings if item.name.endswith("_CLIENTS")]
        if hooked and not listed:
            finding = "would never be asked; the keys of its callers are in its settings"
            faults.append((f"@otp.client_key({protocol.__name__})", finding))
        for name in listed:
            if not hooked and not values.get(name, True):
                advice = "list the callers' public keys, or register @otp.client_key"
                faults.append((PREFIX + name, f"is missing; {advice}"))


def _warn(app: Flask, store: Store) -> None:
    if isinstance(store, MemoryStore) and not (app.debug or app.testing):
        logger.warning(
            "'OTP_MPP_STORE': memory:// forgets counted tries on restart and is not shared between "
            "processes; use a database outside of trials"
        )
    for version, source in (app.config.get(PREFIX + "PRIVATE_KEYS") or {}).items():
        if is_exposed(source):
            logger.warning(
                "'OTP_MPP_PRIVATE_KEYS': everybody on this machine can read the file of key %r; "
                "chmod 600 it",
                version,
            )
