"""The check of a host's hooks: each protocol has those it needs, and each hook is of use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flask_otp_mpp.core.settings import Faults, key_of
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.web.hooks import Hooks, client_key_use, loader_use, sender_use

if TYPE_CHECKING:
    from flask_otp_mpp.protocols.alipay.clients import Client


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
        clients: Mapping[str, Client] = getattr(group, protocol.clients)
        if hook is not None or key in dict(faults):
            continue
        advice = "list the callers' public keys, or register @otp.client_key"
        if not clients:
            faults.append((key, f"is missing; {advice}"))
        for name, client in clients.items():
            if not client.keys:
                faults.append((key, f"client {name!r} has no keys; {advice}"))
