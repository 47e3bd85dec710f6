"""Read the output of ``curl -v``: ``>`` is sent, ``<`` is received, the rest is the answer's body.

It does not hold the body of the request. The command may stand above it; then ``-d`` says the body.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

from flask_otp_mpp.conformance.explain.captured import Captured, Sent, Unreadable
from flask_otp_mpp.conformance.explain.raw import headers_of, split_target

_LOOK: Final = re.compile(rb"^(> \S+ \S+ HTTP/|\s*[$#]?\s*curl\s|\* )", re.MULTILINE)
_SENT: Final = re.compile(rb"^> (.*?)\r?$", re.MULTILINE)
_RECEIVED: Final = re.compile(rb"^< ?(.*?)\r?$", re.MULTILINE)
_COMMAND: Final = re.compile(
    rb"^[ \t]*[$#]?[ \t]*(curl\s.*?)(?=^\* |^> |^[ \t]*% Total|\Z)", re.MULTILINE | re.DOTALL
)
_TOLD: Final = re.compile(rb"^(?:[*<>] ?.*|[{}] \[[0-9]+ bytes data\])\r?\n?", re.MULTILINE)
_PROGRESS: Final = re.compile(rb"^\s*(?:% Total|Dload|[0-9 ]+ [0-9 ]+.*--:--).*\n?", re.MULTILINE)
_END: Final = re.compile(rb"\r?\n?\* (?:Connection #[0-9]+ to host .* left intact|Closing ).*")
_DATA: Final = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json")


def looks_like(data: bytes) -> bool:
    """Tell whether a text is the output of ``curl -v``."""
    return _LOOK.search(data) is not None and b"\n> " in b"\n" + data


def read(data: bytes) -> Captured:
    """Read request and answer; of several exchanges, as after a redirect, the last one.

    :raises Unreadable: if no request is in it.
    """
    start = max(
        (m.start() for m in re.finditer(rb"^> \S+ \S+ HTTP/", data, re.MULTILINE)), default=-1
    )
    if start < 0:
        raise Unreadable("there is no request in the output of curl; call it with -v")
    lines = [line.decode("latin-1") for line in _SENT.findall(data[start:])]
    method, target, _ = lines[0].split(" ", 2)
    headers = headers_of([line for line in lines[1:] if line.strip()])
    origin, uri = split_target(target)
    return Captured(
        *(method, uri, Sent(headers, _body_of_command(data[:start])), _answer(data[start:])),
        origin=origin or headers.get("host", ""),
    )


def _answer(data: bytes) -> Sent | None:
    status = [m.start() for m in re.finditer(rb"^< HTTP/", data, re.MULTILINE)]
    if not status:
        return None
    received = data[status[-1] :]  # after 100 Continue
    lines = [line.decode("latin-1") for line in _RECEIVED.findall(received)]
    headers = headers_of([line for line in lines[1:] if line.strip()])
    rest = received[[*_RECEIVED.finditer(received)][-1].end() :].removeprefix(b"\n")
    rest = _TOLD.sub(b"", _PROGRESS.sub(b"", _END.sub(b"", rest)))
    length = headers.get("content-length", "")
    return Sent(headers, rest[: int(length)] if length.isdecimal() else rest)


def _body_of_command(data: bytes) -> bytes | None:
    """Return what ``-d`` of the command says; None if there is no command, or it names a file."""
    found = _COMMAND.search(data)
    if found is None:
        return None
    try:
        words = shlex.split(found[1].decode("latin-1").replace("\\\r\n", " ").replace("\\\n", " "))
    except ValueError:
        return None
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name not in _DATA:
            continue
        text = value if equals else "".join(words[index + 1 : index + 2])
        if name != "--data-raw" and text.startswith("@"):
            return None
        return text.encode("latin-1")
    return None
