"""``flask otp-mpp explain-signature`` explains a captured signature with the keys of the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import click
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from flask import current_app
from flask.cli import with_appcontext

from flask_otp_mpp.conformance.explain import (
    Captured,
    Direction,
    Known,
    Unreadable,
    explain,
)
from flask_otp_mpp.conformance.explain.base import PATHS, PREFIXES
from flask_otp_mpp.conformance.explain.command import STATUS, capture_options, captured_of, output
from flask_otp_mpp.core.reasons import Refused
from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.protocols.values import Operation
from flask_otp_mpp.signing.client_keys import ClientKeys
from flask_otp_mpp.signing.keys import KeyFault
from flask_otp_mpp.signing.rsa256 import Malformed, SignatureHeader
from flask_otp_mpp.web.cli.group import echo
from flask_otp_mpp.web.cli.options import examples
from flask_otp_mpp.web.extension import NotServedError, state_of
from flask_otp_mpp.web.in_sync import in_sync
from flask_otp_mpp.web.state import State

Signed: TypeAlias = AlipayPlus | Ams


@click.command(
    "explain-signature",
    epilog=examples(
        "flask --app wallet otp-mpp explain-signature request.http",
        "flask --app wallet otp-mpp explain-signature calls.har --entry 3 --answer --json",
        status=STATUS,
    ),
)
@capture_options
@with_appcontext
def explain_signature(capture: str | None, as_json: bool, show_secrets: bool, **parts: Any) -> None:
    """Say why the signature of a request or an answer does not verify.

    The keys are those that the app has for the client of the capture, and its own ones. A path as
    it is behind a proxy is taken for the public one, as the wallet takes it. CAPTURE and the other
    options are those of `otp-mpp explain-signature`, which needs no app.
    """
    message = captured_of(capture, **parts)
    state = state_of()
    if state.faults:
        raise ConfigurationError(state.faults)
    protocol = _protocol_of(state, message)
    message = _as_called(message, protocol)
    try:
        keys, other = _client_keys(state, protocol, message), state.public_keys
        if not keys:
            note = "The app has no key for the client that the capture names."
            message = replace(message, notes=(*message.notes, note))
        if message.direction is Direction.ANSWER:
            keys, other = other, keys
        found = explain(message, keys, _known(state, protocol, message, other))
    except (Unreadable, KeyFault) as fault:
        raise click.UsageError(str(fault)) from None
    echo(output(found, as_json=as_json, show_secrets=show_secrets))
    click.get_current_context().exit(0 if found.verified else 1)


def _signed_protocols(state: State) -> list[Signed]:
    return [one for one in state.protocols if isinstance(one, AlipayPlus | Ams)]


def _protocol_of(state: State, message: Captured) -> Signed:
    """Return the protocol whose prefix the path has, or that knows the client."""
    served = _signed_protocols(state)
    if not served:
        raise NotServedError("this app serves neither AlipayPlus nor Ams; pass one to OtpMpp")
    for protocol in served:
        for mount in protocol.mounts:
            if message.uri.startswith((f"{mount.public_prefix}/", f"{mount.prefix}/")):
                return protocol
    return next((one for one in served if _client_of(message) in one.client_keys), served[0])


def _client_of(message: Captured) -> str:
    """Return the client id of the request; an answer that names none is to its client."""
    request = message.request
    return (request.header("client-id") if request is not None else "") or message.client


def _as_called(message: Captured, protocol: Signed) -> Captured:
    """Return the capture with the path that the caller called, if a proxy has rewritten it."""
    for mount in protocol.mounts:
        inner, public = f"{mount.prefix}/", f"{mount.public_prefix}/"
        if message.uri.startswith(public):
            return message
        if message.uri.startswith(inner):
            note = f"The path is that behind the proxy; callers sign {mount.public_prefix}."
            uri = public + message.uri.removeprefix(inner)
            return replace(message, uri=uri, notes=(*message.notes, note))
    return message


def _client_keys(state: State, protocol: Signed, message: Captured) -> Mapping[str, RSAPublicKey]:
    """Return the keys of the capture's client; the one of a hook under the version it is for."""
    client = _client_of(message)
    if listed := protocol.client_keys.get(client):
        return listed
    hook = state.hooks.client_key(type(protocol))
    if hook is None:
        return {}
    try:
        version = SignatureHeader.parse(message.signature).key_version
    except Malformed:
        version = None
    try:
        synced = in_sync(current_app, hook)
        return {version or "": ClientKeys({}, synced).find(client, version)}
    except Refused:
        return {}


def _known(
    state: State, protocol: Signed, message: Captured, other: Mapping[str, RSAPublicKey]
) -> Known:
    clients = {
        f"of {client}, version {version}": key
        for one in _signed_protocols(state)
        for client, keys in one.client_keys.items()
        if (client, one) != (_client_of(message), protocol)
        for version, key in keys.items()
    }
    by_operation = {operation: path for path, operation in protocol.paths.items()}
    paths = (by_operation[Operation.SEND], by_operation[Operation.VERIFY])
    prefixes = [
        prefix for mount in protocol.mounts for prefix in (mount.prefix, mount.public_prefix)
    ]
    return Known(
        prefixes=tuple(dict.fromkeys((*prefixes, *PREFIXES))),
        paths=tuple(dict.fromkeys((paths, *PATHS))),
        clients=tuple(client for one in _signed_protocols(state) for client in one.client_keys),
        other_side=other,
        other_clients=clients,
    )
