"""Connections that are replaced as soon as another server is the primary."""

from __future__ import annotations

from typing import Any, Final

import redis
from redis.connection import Connection, SSLConnection

from flask_otp_mpp.core.deadline import seconds_left

_LONGEST: Final = 60.0
"""The time-out of a connection that has none, in seconds."""


class Generation:
    """Number the generations of a pool's connections; those of an older one are replaced."""

    def __init__(self) -> None:
        self.number = 0

    def end(self) -> None:
        """Have every connection that is open replaced before it is used again."""
        self.number += 1


class Primary:
    """Find the primary of a service by its Sentinels.

    :param generation: ended when Sentinel names another server than before. The old primary lives
        on for a while, and would go on answering those who are connected to it.
    """

    def __init__(
        self, sentinel: redis.sentinel.Sentinel, service: str, generation: Generation
    ) -> None:
        self.service = service
        self._sentinel = sentinel
        self._generation = generation
        self._known: tuple[str, int] | None = None

    def find(self) -> tuple[str, int]:
        """Return host and port.

        :raises redis.ConnectionError: if no Sentinel names a primary.
        """
        found: tuple[str, int] = self._sentinel.discover_master(self.service)  # type: ignore[no-untyped-call]
        if found != self._known:
            self._known = found
            self._generation.end()
        return found

    def close(self) -> None:
        """Close the connections to the Sentinels."""
        for sentinel in self._sentinel.sentinels:
            sentinel.close()


class RenewedConnection(Connection):
    """A connection that is opened again when its generation has ended.

    A pool calls :meth:`connect` each time before it gives a connection away.

    :param primary: where to connect to, if Sentinel decides that.
    """

    def __init__(
        self, *, generation: Generation, primary: Primary | None = None, **options: Any
    ) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._generation, self._primary = generation, primary
        self._opened_in = generation.number
        self._connect_seconds: float | None = self.socket_connect_timeout

    def connect(self) -> None:
        if self._opened_in != self._generation.number:
            self.disconnect()  # type: ignore[no-untyped-call]
        self.socket_connect_timeout = _until_deadline(self._connect_seconds)
        super().connect()  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        if self._primary is not None:
            self.host, self.port = self._primary.find()
        self._opened_in = self._generation.number
        return super()._connect()  # type: ignore[no-untyped-call]

    def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
        """Send a command, whose answer is waited for until the deadline."""
        super().send_packed_command(*args, **kwargs)  # type: ignore[no-untyped-call]
        opened: Any = self._sock
        opened.settimeout(_until_deadline(self.socket_timeout))


def _until_deadline(seconds: float | None) -> float:
    """Return a time-out that ends with the request; a socket takes 0 for another mode."""
    return max(0.05, seconds_left(_LONGEST if seconds is None else seconds))


class RenewedSSLConnection(RenewedConnection, SSLConnection):
    """The same by TLS."""
