"""Where the other libraries' messages end: one line in a file for each, as those of ``lean``.

The message is made by the library, with its own templates; a mail server is not measured.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

_CODE: Final = re.compile(r"\b\d{6}\b")
_opened: list[Any] = []


def put(address: str, text: str) -> None:
    """Write a message into the file that BENCH_OUTBOX names, which stays open in this process."""
    if not _opened:
        box = Path(os.environ["BENCH_OUTBOX"])
        _opened.append(box.open("a", buffering=1))
    _opened[0].write(json.dumps([address, text]) + "\n")


class EmailBackend:
    """A backend of Django for e-mail, as the setting EMAIL_BACKEND names one."""

    def __init__(self, **_options: object) -> None:
        pass

    def send_messages(self, messages: Sequence[Any]) -> int:
        """Write messages; return how many."""
        for message in messages:
            put(message.to[0], message.body)
        return len(messages)


def codes(outbox: Path, users: Iterable[str]) -> dict[str, str]:
    """Return the code that each user was sent last."""
    wanted, found = set(users), {}
    for address, text in _messages(outbox):
        code = _CODE.search(text)
        if address in wanted and code is not None:
            found[address] = code[0]
    return found


def counted(outbox: Path) -> Counter[str]:
    """Return how many messages each user was sent."""
    return Counter(address for address, _ in _messages(outbox))


def _messages(outbox: Path) -> list[tuple[str, str]]:
    return [tuple(json.loads(line)) for line in outbox.read_text().splitlines()]
