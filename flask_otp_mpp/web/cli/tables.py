"""``flask otp-mpp codes`` and ``settings`` print what the documentation's tables say."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from flask_otp_mpp.web import doc_tables
from flask_otp_mpp.web.cli.options import examples, json_option

markdown_option = click.option(
    "--markdown", is_flag=True, help="Print the table as it is in the documentation."
)


@click.command(
    epilog=examples("flask otp-mpp codes", "flask otp-mpp codes --json", status="always 0.")
)
@json_option
@markdown_option
def codes(as_json: bool, markdown: bool) -> None:
    """Print which result code each protocol answers for each reason."""
    if markdown:
        for protocol in doc_tables.PROTOCOLS:
            click.echo(doc_tables.markdown(doc_tables.CODE_HEAD, doc_tables.code_rows(protocol)))
        return
    _print(doc_tables.REASON_HEAD, doc_tables.reason_rows(), as_json=as_json)


@click.command(
    epilog=examples("flask otp-mpp settings", "flask otp-mpp settings --json", status="always 0.")
)
@json_option
@markdown_option
def settings(as_json: bool, markdown: bool) -> None:
    """Print every OTP_MPP_* key with its type, default and meaning."""
    head, rows = doc_tables.SETTING_HEAD, doc_tables.setting_rows()
    if markdown:
        click.echo(doc_tables.markdown(head, rows))
        return
    _print(head, rows, as_json=as_json)


def _print(head: doc_tables.Row, rows: Sequence[doc_tables.Row], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([dict(zip(head, row, strict=True)) for row in rows], indent=2))
    else:
        click.echo(doc_tables.plain(head, rows))
