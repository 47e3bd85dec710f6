"""``flask otp-mpp``: the commands for keys, the store, tables, checks of a deployment, and calls.

It is a plugin of Flask's command line, so that a key can be generated before an app can start.
"""

from __future__ import annotations

from flask_otp_mpp.web.cli.audit import audit
from flask_otp_mpp.web.cli.check import check
from flask_otp_mpp.web.cli.conformance import conformance
from flask_otp_mpp.web.cli.explain import explain_signature
from flask_otp_mpp.web.cli.group import OtpGroup
from flask_otp_mpp.web.cli.keys import keygen, pubkey
from flask_otp_mpp.web.cli.openapi import openapi
from flask_otp_mpp.web.cli.policy import policy
from flask_otp_mpp.web.cli.simulate import simulate
from flask_otp_mpp.web.cli.store import init_db, purge, upgrade_db
from flask_otp_mpp.web.cli.support import forget, show, unlock
from flask_otp_mpp.web.cli.tables import codes, settings

__all__ = ["cli"]

cli = OtpGroup("otp-mpp", help="Generate keys, manage the store, and try out flask-otp-mpp.")
for command in (
    *(keygen, pubkey, init_db, upgrade_db, purge, show, unlock, forget),
    *(codes, settings, openapi, check, policy, audit, explain_signature, simulate, conformance),
):
    cli.add_command(command)
