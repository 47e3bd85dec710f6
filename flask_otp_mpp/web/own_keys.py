"""The wallet's own keys: which one signs, and that no client has one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flask_otp_mpp.core.settings import Faults, key_of
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.signing.keys import LocalSigner, Signer
from flask_otp_mpp.web.settings import SigningSettings

if TYPE_CHECKING:
    from flask_otp_mpp.protocols.alipay.clients import Client

_KEYS: Final = key_of(SigningSettings, "private_keys")
_VERSION: Final = key_of(SigningSettings, "key_version")


class NoSigner:
    """Stand in for a signer that is at fault or not needed, so that protocols can be checked."""

    version = ""

    def sign(self, data: bytes) -> bytes:
        raise RuntimeError("there is no key to sign by")


def own_signer(config: Mapping[str, Any], signing: SigningSettings, faults: Faults) -> Signer:
    """Return what signs by the configured key; what is wrong with it is added to the faults."""
    listed = config.get(_KEYS)
    if not isinstance(listed, Mapping) or not listed:
        if _KEYS not in dict(faults):
            advice = "make a key with `flask otp-mpp keygen`, or pass a signer to OtpMpp"
            faults.append((_KEYS, f"is missing; {advice}"))
        return NoSigner()
    versions = [str(version) for version in listed]
    version = signing.key_version
    if version is None and len(versions) == 1:
        version = versions[0]
    if version not in versions and _VERSION not in dict(faults):
        found = "is missing" if version is None else f"found {version!r}"
        choices = ", ".join(repr(version) for version in versions)
        faults.append((_VERSION, f"{found}; name the key that signs: {choices}"))
    if version is None or version not in signing.private_keys:
        return NoSigner()
    return LocalSigner(version, signing.private_keys[version])


def check_clients(
    protocols: Sequence[type[WireProtocol]],
    settings: Sequence[object],
    own_keys: Mapping[str, RSAPublicKey],
    faults: Faults,
) -> None:
    """See that no client has the wallet's own key, by which its answers would pass as requests.

    :param settings: the group of each protocol.
    """
    own = {key.public_numbers().n for key in own_keys.values()}
    for protocol, group in zip(protocols, settings, strict=True):
        if protocol.clients is None:
            continue
        clients: Mapping[str, Client] = getattr(group, protocol.clients)
        faults.extend(
            (
                key_of(protocol.settings, protocol.clients),
                f"key {version!r} of client {name!r} is the wallet's own public key; list the "
                "caller's",
            )
            for name, client in clients.items()
            for version, key in client.keys.items()
            if key.public_numbers().n in own
        )
