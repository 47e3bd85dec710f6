"""The group of the commands: how they print, and how they tell what is wrong with an app."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from importlib import import_module
from typing import IO, Any, Final

import click
from flask.cli import AppGroup

from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.web.extension import NotServedError

_STDOUT: Final = "flask_otp_mpp.stdout"


class OtpGroup(AppGroup):
    """A group whose output is that of its commands alone.

    What the host's code prints meanwhile, its factory and its hooks, goes to the standard error.

    :param modules: the module of each command, which is imported when the command is asked for.
    """

    def __init__(self, name: str, modules: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        command: click.Command = getattr(
            import_module(self._modules[cmd_name]), cmd_name.replace("-", "_")
        )
        return command

    def invoke(self, ctx: click.Context) -> Any:
        ctx.meta[_STDOUT] = sys.stdout
        try:
            with redirect_stdout(sys.stderr):
                return super().invoke(ctx)
        except (ConfigurationError, NotServedError) as fault:
            raise click.ClickException(str(fault)) from None


def echo(text: str) -> None:
    """Print a command's own output."""
    click.echo(text, file=output())


def echo_json(value: object) -> None:
    """Print a command's own output as JSON."""
    echo(json.dumps(value, indent=2))


def output() -> IO[str]:
    """Return the stream of a command's own output."""
    stream: IO[str] = click.get_current_context().meta[_STDOUT]
    return stream


def is_terminal() -> bool:
    """Tell whether a command's own output goes to a terminal."""
    return output().isatty()
