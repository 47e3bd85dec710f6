"""Run a program with limits on its time and its output.

Bytes go through pipes only, so that nothing of a message is ever in a file.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Final, cast

MAX_STATUS: Final = 256 * 1024
_CHUNK: Final = 64 * 1024


class Unfinished(Exception):
    """A program did not start, or took too long."""


class Overlong(Unfinished):
    """A program wrote more than it may."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program wrote.

    :param status: what it wrote to its status descriptor.
    """

    code: int
    output: bytes = field(repr=False)
    status: bytes = field(repr=False)


def run(
    command: Sequence[str],
    data: bytes,
    *,
    env: Mapping[str, str],
    timeout: float,
    longest: int,
) -> Finished:
    """Run ``command --status-fd N`` and its further arguments, with data on its standard input.

    :param timeout: in seconds, over all.
    :param longest: how many bytes it may write to its standard output.
    :raises Unfinished: the program is killed then.
    """
    deadline = time.monotonic() + timeout
    status_read, status_write = os.pipe()
    with open(status_read, "rb", buffering=0) as status:
        try:
            child = subprocess.Popen(  # noqa: S603 - no shell; no argument comes from a message
                [command[0], "--status-fd", str(status_write), *command[1:]],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(status_write,),
                env=env,
            )
        except OSError as error:
            raise Unfinished(f"did not start ({type(error).__name__})") from None
        finally:
            os.close(status_write)
        with child:
            try:
                pipes = _Pipes(child, status, data, longest)
                pipes.run(deadline)
                code = child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise Unfinished("took too long") from None
            finally:
                child.kill()  # no effect on one that was waited for
    return Finished(code, *pipes.results())


class _Pipes:
    """The pipes of a child: write its input and read both outputs at once, so that none blocks.

    They are used by their descriptors, since gevent's file objects wait by themselves.
    """

    def __init__(
        self, child: subprocess.Popen[bytes], status: IO[bytes], data: bytes, longest: int
    ) -> None:
        self._stdin = cast(IO[bytes], child.stdin)
        self._input = self._stdin.fileno()
        self._output = cast(IO[bytes], child.stdout).fileno()
        self._status = status.fileno()
        self._unsent = memoryview(data)
        self._received = {self._output: bytearray(), self._status: bytearray()}
        self._longest = {self._output: longest, self._status: MAX_STATUS}

    def results(self) -> tuple[bytes, bytes]:
        return bytes(self._received[self._output]), bytes(self._received[self._status])

    def run(self, deadline: float) -> None:
        """Write and read until both outputs are closed.

        :raises Unfinished: if they are not before the deadline, or one is too long.
        """
        with selectors.DefaultSelector() as selector:
            os.set_blocking(self._input, False)
            selector.register(self._input, selectors.EVENT_WRITE)
            selector.register(self._output, selectors.EVENT_READ)
            selector.register(self._status, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready and time.monotonic() >= deadline:
                    raise Unfinished("took too long")
                for key, _ in ready:
                    if key.fd != self._input:
                        if self._read(key.fd):
                            selector.unregister(key.fd)
                    elif self._write():
                        selector.unregister(key.fd)
                        self._stdin.close()

    def _write(self) -> bool:
        try:
            sent = os.write(self._input, self._unsent)
        except BrokenPipeError:
            sent = len(self._unsent)  # it reads no more, and its status says why
        self._unsent = self._unsent[sent:]
        return not self._unsent

    def _read(self, descriptor: int) -> bool:
        chunk = os.read(descriptor, _CHUNK)
        received = self._received[descriptor]
        received += chunk
        if len(received) > self._longest[descriptor]:
            raise Overlong("wrote too much")
        return not chunk
