"""Read the app, serve it if no server is named, and play the cases."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from os.path import isfile
from pathlib import Path
from typing import Final

import click
from flask.cli import ScriptInfo

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.cli.run import play
from flask_otp_mpp.conformance.options import RunOptions
from flask_otp_mpp.conformance.target import target_of
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.web.cli.conformance.known import google_side, signed_side, trial_users
from flask_otp_mpp.web.cli.conformance.serving import serving
from flask_otp_mpp.web.cli.group import output
from flask_otp_mpp.web.extension import state_of
from flask_otp_mpp.web.known_callers import protocol_of
from flask_otp_mpp.web.state import State

_PROTOCOLS: Final[Mapping[Wire, type[AlipayPlus | Ams | GoogleStandardPayments]]] = {
    Wire.ALIPAYPLUS: AlipayPlus,
    Wire.AMS: Ams,
    Wire.GOOGLE_JOSE: GoogleStandardPayments,
    Wire.GOOGLE_PGP: GoogleStandardPayments,
}
_PARALLEL: Final = 8
"""How many cases are played at once, if the app delivers so many messages at a time."""


def play_app(
    options: RunOptions,
    *,
    protocol: str | None,
    url: str | None,
    key: str | None,
    second_key: str | None,
    google_keys: tuple[str, ...],
    file: Path | None,
) -> int:
    """Play the cases against the app of a command, or a server; return the exit status.

    :param file: of TOML, whose tables replace what the app says.
    :raises click.UsageError: if an option can't be used, or is missing.
    """
    script = click.get_current_context().ensure_object(ScriptInfo)
    app = script.load_app()
    state = state_of(app)
    wire = _wire(state, protocol)
    served = protocol_of(state, _PROTOCOLS[wire])
    folder = Path() if file is None else file.parent
    try:
        given = {} if file is None else tomllib.loads(file.read_text("utf-8"))
        known = (
            google_side(served, google_keys, given)
            if isinstance(served, GoogleStandardPayments)
            else signed_side(app, state, served, key, second_key)
        )
        if "tokens" not in given:
            known |= trial_users(app, state, known)
        with serving(app, served, url) as base_url:
            known["parallel"] = min(_PARALLEL, state.deliveries.places)
            tables = {**known, **given, "protocol": wire, "base_url": base_url}
            return play(target_of(tables, folder), options, _command(script), output())
    except ValueError as fault:
        raise click.UsageError(str(fault)) from None


def _wire(state: State, protocol: str | None) -> Wire:
    """Return the protocol that is asked for, or the only one that is served."""
    if protocol is not None:
        return Wire(protocol)
    kinds = [type(one) for one in state.protocols]
    found = [wire for wire, kind in _PROTOCOLS.items() if kind in kinds]
    if not found:
        raise click.UsageError("this app serves no protocol")
    if len(found) > 1:
        raise click.UsageError(f"name one of: --protocol {', --protocol '.join(found)}")
    return found[0]


def _command(script: ScriptInfo) -> list[str]:
    """Return this command as it was called, without what may be a key."""
    app = ["--app", script.app_import_path] if script.app_import_path else []
    given = click.get_current_context().params
    words = ["flask", *app, "otp-mpp", "conformance"]
    for name in ("protocol", "url", "key", "second_key", "google_keys", "file"):
        values = given[name] if isinstance(given[name], tuple) else (given[name],)
        for value in (one for one in values if one is not None):
            shown = str(value) if "key" not in name or isfile(value) else "KEY"
            words += [f"--{name.replace('_', '-')}", shown]
    return words
