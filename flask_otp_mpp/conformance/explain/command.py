"""The options by which a capture is given on a command line, and the end of such a command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from flask_otp_mpp.conformance.explain.capture import Parts, read_capture, with_parts
from flask_otp_mpp.conformance.explain.captured import Captured, Direction, Unreadable
from flask_otp_mpp.conformance.explain.explain import Explanation
from flask_otp_mpp.conformance.explain.report import as_dict, as_text

C = TypeVar("C", bound=Callable[..., Any])
MAX_CAPTURE: Final = 16 * 1024 * 1024
STATUS: Final = (
    "0 if the signature verifies; 1 if it does not, whether a mistake was found or not; 2 if the "
    "capture or a key can't be read."
)


def capture_options(command: C) -> C:
    """Add the options that say what is to be explained, and how it is printed."""
    for option in reversed(
        (
            click.argument("capture", required=False, metavar="[CAPTURE]"),
            click.option(
                "--answer", is_flag=True, help="Explain the answer, also if the request is signed."
            ),
            click.option(
                "--entry",
                type=click.IntRange(min=1),
                help="Which entry of a HAR file, from 1. Default: the only one that is signed.",
            ),
            click.option("--method", help="The method of the request."),
            click.option("--uri", help="Path and query of the request, as its caller wrote them."),
            click.option("--client-id", help="The caller's Client-Id."),
            click.option("--time", help="The Request-Time or Response-Time header."),
            click.option("--signature", help="The Signature header."),
            click.option(
                "--body", metavar="TEXT|@FILE", help="The body, or a file that holds its bytes."
            ),
            click.option(
                "--show-secrets", is_flag=True, help="Show tokens, codes and their like in bodies."
            ),
            click.option("--json", "as_json", is_flag=True, help="Print JSON for machines."),
        )
    ):
        command = option(command)
    return command


def captured_of(
    capture: str | None,
    *,
    answer: bool,
    entry: int | None,
    method: str | None,
    uri: str | None,
    client_id: str | None,
    time: str | None,
    signature: str | None,
    body: str | None,
) -> Captured:
    """Return what the options say is to be explained.

    :raises click.UsageError: if it can't be read.
    """
    parts = Parts(
        method=_bytewise(method),
        uri=_bytewise(uri),
        client=_bytewise(client_id),
        time=_bytewise(time),
        signature=_bytewise(signature),
        body=None if body is None else _body(body),
        direction=Direction.ANSWER if answer else None,
    )
    if capture is None and signature is None:
        raise click.UsageError("give a CAPTURE, or --signature and the other parts")
    try:
        read = None if capture is None else read_capture(_content(capture, "CAPTURE"), entry)
        return with_parts(read, parts)
    except Unreadable as fault:
        raise click.UsageError(str(fault)) from None


def output(explanation: Explanation, *, as_json: bool, show_secrets: bool) -> str:
    """Return what a command prints."""
    if as_json:
        return json.dumps(as_dict(explanation, secrets=show_secrets), indent=2)
    return as_text(explanation, secrets=show_secrets)


def _bytewise(text: str | None) -> str | None:
    """Return a text with one character for each of its bytes."""
    return None if text is None else text.encode("utf-8", "surrogateescape").decode("latin-1")


def _body(given: str) -> bytes:
    if given.startswith("@"):
        return _content(given[1:], "--body")
    return given.encode("utf-8", "surrogateescape")


def _content(path: str, name: str) -> bytes:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_CAPTURE + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_CAPTURE + 1)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or type(error).__name__
        raise click.UsageError(f"{name}: the file can't be read ({cause})") from None
    if len(data) > MAX_CAPTURE:
        raise click.UsageError(f"{name}: the file has more than {MAX_CAPTURE} bytes")
    return data
