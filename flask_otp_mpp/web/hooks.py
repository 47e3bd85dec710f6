"""The hooks of a host: registering them, and seeing whether all that are needed are there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Flask

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.settings import Faults, key_of
from flask_otp_mpp.core.users import AccessToken, Credential
from flask_otp_mpp.protocols.base import WireProtocol

H = TypeVar("H", bound=Callable[..., Any])


@dataclass(slots=True)
class Hooks:
    """Collect what the host registers before it calls ``init_app``."""

    user_loaders: dict[type[Credential], Callable[..., Any]] = field(default_factory=dict)
    user_identity: dict[None, Callable[..., Any]] = field(default_factory=dict)
    client_keys: dict[type[WireProtocol] | None, Callable[..., Any]] = field(default_factory=dict)
    senders: dict[Channel, Callable[..., Any]] = field(default_factory=dict)

    def client_key(self, protocol: type[WireProtocol]) -> Callable[..., Any] | None:
        """Return the hook that knows keys of a protocol's clients, if there is one."""
        return self.client_keys.get(protocol, self.client_keys.get(None))


def register(registry: dict[Any, Any], key: object, hook: H, use: str, *arguments: str) -> H:
    """Add a hook to those that were registered before.

    :param use: how a host registers it, for errors: ``@otp.sender(Channel.MOBILE)``.
    :param arguments: the names of what it is called with.
    :raises RuntimeError: if another one is registered there.
    :raises TypeError: if it can't be called with these arguments.
    """
    if key in registry:
        known = name_of(registry[key])
        raise RuntimeError(
            f"{use} has the hook {known!r} already, which {name_of(hook)!r} would replace; "
            "register one of them"
        )
    wanted = ", ".join(arguments)
    if not callable(hook):
        raise TypeError(f"{use} got {hook!r}; give it a function of ({wanted})")
    try:
        signature = inspect.signature(hook)
    except (TypeError, ValueError):  # a builtin may have none
        signature = inspect.Signature([inspect.Parameter("any", inspect.Parameter.VAR_POSITIONAL)])
    try:
        signature.bind(*arguments)
    except TypeError:
        raise TypeError(
            f"hook {name_of(hook)!r} takes {signature}, and {use} calls it with ({wanted}); "
            "change its parameters"
        ) from None
    registry[key] = hook
    return hook


def name_of(hook: object) -> str:
    """Return the name of a hook, for errors."""
    return str(getattr(hook, "__name__", type(hook).__name__))


def loader_use(kind: type[Credential]) -> str:
    """Return how a host registers a loader, for errors."""
    return "@otp.user_loader" if kind is AccessToken else f"@otp.user_loader({kind.__name__})"


def sender_use(channel: Channel) -> str:
    """Return how a host registers a sender, for errors."""
    return f"@otp.sender(Channel.{channel.name})"


def client_key_use(protocol: type[WireProtocol] | None) -> str:
    """Return how a host registers a hook for keys, for errors."""
    return "@otp.client_key" + ("" if protocol is None else f"({protocol.__name__})")


def sync_hooks(app: Flask, hooks: Hooks, faults: Faults) -> Hooks:
    """Return hooks that can be called without a loop, the async ones through the app's own means.

    What is missing for that is added to the faults.
    """

    def sync(use: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return app.ensure_sync(hook)
        except RuntimeError:
            finding = f"has the async hook {name_of(hook)!r}; pip install 'flask[async]'"
            faults.append((use, finding))
            return hook

    return Hooks(
        {kind: sync(loader_use(kind), hook) for kind, hook in hooks.user_loaders.items()},
        {key: sync("@otp.user_identity", hook) for key, hook in hooks.user_identity.items()},
        {key: sync(client_key_use(key), hook) for key, hook in hooks.client_keys.items()},
        {channel: sync(sender_use(channel), hook) for channel, hook in hooks.senders.items()},
    )


def check_hooks(
    protocols: Sequence[type[WireProtocol]],
    settings: Sequence[object],
    hooks: Hooks,
    faults: Faults,
) -> None:
    """See that each protocol has the hooks it needs, and that each hook is of use.

    :param settings: the group of each protocol.
    """
    wanted = {kind for protocol in protocols for kind in protocol.credentials}
    for kind in sorted(wanted - hooks.user_loaders.keys(), key=lambda kind: kind.__name__):
        faults.append((loader_use(kind), "is missing; register it before init_app"))
    if None in hooks.client_keys and len(protocols) > 1:
        advice = f"say whose keys it knows, as in @otp.client_key({protocols[0].__name__})"
        faults.append(("@otp.client_key", f"is registered for several protocols; {advice}"))
    if not hooks.senders:
        advice = "register one for each channel before init_app"
        faults.append(("@otp.sender", f"is missing; {advice}"))
    for protocol, group in zip(protocols, settings, strict=True):
        for channel in protocol.channels - hooks.senders.keys():
            finding = f"is missing; {protocol.__name__} sends on no other channel"
            faults.append((sender_use(channel), finding))
        hook = hooks.client_key(protocol)
        if protocol.clients is None:
            if hook is not None:
                finding = "would never be asked; the keys of its callers are in its settings"
                faults.append((client_key_use(protocol), finding))
            continue
        key = key_of(protocol.settings, protocol.clients)
        if hook is None and not getattr(group, protocol.clients) and key not in dict(faults):
            advice = "list the callers' public keys, or register @otp.client_key"
            faults.append((key, f"is missing; {advice}"))
