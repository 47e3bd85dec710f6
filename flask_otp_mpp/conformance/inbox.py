"""How the kit learns the code that a user has received."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from flask_otp_mpp.conformance.toml_table import Table

WAIT_SECONDS: Final = 10.0
"""How long a message may take to arrive."""
_POLL_SECONDS: Final = 0.1
_CODE: Final = re.compile(r"(?<!\d)\d{6,10}(?!\d)")


class Inbox(Protocol):
    """Give the newest message of a user."""

    def newest(self, user: str, challenge: str) -> str | None:
        """Return a text that holds the code and differs from message to message.

        :param user: the credential by which the user is named in requests.
        :param challenge: the id of the challenge; empty before there is one.
        :returns: None if there is no message.
        """
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """The code of a message that is yet to come.

    :param before: what the inbox held before the message was asked for.
    """

    inbox: Inbox
    user: str = field(repr=False)
    before: str | None = field(repr=False)

    def code(self, challenge: str, seconds: float = WAIT_SECONDS) -> str | None:
        """Return the code; None if no message arrives in time."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.inbox.newest(self.user, challenge)
            if text is not None and text != self.before:
                found = _CODE.findall(text)
                return found[-1] if found else None
            if time.monotonic() > deadline:
                return None
            time.sleep(_POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A sandbox whose code is always the same."""

    code: str = field(repr=False)

    def newest(self, user: str, challenge: str) -> str | None:
        return self.code if challenge else None


@dataclass(frozen=True, slots=True)
class Command:
    """A command that prints the newest message; ``{user}`` and ``{id}`` are replaced."""

    words: tuple[str, ...]

    def newest(self, user: str, challenge: str) -> str | None:
        words = [word.replace("{user}", user).replace("{id}", challenge) for word in self.words]
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - the user's own command
        return done.stdout if done.returncode == 0 and done.stdout.strip() else None


@dataclass(frozen=True, slots=True)
class JsonUrl:
    """A URL that answers with JSON; a JSON pointer (RFC 6901) finds the message in it.

    In a list, the step ``-`` is its last member. ``{user}`` and ``{id}`` in the URL are replaced.
    """

    url: str
    pointer: str

    def newest(self, user: str, challenge: str) -> str | None:
        url = self.url.replace("{user}", urllib.parse.quote(user, safe=""))
        url = url.replace("{id}", urllib.parse.quote(challenge, safe=""))
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - checked in open_inbox
                found = follow(json.load(answer), self.pointer)
        except (urllib.error.URLError, ValueError, LookupError, TypeError):
            return None
        return json.dumps(found)


@dataclass(frozen=True, slots=True)
class File:
    """A file to which the wallet writes messages, a line each; ``{user}`` in its path is replaced.

    Only lines that hold the user or the challenge count, where the path does not name the user.
    """

    path: str

    def newest(self, user: str, challenge: str) -> str | None:
        try:
            lines = Path(self.path.replace("{user}", user)).read_text("utf-8").splitlines()
        except OSError:
            return None
        numbered = [f"{number}: {line}" for number, line in enumerate(lines, 1)]
        if "{user}" not in self.path:
            names = [name for name in (user, challenge) if name]
            numbered = [line for line in numbered if any(name in line for name in names)]
        return numbered[-1] if numbered else None


_terminal: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Terminal:
    """Ask the person at the terminal."""

    def newest(self, user: str, challenge: str) -> str | None:
        if not challenge:
            return None
        with _terminal:
            sys.stderr.write(f"The code that {user} received for {challenge}: ")
            sys.stderr.flush()
            return sys.stdin.readline().strip() or None


def open_inbox(table: Table) -> Inbox | None:
    """Return the inbox that a configuration describes; None after a fault."""
    kind = table.text("kind")
    match kind:
        case "fixed":
            return Fixed(table.text("code"))
        case "command":
            return Command(table.words("command"))
        case "json":
            url = table.text("url")
            if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
                table.fault("url", "write an http or https URL")
            return JsonUrl(url, table.text("pointer"))
        case "file":
            return File(table.path("path"))
        case "terminal":
            return Terminal()
    table.fault("kind", "write one of: fixed, command, json, file, terminal")
    return None


def follow(value: Any, pointer: str) -> Any:
    """Return what a JSON pointer (RFC 6901) points to; ``-`` is the last member of a list.

    :raises LookupError: if there is no such member.
    """
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        of_list = isinstance(value, list)
        value = value[(-1 if name == "-" else int(name)) if of_list else name]
    return value
