"""``flask otp-mpp``: the commands for keys, the store, tables, checks of a deployment, and calls.

It is a plugin of Flask's command line, so that a key can be generated before an app can start. Any
command of ``flask`` loads it, also those of others: the module of a command of ours is imported
when the command is asked for.
"""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.web.cli.group import OtpGroup

__all__ = ["cli"]

_COMMANDS: Final = {
    "keys": ("keygen", "pubkey"),
    "store": ("init-db", "upgrade-db", "purge"),
    "support": ("show", "unlock", "forget"),
    "tables": ("codes", "settings"),
    "openapi": ("openapi",),
    "check": ("check",),
    "policy": ("policy",),
    "audit": ("audit",),
    "explain": ("explain-signature",),
    "simulate": ("simulate",),
    "conformance": ("conformance",),
}
"""The commands of each module; each is the function of its name there."""

cli = OtpGroup(
    "otp-mpp",
    {command: f"{__name__}.{module}" for module, names in _COMMANDS.items() for command in names},
    help="Generate keys, manage the store, and try out flask-otp-mpp.",
)
