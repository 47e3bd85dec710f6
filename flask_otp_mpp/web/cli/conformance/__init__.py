"""``flask otp-mpp conformance`` plays the cases of the conformance kit against this wallet."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.options import STATUS, RunOptions, run_options
from flask_otp_mpp.web.cli.options import add_options, examples


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp conformance --key caller.pem --html report.html",
        "flask --app wallet otp-mpp conformance --key shop.pem --protocol ams \\\n"
        "    --url http://127.0.0.1:5000",
        status=STATUS.partition(": ")[2],
    )
)
@add_options(
    click.option(
        "--protocol",
        type=click.Choice([one.value for one in Wire]),
        help="Default: the one that the app serves.",
    ),
    click.option(
        "--url",
        help="A running wallet: scheme, host and port, such as http://host; it has the app's "
        "configuration. Default: the app is served on a loopback port for the time of the run.",
    ),
    click.option("--key", help="The caller's private key: a file, PEM or base64 (Alipay+, AMS)."),
    click.option("--second-key", help="That of another client. Default: its cases are skipped."),
    click.option(
        "--google-keys", multiple=True, help="Google's private JWK set, a file. May be repeated."
    ),
    click.option(
        "--file",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="A TOML file as otp-mpp-conformance reads it; its tables replace what the app says.",
    ),
    run_options,
)
def conformance(**options: Any) -> None:
    """Play the cases of the conformance kit against this wallet, as its callers would.

    What the options leave open is read from the app: clients, ids, paths, limits and the wallet's
    public keys. The users are those of the acceptance mode, so OTP_MPP_TRIAL must be on, unless
    --file names others.
    """
    # Imported here, for it would make each command of flask slower.
    from flask_otp_mpp.web.cli.conformance.play import play_app  # noqa: PLC0415

    of_run = RunOptions(**{one.name: options.pop(one.name) for one in fields(RunOptions)})
    raise SystemExit(play_app(of_run, **options))
