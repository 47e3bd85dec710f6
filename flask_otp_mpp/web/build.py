"""The state of an app: what was configured and registered, read once, checked and put together.

A fault hides no other one: all steps are taken, and all faults are raised in one error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from flask import Flask

from flask_otp_mpp.core.at_work import RequestsAtWork
from flask_otp_mpp.core.bulkhead import deliveries as delivery_bulkhead
from flask_otp_mpp.core.clock_skew import ClockSkew
from flask_otp_mpp.core.codes import Codes
from flask_otp_mpp.core.guarded_store import GuardedStore
from flask_otp_mpp.core.message import Composer
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.service import OtpService, Sender
from flask_otp_mpp.core.settings import (
    ConfigurationError,
    Faults,
    key_of,
    read_group,
    report_unknown,
    settings_of,
)
from flask_otp_mpp.core.users import Users, identity_of
from flask_otp_mpp.protocols.base import Deployment, WireProtocol
from flask_otp_mpp.protocols.values import Act, Mount
from flask_otp_mpp.signing.budget import SigningBudget
from flask_otp_mpp.signing.key_operations import CountedSigner, KeyOperations
from flask_otp_mpp.stores import MemoryStore
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.web.audit import key_prints, open_trail, recent_events
from flask_otp_mpp.web.capacity import capacity_of
from flask_otp_mpp.web.check_hooks import check_hooks
from flask_otp_mpp.web.events import announce_act, announce_key_change, announce_lock
from flask_otp_mpp.web.exposed_files import warn_of_exposed_files
from flask_otp_mpp.web.faulty_state import FaultyState
from flask_otp_mpp.web.hooks import Hooks, sync_hooks
from flask_otp_mpp.web.limiter import open_limiter
from flask_otp_mpp.web.open_store import check_store, is_command, open_store
from flask_otp_mpp.web.own_keys import NoSigner, check_clients, own_signer
from flask_otp_mpp.web.settings import (
    GROUPS,
    CodeSettings,
    ComplianceSettings,
    MessageSettings,
    Profile,
    ServingSettings,
    SigningSettings,
    StoreSettings,
    TrialSettings,
)
from flask_otp_mpp.web.state import Components, State
from flask_otp_mpp.web.support import SupportHooks
from flask_otp_mpp.web.traffic import FlaskRefusalQuota, FlaskTrafficLimiter, LimiterCounts
from flask_otp_mpp.web.traffic_settings import TrafficSettings

if TYPE_CHECKING:
    from flask_otp_mpp.audit.trail import AuditTrail

logger = logging.getLogger("flask_otp_mpp")


def build(app: Flask, components: Components, hooks: Hooks) -> State | FaultyState:
    """Build the state of an app.

    :raises ConfigurationError: naming every fault that was found, unless a command loads the app.
    """
    faults: Faults = []
    classes = components.protocols  # app.config gets no name: error reports show locals
    report_unknown(app.config, [*GROUPS, *(protocol.settings for protocol in classes)], faults)
    read_group(ServingSettings, app.config, faults)
    signing = read_group(SigningSettings, app.config, faults)
    codes = read_group(CodeSettings, app.config, faults)
    storing = read_group(StoreSettings, app.config, faults)
    options = read_group(StoreOptions, app.config, faults)
    messages = read_group(MessageSettings, app.config, faults)
    policy = _policy(app.config, components.policy, faults)
    traffic = read_group(TrafficSettings, app.config, faults)
    compliance = read_group(ComplianceSettings, app.config, faults)
    trial = read_group(TrialSettings, app.config, faults).trial
    debugging = app.debug or app.testing
    settings = [read_group(protocol.settings, app.config, faults) for protocol in classes]

    own_keys = {version: key.public_key() for version, key in signing.private_keys.items()}
    check_clients(classes, settings, own_keys, faults)
    signer, store, limiter = components.signer, components.store, components.limiter
    if signer is None:
        needed = any(protocol.signs for protocol in classes)
        signer = own_signer(app.config, signing, faults) if needed else NoSigner()
    if store is None:
        store = open_store(storing, options, components.clock, faults)
    check_store(store, storing, faults)
    if limiter is None:
        limiter = open_limiter(app.config, traffic, faults)
    check_hooks(classes, settings, hooks, faults)
    registered, hooks = hooks, sync_hooks(app, hooks, faults)
    skew, key_operations = ClockSkew(), KeyOperations()
    deployment = partial(
        Deployment,
        signer=CountedSigner(signer, key_operations),
        freshness=traffic.freshness,
        clock=components.clock,
        insecure_allowed=debugging,
        budget=SigningBudget(),
        skew=skew,
        key_operations=key_operations,
    )
    protocols = _open_protocols(classes, settings, hooks, deployment, faults)
    _check_mounts(protocols, faults)
    if compliance.profile is not Profile.NONE:
        from flask_otp_mpp.web.profiles import Configuration, check_profile  # noqa: PLC0415 - rare

        found = Configuration(
            policy=policy,
            policy_given=components.policy is not None,
            channels=hooks.senders.keys(),
            store=store,
            storing=storing,
            options=options,
            debugging=debugging,
        )
        check_profile(compliance.profile, found, faults)
    make_codes, make_users, deliver = _makers(trial=trial)
    if trial and not debugging:
        from flask_otp_mpp.web.trial import check_trial  # noqa: PLC0415 - rare

        check_trial(protocols, hooks, faults)
    capacity = capacity_of(traffic)
    trail = open_trail(
        app,
        store,
        options,
        faults,
        peppers=codes.peppers,
        prints=key_prints(own_keys, protocols),
        on_change=partial(announce_key_change, app),
        threads=capacity.for_service,
    )
    support_hooks = _support_hooks(app, trail)
    if faults or store is None or limiter is None:
        if not is_command():
            raise ConfigurationError(faults)
        return FaultyState(
            faults,
            protocols=tuple(protocols),
            store=store,
            policy=policy,
            body_limit=traffic.body_limit,
            ipv6_prefix=traffic.address_ipv6_prefix,
            host_limits=traffic.host_limits,
            public_keys=own_keys,
            clock=components.clock,
            support_hooks=support_hooks,
            debug=app.debug,
            components=components,
            hooks=registered,
            audit=trail,
        )

    counts = LimiterCounts(
        limiter, str(app.config.get("RATELIMIT_KEY_PREFIX") or ""), capacity.for_service
    )
    guarded_store, deliveries = (
        GuardedStore(store, capacity.for_service),
        delivery_bulkhead(capacity.deliveries),
    )
    _warn(app.config, store, trial=trial, debugging=debugging)
    return State(
        protocols=tuple(protocols),
        service=OtpService(
            store=guarded_store,
            policy=policy,
            codes=make_codes(codes.peppers, policy.digits, policy.resend),
            composer=Composer(messages.wallet_name, messages.domain, messages.template),
            users=make_users(hooks.user_loaders, hooks.user_identity.get(None, identity_of)),
            senders={channel: deliver(sender) for channel, sender in hooks.senders.items()},
            on_lock=partial(announce_lock, app),
            at_work=RequestsAtWork(capacity.repeats, traffic.waiting_repeats_of_client),
            deliveries=deliveries,
            quota=FlaskRefusalQuota(counts, traffic.refusal_limits),
        ),
        store=store,
        policy=policy,
        traffic=FlaskTrafficLimiter(
            counts, traffic.address_limits, traffic.client_limits, traffic.limiter_failure
        ),
        body_limit=traffic.body_limit,
        ipv6_prefix=traffic.address_ipv6_prefix,
        host_limits=traffic.host_limits,
        public_keys=own_keys,
        skew=skew,
        clock=components.clock,
        support_hooks=support_hooks,
        debug=app.debug,
        components=components,
        hooks=registered,
        deliveries=deliveries,
        guarded_store=guarded_store,
        limiter=counts,
        key_operations=key_operations,
        audit=trail,
    )


def _open_protocols(
    classes: Sequence[type[WireProtocol]],
    settings: Sequence[Any],
    hooks: Hooks,
    deployment: Callable[..., Deployment],
    faults: Faults,
) -> Sequence[WireProtocol]:
    """Make the protocols that can be served; what is wrong with others is added to the faults."""
    protocols = []
    for protocol, group in zip(classes, settings, strict=True):
        try:
            protocols.append(protocol(group, deployment(client_key=hooks.client_key(protocol))))
        except ConfigurationError as error:
            faults.extend(error.faults)
    return protocols


def _makers(*, trial: bool) -> tuple[type[Codes], type[Users], Callable[[Sender], Sender]]:
    """Return what makes the codes, the users and the senders of an app."""
    if not trial:
        return Codes, Users, lambda sender: sender
    from flask_otp_mpp.web.trial import TrialCodes, TrialUsers, trial_sender  # noqa: PLC0415 - rare

    return TrialCodes, TrialUsers, trial_sender


def _support_hooks(app: Flask, trail: AuditTrail | None) -> SupportHooks:
    """Return what operators' acts are told to, and where recent events are read."""

    def announce(act: str, subject: str, changed: bool) -> None:  # noqa: FBT001 - as it is called
        announce_act(app, Act(act), subject, count=int(changed))

    return SupportHooks(announce, None if trail is None else recent_events(trail))


def _warn(config: Mapping[str, Any], store: Store, *, trial: bool, debugging: bool) -> None:
    """Warn of secrets that others can read, and of what serves for trials only."""
    warn_of_exposed_files(config, store)
    if isinstance(store, MemoryStore) and not debugging:
        logger.warning(
            "'OTP_MPP_STORE': memory:// forgets counted tries on restart and is not shared between "
            "processes; use a database outside of trials"
        )
    if trial:
        logger.warning(
            "'OTP_MPP_TRIAL' is on: every client can use credentials that begin with TRIAL_; "
            "use it for acceptance in a sandbox only"
        )


def _policy(config: Mapping[str, Any], given: Policy | None, faults: Faults) -> Policy:
    if given is None:
        return read_group(Policy, config, faults)
    for name in settings_of(Policy):
        if (key := key_of(Policy, name)) in config:
            finding = "is set, and OtpMpp was given policy=; remove the one or the other"
            faults.append((key, finding))
    return given


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
