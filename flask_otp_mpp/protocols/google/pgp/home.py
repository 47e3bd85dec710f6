"""A GNUPGHOME for one account: a private directory with its keys, and an agent of its own.

It is made at start-up from the configured keys and removed at the end. A directory of the
deployment would bring options, keyrings and agents that are not known here; in this one there are
the configured keys only, and two workers never write to the same keyring.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import shutil
import subprocess
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, cast

from flask_otp_mpp.protocols.google.pgp.directories import make_locked, remove_abandoned
from flask_otp_mpp.protocols.google.pgp.process import Finished, Unfinished, run
from flask_otp_mpp.protocols.google.pgp.version import find_fault
from flask_otp_mpp.signing.keys import KeyFault

START_TIMEOUT: Final = 20.0
"""How long a single program may take at start-up, in seconds."""
MAX_LISTING: Final = 1024 * 1024

logger = logging.getLogger("flask_otp_mpp")

# A socket's path has 107 characters (unix(7)); the longest of the agent's names takes these.
_LONGEST_HOME: Final = 107 - len("/S.gpg-agent.browser")
_INSTALL: Final = "install GnuPG 2.2.4 or later (Debian, Ubuntu: apt install gnupg), or take 'jose'"
# Its locked memory is small; with many keys of 4096 bits in use at once it must extend it, by so
# many bytes, or it answers that it can't allocate any (since GnuPG 2.2.4).
_AGENT_OPTIONS: Final = {"allow-loopback-pinentry": "", "auto-expand-secmem": "262144"}
_OPTIONS: Final = (
    "--no-options",
    "--batch",
    "--no-tty",
    "--quiet",
    "--no-permission-warning",
    "--no-random-seed-file",
    "--no-auto-key-locate",
    "--no-auto-key-retrieve",
    "--no-auto-check-trustdb",
    "--disable-dirmngr",
    "--lock-never",
    "--trust-model",
    "always",
    "--pinentry-mode",
    "loopback",
)


class GpgHome:
    """A GNUPGHOME with an agent of its own.

    It is removed when it is closed or collected, or when the interpreter exits; if the process is
    killed, by the next one that starts. The agent ends with
    this process even if that is killed: it is started as the parent of a ``cat`` that waits for the
    end of a pipe from this process, and an agent ends when that child has ended. gpg starts another
    agent if it is missing.

    :param program: gpg, by name or path.
    :ivar path: the directory.
    :raises KeyFault: if GnuPG is not there or does not start.
    """

    def __init__(self, program: str) -> None:
        self._gpg = _find(program)
        gpgconf, agent = _find("gpgconf"), _find("gpg-agent")
        if removed := remove_abandoned():
            logger.warning("removed %d PGP key directories of processes that were killed", removed)
        # Programs that clean temporary directories (systemd-tmpfiles) leave locked ones alone too.
        self.path, lock = make_locked()
        self._env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "GNUPGHOME": self.path,
        }
        kill = (gpgconf, "--homedir", self.path, "--kill", "gpg-agent")
        holders: list[subprocess.Popen[bytes]] = []
        self._end = weakref.finalize(self, _end, os.getpid(), self._env, kill, holders, lock)
        if len(os.fsencode(self.path)) > _LONGEST_HOME:
            self.close()
            raise KeyFault(
                "would have its GnuPG directory at a path too long for a socket; set TMPDIR to a "
                "shorter one"
            )
        holders.append(self._start(agent))
        if not _is_ready(holders[0]):
            self.close()
            raise KeyFault(f"can't be set up: gpg-agent does not start; {_INSTALL}")
        try:
            fault = find_fault(self.ask(["--version"]).output)
        except KeyFault:
            self.close()
            raise
        if fault:
            logger.warning("PGP: gpg %s", fault)

    def run(
        self, arguments: Sequence[str], data: bytes, *, timeout: float, longest: int
    ) -> Finished:
        """Run gpg on this home.

        :raises Unfinished: if it does not end in time; it is killed then.
        """
        command = (self._gpg, "--homedir", self.path, *_OPTIONS, *arguments)
        return run(command, data, env=self._env, timeout=timeout, longest=longest)

    def ask(self, arguments: Sequence[str], data: bytes = b"") -> Finished:
        """Run gpg at start-up.

        :raises KeyFault: if it does not end.
        """
        try:
            return self.run(arguments, data, timeout=START_TIMEOUT, longest=MAX_LISTING)
        except Unfinished as fault:
            raise KeyFault(f"can't be set up: gpg {fault}; {_INSTALL}") from None

    def close(self) -> None:
        """End the agent and remove the directory; a forked child leaves both to its parent."""
        self._end()

    def _start(self, agent: str) -> subprocess.Popen[bytes]:
        """Start the agent; its child writes a line as soon as the sockets are there.

        One that gpg starts later, because this one is missing, reads the same options in a file.
        """
        options = "".join(f"{name} {value}\n" for name, value in _AGENT_OPTIONS.items())
        file = os.open(f"{self.path}/gpg-agent.conf", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(file, "w", encoding="ascii") as config:
            config.write(options)
        command = [agent, "--homedir", self.path, "--no-options", "--quiet"]
        for name, value in _AGENT_OPTIONS.items():
            command += [f"--{name}", *value.split()]
        command += ["--daemon", "--"]
        return subprocess.Popen(  # noqa: S603 - no argument comes from a message
            [*command, "/bin/sh", "-c", "echo ready; exec cat"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._env,
        )


def _is_ready(holder: subprocess.Popen[bytes]) -> bool:
    output = cast(IO[bytes], holder.stdout)
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        return bool(selector.select(START_TIMEOUT)) and output.read(1) == b"r"


def _end(
    owner: int,
    env: Mapping[str, str],
    kill: Sequence[str],
    holders: Sequence[subprocess.Popen[bytes]],
    lock: int,
) -> None:
    if os.getpid() != owner:
        return
    nothing = subprocess.DEVNULL
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(  # noqa: S603 - no argument comes from a message
            kill,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            env=env,
            timeout=START_TIMEOUT,
            check=False,
        )
    for holder in holders:
        with holder:
            holder.kill()
    shutil.rmtree(env["GNUPGHOME"], ignore_errors=True)
    os.close(lock)


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise KeyFault(f"needs the program {Path(program).name!r}, which is not there; {_INSTALL}")
    return found
