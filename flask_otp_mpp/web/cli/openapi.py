"""``flask otp-mpp openapi`` prints the OpenAPI document of what the app serves."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.web.cli.group import echo_json
from flask_otp_mpp.web.cli.options import examples
from flask_otp_mpp.web.doc_tables import PROTOCOLS
from flask_otp_mpp.web.extension import NotServedError, state_of
from flask_otp_mpp.web.openapi import document


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp openapi > openapi.json",
        "flask --app wallet otp-mpp openapi --protocol ams --server https://wallet.example",
        status="0; 1 if the app does not start, or does not serve the protocol.",
    )
)
@click.option(
    "--protocol",
    type=click.Choice([one.name for one in PROTOCOLS]),
    help="Default: all that the app serves.",
)
@click.option(
    "--server",
    "servers",
    multiple=True,
    metavar="URL",
    help="The base URL that callers call, such as https://wallet.example; may be repeated.",
)
@with_appcontext
def openapi(protocol: str | None, servers: tuple[str, ...]) -> None:
    """Print the OpenAPI 3.1 document of what the app serves, as JSON.

    It has the paths as callers call them, the fields of requests with their lengths and values,
    and all result codes. The schemas of Google are those of the JSON inside the sealed bodies.
    """
    state = state_of()
    if state.faults:
        raise ConfigurationError(state.faults)
    served = [one for one in state.protocols if protocol in (None, one.name)]
    if not served:
        raise NotServedError(f"this app does not serve {protocol}; pass its class to OtpMpp")
    echo_json(document(served, servers))
