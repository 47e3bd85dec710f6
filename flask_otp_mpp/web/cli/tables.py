"""``flask otp-mpp codes`` and ``settings`` print what the documentation's tables say."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import click
from flask.cli import ScriptInfo

from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.web import doc_tables
from flask_otp_mpp.web.cli.group import echo, echo_json, is_terminal
from flask_otp_mpp.web.cli.options import examples, json_option
from flask_otp_mpp.web.extension import state_of

markdown_option = click.option(
    "--markdown", is_flag=True, help="Print the table as it is in the documentation."
)


@click.command(
    epilog=examples(
        "flask otp-mpp codes",
        "flask --app wallet otp-mpp codes --served --json",
        status="0; with --served 1 if the app does not start.",
    )
)
@json_option
@markdown_option
@click.option(
    "--served",
    is_flag=True,
    help="Print what the app answers: its protocols, with the codes that its settings choose.",
)
def codes(as_json: bool, markdown: bool, served: bool) -> None:
    """Print which result code each protocol answers for each reason."""
    if served:
        app = click.get_current_context().ensure_object(ScriptInfo).load_app()
        state = state_of(app)
        if state.faults:
            raise ConfigurationError(state.faults)
        chosen = {one.name: one.chosen_codes for one in state.protocols}
        _print(doc_tables.REASON_HEAD, doc_tables.reason_rows(chosen), as_json=as_json)
        return
    if markdown:
        for protocol in doc_tables.PROTOCOLS:
            echo(doc_tables.markdown(doc_tables.CODE_HEAD, doc_tables.code_rows(protocol)))
        return
    usual = {protocol.name: protocol.codes for protocol in doc_tables.PROTOCOLS}
    _print(doc_tables.REASON_HEAD, doc_tables.reason_rows(usual), as_json=as_json)


@click.command(
    epilog=examples("flask otp-mpp settings", "flask otp-mpp settings --json", status="always 0.")
)
@json_option
@markdown_option
def settings(as_json: bool, markdown: bool) -> None:
    """Print every OTP_MPP_* key with its type, default and meaning.

    On a terminal that is narrower than the table each key has lines of its own; into a pipe the
    table goes as it is.
    """
    head, rows = doc_tables.SETTING_HEAD, doc_tables.setting_rows()
    if markdown:
        echo(doc_tables.markdown(head, rows))
        return
    _print(head, rows, as_json=as_json)


def _print(head: doc_tables.Row, rows: Sequence[doc_tables.Row], *, as_json: bool) -> None:
    if as_json:
        echo_json([dict(zip(head, row, strict=True)) for row in rows])
        return
    width = shutil.get_terminal_size().columns if is_terminal() else None
    echo(doc_tables.plain(head, rows, width))
