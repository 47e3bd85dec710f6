"""The options of a command that plays cases, and how the cases are chosen by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])
STATUS: Final = (
    "Exit status: 0 if the endpoint conforms, 1 if a required case failed, 2 if the cases can't be "
    "played, 3 if only recommended cases failed."
)
_FILE: Final = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a command was asked to play and to write.

    :param only: the beginnings of ids; empty for all cases.
    :param parallel: None for what the configuration says.
    :param html: the file of that report; so are ``json`` and ``junit``.
    :param replay: the id of the only case, whose exchanges are printed.
    """

    only: tuple[str, ...]
    slow: bool
    parallel: int | None
    html: Path | None
    json: Path | None
    junit: Path | None
    replay: str | None
    show_secrets: bool


def run_options(command: C) -> C:
    """Add the options whose values :class:`RunOptions` takes."""
    for option in reversed(
        (
            click.option(
                "--only", multiple=True, metavar="ID", help="Play only cases whose id begins so."
            ),
            click.option("--slow", is_flag=True, help="Play cases that wait for minutes, too."),
            click.option(
                "--parallel",
                type=click.IntRange(1, 64),
                help="How many cases are played at once. Default: as the file says, or 8.",
            ),
            click.option("--html", type=_FILE, help="Write the report as a page for people."),
            click.option(
                "--json",
                type=_FILE,
                help="Print JSON for machines: into a file, or by - to the standard output.",
            ),
            click.option("--junit", type=_FILE, help="Write it as JUnit XML; - prints it."),
            click.option(
                "--replay",
                metavar="ID",
                help="Play one case, and print each request and answer in full, what was signed, "
                "and a curl command. Tokens and codes are replaced.",
            ),
            click.option(
                "--show-secrets",
                is_flag=True,
                help="Show tokens, codes and their like in bodies: with --replay, so that curl "
                "sends what was signed.",
            ),
        )
    ):
        command = option(command)
    return command
