"""What an app says of itself, as tables of the conformance kit's file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import click
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from flask import Flask

from flask_otp_mpp.core.settings import key_of, read_group
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.signing.keys import load_private_key, one_line, private_pem
from flask_otp_mpp.web.cli.simulate.alipayplus import USUAL_ACQUIRER
from flask_otp_mpp.web.cli.simulate.google import known_account
from flask_otp_mpp.web.known_callers import KnownCaller, known_caller
from flask_otp_mpp.web.settings import TrialSettings
from flask_otp_mpp.web.state import State
from flask_otp_mpp.web.traffic_settings import TrafficSettings
from flask_otp_mpp.web.trial import accepted_code

_USERS: Final = 500


def signed_side(
    app: Flask, state: State, protocol: AlipayPlus | Ams, key: str | None, second_key: str | None
) -> dict[str, Any]:
    """Return the tables of a protocol whose messages are signed in headers.

    :raises ValueError: if a key can't be read, or no client has it.
    """
    if key is None:
        raise click.UsageError("--key is needed: the private key of a client")
    private = load_private_key(key)
    known = known_caller(protocol, private)
    tables: dict[str, Any] = {
        "client": _client(protocol, known, private),
        "wallet_keys": {name: one_line(public) for name, public in state.public_keys.items()},
        "paths": {
            name: known.prefix + path
            for name, path in zip(("send", "verify"), known.paths, strict=True)
        },
        "limits": _limits(app, state),
    }
    if second_key is not None:
        second = load_private_key(second_key)
        other = known_caller(protocol, second)
        if (other.prefix, other.client_id == known.client_id) != (known.prefix, False):
            raise ValueError("--second-key: it must be another client's, with the same paths")
        tables["second_client"] = _client(protocol, other, second)
    return tables


def _client(protocol: AlipayPlus | Ams, known: KnownCaller, key: RSAPrivateKey) -> dict[str, str]:
    client = {
        "id": known.client_id,
        "private_key": private_pem(key).decode(),
        "key_version": known.key_version,
    }
    if isinstance(protocol, Ams):
        return client
    scope = protocol.scope_of(known.client_id)
    acquirer = min(scope.acquirers or (), default=USUAL_ACQUIRER)
    return {**client, "acquirer_id": acquirer, "psp_id": min(scope.psp_ids)}


def _limits(app: Flask, state: State) -> dict[str, int]:
    policy = state.policy
    freshness = read_group(TrafficSettings, app.config, []).freshness
    return {
        "digits": policy.digits,
        "attempts": policy.tries,
        "life_seconds": int(policy.life.total_seconds()),
        "resend_seconds": int(policy.cool_down.total_seconds()),
        "freshness_seconds": int(freshness.total_seconds()),
    }


def google_side(
    protocol: GoogleStandardPayments, keys: tuple[str, ...], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return Google's side of the first account."""
    if "google" in given:
        return {}
    prefix, account = known_account(protocol, None)
    if not keys or "their_keys" not in account:
        raise click.UsageError("--google-keys is needed (JOSE), or --file with a table [google]")
    del account["envelope"]
    return {"google": {**account, "paths": prefix, "our_keys": list(keys)}}


def trial_users(app: Flask, state: State, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the users of the acceptance mode, who are new in each run, and those of all clients.

    :param known: the other tables.
    :raises click.UsageError: if the app is not in that mode.
    """
    if not read_group(TrialSettings, app.config, []).trial:
        raise click.UsageError(
            f"{key_of(TrialSettings, 'trial')} is not on, so the kit has no users: set it in a "
            "sandbox, or name users and their inbox by --file"
        )
    run = secrets.token_hex(4)
    template = f"TRIAL_USER_{run}-{{n}}"
    of_google = {"associations": f"TRIAL_USER_{run}-by-{{n}}"}
    of_signed = {"expired": "TRIAL_TOKEN_EXPIRED", "unknown": "TRIAL_TOKEN_INVALID"}
    return {
        "tokens": {
            "template": template,
            "count": _USERS,
            "frozen": "TRIAL_USER_ABNORMAL",
            "missing": "TRIAL_USER_MISSING",
            **(of_google if "google" in known else of_signed),
            **({"second_client": template} if "second_client" in known else {}),
        },
        "inbox": {"kind": "fixed", "code": accepted_code(state.policy.digits)},
    }
