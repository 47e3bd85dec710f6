"""Servers under load in turn: each gets its requests for a second, then the next one.

The speed of a machine with neighbours changes within seconds. Servers that are driven one after the
other for many seconds each would be compared at different speeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.driver import Run, drive, percentile
from benchmarks.processes import Server

TURN_SECONDS: Final = 1.0


class Driven:
    """Requests to one server, which are sent in turns.

    :ivar run: what became of them so far.
    :ivar cpu_seconds: the processor time of the server's processes in these turns.
    """

    def __init__(self, server: Server, requests: Sequence[bytes], connections: int) -> None:
        self.run = Run([b""] * len(requests))
        self.cpu_seconds = 0.0
        self._server, self._requests, self._connections = server, requests, connections

    def drive(self, seconds: float) -> None:
        """Send requests for one turn, if any are left."""
        if self.run.sent < len(self._requests):
            before = self._server.cpu_seconds()
            drive(self._server.ports, self._requests, self._connections, seconds, self.run)
            self.cpu_seconds += self._server.cpu_seconds() - before

    @property
    def cpu_us(self) -> float:
        """The processor time for an answer, in microseconds."""
        return self.cpu_seconds / max(1, len(self.run.times)) * 1e6

    def milliseconds(self, part: float) -> float:
        """Return how long this part of the answers took at most; 0 if there is none."""
        return percentile(self.run.times or [0.0], part) * 1e3


def in_turn(all_driven: Sequence[Driven], seconds: float) -> None:
    """Drive each server for so many seconds, or until all of its requests are sent."""
    turns = max(1, round(seconds / TURN_SECONDS))
    for _ in range(turns):
        for one in all_driven:
            one.drive(seconds / turns)
