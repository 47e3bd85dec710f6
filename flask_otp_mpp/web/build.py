"""The state of an app: what was configured and registered, read once, checked and put together.

A fault hides no other one: all steps are taken, and all faults are raised in one error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from flask import Flask
from flask_limiter import Limiter
from limits.errors import ConfigurationError as LimitsConfigurationError

from flask_otp_mpp.core.codes import Codes
from flask_otp_mpp.core.message import Composer
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock, Store
from flask_otp_mpp.core.service import OtpService
from flask_otp_mpp.core.settings import (
    PREFIX,
    ConfigurationError,
    Faults,
    key_of,
    read_group,
    report_unknown,
    settings_of,
)
from flask_otp_mpp.core.users import User, Users
from flask_otp_mpp.protocols.base import Deployment, Mount, TrafficLimiter, WireProtocol
from flask_otp_mpp.signing.keys import LocalSigner, Signer, is_exposed
from flask_otp_mpp.stores import MemoryStore
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.web.events import announce_lock
from flask_otp_mpp.web.hooks import Hooks, check_hooks, loader_use, make_sync
from flask_otp_mpp.web.open_store import check_store, open_store
from flask_otp_mpp.web.settings import (
    GROUPS,
    CodeSettings,
    MessageSettings,
    SigningSettings,
    StoreSettings,
    TrafficSettings,
)
from flask_otp_mpp.web.traffic import FlaskTrafficLimiter, own_limiter

logger = logging.getLogger("flask_otp_mpp")


@dataclass(frozen=True, slots=True)
class Components:
    """Hold what the host passed to ``OtpMpp`` ready made."""

    protocols: Sequence[type[WireProtocol]]
    signer: Signer | None
    store: Store | None
    policy: Policy | None
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


class _NoSigner:
    """Stand in for a signer that is at fault or not needed, so that protocols can be checked."""

    version = ""

    def sign(self, data: bytes) -> bytes:
        raise RuntimeError("there is no key to sign by")


def build(app: Flask, components: Components, hooks: Hooks) -> State:
    """Build the state of an app.

    :raises ConfigurationError: naming every fault that was found.
    """
    faults: Faults = []
    config, classes = app.config, components.protocols
    report_unknown(config, [*GROUPS, *(protocol.settings for protocol in classes)], faults)
    signing = read_group(SigningSettings, config, faults)
    codes = read_group(CodeSettings, config, faults)
    storing = read_group(StoreSettings, config, faults)
    options = read_group(StoreOptions, config, faults)
    messages = read_group(MessageSettings, config, faults)
    policy = _policy(config, components.policy, faults)
    traffic = read_group(TrafficSettings, config, faults)
    settings = [read_group(protocol.settings, config, faults) for protocol in classes]

    own_keys = {version: key.public_key() for version, key in signing.private_keys.items()}
    signer = components.signer
    if signer is None and any(protocol.signs for protocol in classes):
        signer = _own_signer(config, signing, faults)
    store, limiter = components.store, components.limiter
    if store is None:
        store = open_store(storing, options, components.clock, faults)
    check_store(store, storing, faults)
    if limiter is None:
        limiter = _limiter(config, traffic, faults)
    check_hooks(classes, settings, hooks, faults)
    protocols: list[WireProtocol] = []
    for protocol, group in zip(classes, settings, strict=True):
        _check_clients(protocol, group, own_keys, faults)
        deployment = Deployment(
            signer=signer or _NoSigner(),
            freshness=traffic.freshness,
            clock=components.clock,
            client_key=_client_key(app, protocol, hooks, faults),
            trial=app.debug or app.testing,
        )
        try:
            protocols.append(protocol.configure(group, deployment))
        except ConfigurationError as error:
            faults.extend(error.faults)
    _check_mounts(protocols, faults)
    loaders = {
        kind: make_sync(app, hook, loader_use(kind), faults)
        for kind, hook in hooks.user_loaders.items()
    }
    senders = {
        channel: make_sync(app, hook, f"@otp.sender(Channel.{channel.name})", faults)
        for channel, hook in hooks.senders.items()
    }
    identify = make_sync(
        app, hooks.user_identity.get(None, identity_of), "@otp.user_identity", faults
    )
    if faults or store is None or limiter is None:
        raise ConfigurationError(faults)

    _warn(app, store)
    return State(
        protocols=tuple(protocols),
        service=OtpService(
            store=store,
            policy=policy,
            codes=Codes(codes.peppers, policy.digits, policy.resend),
            composer=Composer(messages.wallet_name, messages.domain, messages.template),
            users=Users(loaders, identify),
            senders=senders,
            on_lock=partial(announce_lock, app),
            clock=components.clock,
        ),
        store=store,
        policy=policy,
        traffic=FlaskTrafficLimiter(
            limiter, traffic.address_limits, traffic.client_limits, traffic.limiter_failure
        ),
        body_limit=traffic.body_limit,
        public_keys=own_keys,
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


def _policy(config: Mapping[str, Any], given: Policy | None, faults: Faults) -> Policy:
    if given is None:
        return read_group(Policy, config, faults)
    for name in settings_of(Policy):
        if (key := key_of(Policy, name)) in config:
            finding = "is set, and OtpMpp was given policy=; remove the one or the other"
            faults.append((key, finding))
    return given


def _own_signer(
    config: Mapping[str, Any], signing: SigningSettings, faults: Faults
) -> Signer | None:
    """Return what signs by the configured key; what can't be told of it is left to other faults."""
    keys_key = key_of(SigningSettings, "private_keys")
    version_key = key_of(SigningSettings, "key_version")
    listed = config.get(keys_key)
    if not isinstance(listed, Mapping):
        if keys_key not in dict(faults):
            advice = "make a key with `flask otp-mpp keygen`, or pass a signer to OtpMpp"
            faults.append((keys_key, f"is missing; {advice}"))
        return None
    versions = [str(version) for version in listed]
    version = signing.key_version
    if version is None and len(versions) == 1:
        version = versions[0]
    if version not in versions and version_key not in dict(faults):
        found = "is missing" if version is None else f"found {version!r}"
        choices = ", ".join(repr(version) for version in versions)
        faults.append((version_key, f"{found}; name the key that signs: {choices}"))
    if version is None or version not in signing.private_keys:
        return None
    return LocalSigner(version, signing.private_keys[version])


def _limiter(
    config: Mapping[str, Any], settings: TrafficSettings, faults: Faults
) -> Limiter | None:
    try:
        return own_limiter(config, settings.limiter_storage, settings.limiter_strategy)
    except (LimitsConfigurationError, ValueError) as fault:
        uri = settings.limiter_storage or str(config.get("RATELIMIT_STORAGE_URI"))
        told = str(fault).replace(uri, f"{uri.partition('://')[0]}://…")  # it may hold a password
        key = key_of(TrafficSettings, "limiter_storage")
        faults.append((key, f"can't be used by Flask-Limiter: {told}"))
        return None


def _client_key(
    app: Flask, protocol: type[WireProtocol], hooks: Hooks, faults: Faults
) -> Any | None:
    hook = hooks.client_key(protocol)
    if hook is None:
        return None
    return make_sync(app, hook, f"@otp.client_key({protocol.__name__})", faults)


def _check_clients(
    protocol: type[WireProtocol],
    settings: object,
    own_keys: Mapping[str, RSAPublicKey],
    faults: Faults,
) -> None:
    """See that no client has the wallet's own key, by which anybody's answer would be a request."""
    if protocol.clients is None:
        return
    own = {key.public_numbers().n for key in own_keys.values()}
    clients: Mapping[str, Mapping[str, RSAPublicKey]] = getattr(settings, protocol.clients)
    for client, keys in clients.items():
        for version, key in keys.items():
            if key.public_numbers().n in own:
                finding = (
                    f"key {version!r} of client {client!r} is the wallet's own public key; "
                    "list the caller's"
                )
                faults.append((key_of(protocol.settings, protocol.clients), finding))


def _check_mounts(protocols: Sequence[WireProtocol], faults: Faults) -> None:
    """See that no mount lies within another one."""
    mounts = [(mount, protocol.name) for protocol in protocols for mount in protocol.mounts]

    def prefix(placed: tuple[Mount, str]) -> str:
        return placed[0].prefix

    for (outer, outer_name), (inner, inner_name) in combinations(sorted(mounts, key=prefix), 2):
        if f"{inner.prefix}/".startswith(f"{outer.prefix}/"):
            finding = (
                f"{inner.prefix!r} of {inner_name} lies in {outer.prefix!r} of {outer_name}; "
                "part them"
            )
            faults.append((inner.setting, finding))


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
