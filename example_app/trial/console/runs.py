"""Keep what was played lately, so that a page can be loaded again."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from example_app.trial.console.choices import Choice
from example_app.trial.console.exchange import Exchange
from example_app.trial.console.faults import Fault

KEPT: Final = 50


@dataclass(slots=True)
class Round:
    """The exchanges of one press of a button.

    :param call: the API that was called, such as ``sendOTP``.
    """

    call: str
    fault: Fault
    why: str
    exchanges: list[Exchange]


@dataclass(slots=True)
class Run:
    """A send, and the attempts to verify its code.

    :param credential: the token, number or association that was sent.
    :param request_id: the caller's own id of the send (AMS, Google).
    :param reference: the id by which a code is verified; empty if no code was sent.
    """

    choice: Choice
    credential: str = field(repr=False)
    request_id: str
    reference: str = ""
    rounds: list[Round] = field(default_factory=list)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))


class Runs:
    """The last runs of this process.

    They are not stored: another process of a server does not know them, and a page for one it does
    not know is a page without a run.
    """

    def __init__(self) -> None:
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, run: Run) -> None:
        """Keep a run; the oldest one goes."""
        with self._lock:
            self._runs[run.id] = run
            while len(self._runs) > KEPT:
                self._runs.popitem(last=False)

    def get(self, run_id: str) -> Run | None:
        """Return a run by its id; None if it is not known, or not any more."""
        return self._runs.get(run_id)
