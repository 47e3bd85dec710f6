"""``otp-mpp-conformance run``: play the cases, and write the reports."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, Final

import click

from flask_otp_mpp.conformance.case import SIGNED, AnyCase
from flask_otp_mpp.conformance.inbox import Terminal
from flask_otp_mpp.conformance.options import STATUS, RunOptions, run_options
from flask_otp_mpp.conformance.registry import cases_of
from flask_otp_mpp.conformance.report.as_json import as_json
from flask_otp_mpp.conformance.report.html import as_html
from flask_otp_mpp.conformance.report.junit import as_junit
from flask_otp_mpp.conformance.report.terminal import progress, replayed, summary
from flask_otp_mpp.conformance.report.view import RunView, view
from flask_otp_mpp.conformance.run import EXIT_STATUS, run
from flask_otp_mpp.conformance.target import Target, read_target
from flask_otp_mpp.conformance.toml_table import ConfigurationFault
from flask_otp_mpp.conformance.wire import HttpClient, Request, Unreachable

_STDOUT: Final = Path("-")


@click.command(
    "run",
    epilog="\b\nExamples:\n"
    "  otp-mpp-conformance run wallet.toml --html report.html --junit report.xml\n"
    "  otp-mpp-conformance run wallet.toml --only signature. --only headers.\n"
    "  otp-mpp-conformance run wallet.toml --replay life.once\n"
    f"\n{STATUS}",
)
@click.argument("file", type=click.Path(path_type=Path))
@run_options
def run_command(file: Path, **options: Any) -> None:
    """Play the cases against the endpoint that FILE describes."""
    try:
        target = read_target(file)
    except ConfigurationFault as fault:
        raise click.UsageError(str(fault)) from None
    command = ["otp-mpp-conformance", "run", str(file)]
    raise SystemExit(play(target, RunOptions(**options), command, sys.stdout))


def play(target: Target, options: RunOptions, command: Sequence[str], out: IO[str]) -> int:
    """Play cases against an endpoint, print and write what was found; return the exit status.

    :param command: what was called, for the commands that a report names.
    :param out: where the results are printed.
    :raises click.UsageError: if the options name no case, or the endpoint does not answer.
    """
    reports = _reports(options)
    cases = _chosen(target, options)
    if options.parallel is not None:
        target = replace(target, parallel=options.parallel)
    _reach(target)
    if options.replay is not None:
        return _replay(target, cases, options, command, out)
    printed = sys.stderr if _STDOUT in reports else out
    asks = isinstance(target.inbox, Terminal)
    with progress(cases, printed, lines=asks) as show:
        done = run(target, cases, slow=options.slow, on_result=show)
    shown = view(done, command)
    print(f"\n{summary(shown)}", file=printed)
    for path, write in reports.items():
        _write(path, write(shown), out)
    return EXIT_STATUS[done.verdict]


def _chosen(target: Target, options: RunOptions) -> list[AnyCase]:
    """Return the cases that the options name.

    :raises click.UsageError: if they name none.
    """
    known = cases_of(target.wire)
    if options.replay is None:
        chosen = [one for one in known if not options.only or one.id.startswith(options.only)]
        if not chosen:
            raise click.UsageError(
                f"no case of {target.wire} begins with {' or '.join(options.only)}; see --list"
            )
        return chosen
    found = next((one for one in known if one.id == options.replay), None)
    if found is None:
        near = get_close_matches(options.replay, [one.id for one in known])
        raise click.UsageError(
            f"{target.wire} has no case {options.replay!r}"
            + (f"; is it {' or '.join(near)}?" if near else "; see --list")
        )
    return known if found.last else [found]


def _reach(target: Target) -> None:
    """See that the endpoint answers at all.

    :raises click.UsageError: if it does not.
    """
    client = HttpClient(target.base_url, timeout=target.timeout, tls=target.tls)
    try:
        with closing(client):
            client.send(Request("GET", f"{target.prefix}/", (), b""))
    except Unreachable as error:
        raise click.UsageError(f"{error}; is base_url right, and does the wallet run?") from None


def _replay(
    target: Target, cases: list[AnyCase], options: RunOptions, command: Sequence[str], out: IO[str]
) -> int:
    """Play one case and print it; one that looks at the answers of others is played with them."""
    done = run(target, cases, slow=len(cases) == 1 or options.slow)
    results = [one for one in done.results if one.case.id == options.replay]
    one = replace(done, results=results, secrets={} if options.show_secrets else done.secrets)
    [shown] = view(one, command, exchange_limit=sys.maxsize).cases
    print(replayed(shown, signed=target.wire in SIGNED), file=out)
    return EXIT_STATUS[one.verdict]


def _reports(options: RunOptions) -> Mapping[Path, Callable[[RunView], str]]:
    """Return what is to be written.

    :raises click.UsageError: if a file has no folder, or two reports have one place.
    """
    named = ((options.html, as_html), (options.json, as_json), (options.junit, as_junit))
    wanted = [(path, write) for path, write in named if path is not None]
    for path, _ in wanted:
        if not path.parent.is_dir():
            raise click.UsageError(f"{path}: there is no folder {path.parent}")
    if len(dict(wanted)) < len(wanted):
        raise click.UsageError("two reports can't be written to one place")
    return dict(wanted)


def _write(path: Path, text: str, out: IO[str]) -> None:
    if path == _STDOUT:
        print(text, file=out)
        return
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
