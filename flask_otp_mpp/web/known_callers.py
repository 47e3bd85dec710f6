"""What an app's configuration says of a caller, so that a trial or a test need not repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.protocols.alipay.clients import SANDBOX_CLIENT
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.protocols.values import Mount, Operation
from flask_otp_mpp.web.extension import NotServedError
from flask_otp_mpp.web.state import State

FIRST_VERSION: Final = "1"
P = TypeVar("P", bound=WireProtocol)


def protocol_of(state: State, kind: type[P]) -> P:
    """Return the protocol of a kind that an app serves.

    :raises ConfigurationError: if the configuration has faults.
    :raises NotServedError: if the app does not serve it.
    """
    if state.faults:
        raise ConfigurationError(state.faults)
    for protocol in state.protocols:
        if isinstance(protocol, kind):
            return protocol
    raise NotServedError(f"this app does not serve {kind.__name__}; pass it to OtpMpp")


def rewrites(protocol: WireProtocol) -> Mapping[str, str]:
    """Return what a proxy makes of the paths that callers call, for calls without one."""
    return {mount.public_prefix: mount.prefix for mount in protocol.mounts}


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """A client of Alipay+ or AMS, as the app knows it.

    :param key_version: by which the app has its key.
    :param prefix: what it calls and signs.
    :param paths: below the prefix: first the one that sends, then the one that verifies.
    """

    client_id: str
    key_version: str
    prefix: str
    paths: tuple[str, str]


def known_caller(
    protocol: AlipayPlus | Ams, key: RSAPrivateKey, client: str | None = None
) -> KnownCaller:
    """Return the client that has the public half of a key.

    :param client: the only one that is looked at, if it is given; it need not have the key then.
    :raises ValueError: if no client is given, and none has the key.
    """
    number = key.public_key().public_numbers().n
    found: Sequence[tuple[str, str]] = [
        (name, version)
        for name, keys in protocol.client_keys.items()
        for version, public in keys.items()
        if public.public_numbers().n == number and client in (None, name)
    ]
    if not found and client is None:
        raise ValueError(f"no client of {protocol.name} has the public half of this key")
    name, version = found[0] if found else (client or "", FIRST_VERSION)
    by_operation = {operation: path for path, operation in protocol.paths.items()}
    paths = by_operation[Operation.SEND], by_operation[Operation.VERIFY]
    return KnownCaller(name, version, _mount(protocol, name).public_prefix, paths)


def _mount(protocol: AlipayPlus | Ams, client: str) -> Mount:
    """Return where a client calls: those of AMS's sandbox have the last mount."""
    return protocol.mounts[-1 if client.startswith(SANDBOX_CLIENT) else 0]
