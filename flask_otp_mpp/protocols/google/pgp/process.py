"""A program gets so much time and may say so much; then it is killed.

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
    """Say that a program did not start or took too long."""


class Overlong(Unfinished):
    """Say that a program said more than it may."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Hold what a program said.

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
    :raises Unfinished: and the program is dead.
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
                talk = _Talk(child, status, data, longest)
                talk.until(deadline)
                code = child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise Unfinished("took too long") from None
            finally:
                child.kill()  # no effect on one that was waited for
    return Finished(code, *talk.heard())


class _Talk:
    """Write to a child's input and read both of its outputs at once, so that nobody waits."""

    def __init__(
        self, child: subprocess.Popen[bytes], status: IO[bytes], data: bytes, longest: int
    ) -> None:
        self._input = cast(IO[bytes], child.stdin)
        self._output = cast(IO[bytes], child.stdout)
        self._status = status
        self._unsent = memoryview(data)
        self._heard = {self._output: bytearray(), status: bytearray()}
        self._longest = {self._output: longest, status: MAX_STATUS}

    def heard(self) -> tuple[bytes, bytes]:
        return bytes(self._heard[self._output]), bytes(self._heard[self._status])

    def until(self, deadline: float) -> None:
        """Talk until both outputs are closed.

        :raises Unfinished: if that is not before the deadline, or more is said than may be.
        """
        with selectors.DefaultSelector() as selector:
            os.set_blocking(self._input.fileno(), False)
            selector.register(self._input, selectors.EVENT_WRITE)
            selector.register(self._output, selectors.EVENT_READ)
            selector.register(self._status, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready and time.monotonic() >= deadline:
                    raise Unfinished("took too long")
                for key, _ in ready:
                    stream = cast(IO[bytes], key.fileobj)
                    over = self._write() if stream is self._input else self._read(stream)
                    if over:
                        selector.unregister(stream)

    def _write(self) -> bool:
        try:
            sent = self._input.write(self._unsent)
        except BrokenPipeError:
            sent = len(self._unsent)  # it needs no more to judge what it has
        self._unsent = self._unsent[sent or 0 :]
        if self._unsent:
            return False
        self._input.close()
        return True

    def _read(self, stream: IO[bytes]) -> bool:
        chunk = stream.read(_CHUNK)
        heard = self._heard[stream]
        heard += chunk
        if len(heard) > self._longest[stream]:
            raise Overlong("said too much")
        return not chunk
