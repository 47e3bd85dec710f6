"""``otp-mpp-conformance``: play the cases against an endpoint, and report what was found."""

from __future__ import annotations

from pathlib import Path

import click

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.registry import cases_of
from flask_otp_mpp.conformance.run import EXIT_STATUS, Result, Status, run
from flask_otp_mpp.conformance.target import read_target
from flask_otp_mpp.conformance.toml_table import ConfigurationFault


def _list_cases(context: click.Context, _: click.Parameter, asked: bool) -> None:  # noqa: FBT001 - click passes it by position
    if asked:
        for wire in Wire:
            for case in cases_of(wire):
                click.echo(f"{wire} {case.id} {case.title}")
        context.exit()


@click.group()
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_cases,
    help="Print all cases: protocol, id and title.",
)
def main() -> None:
    """Test any wallet's OTP endpoint from the side of its caller."""


@main.command("run")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--only", multiple=True, metavar="ID", help="Play only cases whose id begins so.")
@click.option("--slow", is_flag=True, help="Play cases that wait for minutes, too.")
def run_command(file: Path, only: tuple[str, ...], *, slow: bool) -> None:
    """Play the cases against the endpoint that FILE describes."""
    try:
        target = read_target(file)
    except ConfigurationFault as fault:
        raise click.UsageError(str(fault)) from None
    cases = [case for case in cases_of(target.wire) if not only or case.id.startswith(only)]
    done = run(target, cases, slow=slow, on_result=_show)
    counted = ", ".join(f"{done.count(status)} {status}" for status in Status)
    click.echo(f"{done.verdict}: {counted}, {done.seconds:.1f} s")
    raise SystemExit(EXIT_STATUS[done.verdict])


def _show(result: Result) -> None:
    said = f": {result.said}" if result.said else ""
    click.echo(f"{result.status.upper():7} {result.case.id}{said}")
