"""``otp-mpp-conformance``: play the cases against an endpoint, and report what was found."""

from __future__ import annotations

import click

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.cli.init import init
from flask_otp_mpp.conformance.cli.run import run_command
from flask_otp_mpp.conformance.options import STATUS
from flask_otp_mpp.conformance.registry import cases_of


def _list_cases(context: click.Context, _: click.Parameter, asked: bool) -> None:  # noqa: FBT001 - click passes it by position
    if asked:
        for wire in Wire:
            for case in cases_of(wire):
                click.echo(f"{wire} {case.id} {case.title}")
        context.exit()


@click.group(
    epilog="\b\nExample:\n"
    "  otp-mpp-conformance init wallet.toml\n"
    "  otp-mpp-conformance run wallet.toml --html report.html\n"
    f"\n{STATUS}"
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_cases,
    help="Print all cases: protocol, id and title.",
)
def main() -> None:
    """Test any wallet's OTP endpoint from the side of its caller.

    The kit plays Alipay+, a merchant of AMS, or Google: it sends signed requests, right ones and
    wrong ones, learns the codes from an inbox, and compares each answer with what the documents of
    the protocol demand. The endpoint can be written in any language. A TOML file describes it: init
    writes one, run plays the cases against it.
    """


main.add_command(init)
main.add_command(run_command)
