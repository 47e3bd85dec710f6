"""Options and help texts that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def add_options(*options: Callable[[C], C]) -> Callable[[C], C]:
    """Return a decorator that adds options to a command, in this order."""

    def decorate(command: C) -> C:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def examples(*commands: str, status: str) -> str:
    """Return the end of a command's help: how to call it, and what its exit status means."""
    lines = "\n".join(f"  {line}" for command in commands for line in command.splitlines())
    return f"\b\nExamples:\n{lines}\n\nExit status: {status}"
