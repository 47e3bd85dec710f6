"""Run a page whose blocks are files, commands and transcripts, as its reader does.

``py`` and ``nginx`` blocks are files: the first line names the file, and may say "further lines".
``sh`` blocks are run. ``console`` blocks are run, and what is printed must be what the page shows;
``…`` stands for anything, and a line of it for any lines.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import flask.cli

import flask_otp_mpp.web.cli.conformance  # noqa: F401  what takes longest is imported before the fork

ROOT: Final = Path(__file__).parent.parent
BLOCK: Final = re.compile(r"^```(py|nginx|sh|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAME: Final = re.compile(r"# ([\w.-]+)(, further lines)?\n")
COMMAND: Final = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
FLASK: Final = re.compile(r'(flask [^|>&;$]*?)( \|\| echo "exit status \$\?")?')


@dataclass(frozen=True)
class Block:
    """A block of a page: its language and its text."""

    kind: str
    text: str


def blocks_of(page: str) -> Iterator[Block]:
    """Return the blocks of a page that a reader copies, in order."""
    for kind, text in BLOCK.findall(page):
        yield Block(kind, text)


def commands_of(transcript: str) -> Iterator[tuple[str, str]]:
    """Return each command of a transcript, and what it prints."""
    yield from COMMAND.findall(transcript)


def write_file(folder: Path, text: str) -> None:
    """Write a file into the folder, or add lines to it."""
    named = NAME.match(text)
    assert named is not None, f"the first line must name the file: {text[:60]!r}"
    with (folder / named[1]).open("a" if named[2] else "w") as file:
        file.write(text)


def matches(shown: str, printed: str) -> bool:
    """Tell whether the page shows what was printed."""
    lines = [
        r"(?:.*\n)*" if line == "…" else f"{'.*'.join(map(re.escape, line.split('…')))}\n"
        for line in shown.splitlines()
    ]
    return re.fullmatch("".join(lines), printed.rstrip("\n") + "\n") is not None


def run_script(folder: Path, script: str, environment: Mapping[str, str]) -> str:
    """Run a script, which must end with the status 0; return what it printed."""
    ended = subprocess.run(
        ["sh", "-ec", script],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(ROOT),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, f"{script}\nstatus {ended.returncode}\n{ended.stdout}"
    return ended.stdout


def run_command(folder: Path, command: str, environment: Mapping[str, str]) -> str:
    """Run a command of a transcript; return what it printed.

    Each command of ``flask`` is a process that is forked from one which has imported the libraries:
    their import takes longer than the command.
    """
    of_flask = FLASK.fullmatch(command)
    if of_flask is None:
        return run_script(folder, command, environment)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    output = folder.parent / "output"
    words = shlex.split(of_flask[1])
    child = context.Process(target=_flask, args=(folder, words, environment, output))
    child.start()
    child.join(60)
    printed = output.read_text()
    if of_flask[2]:
        return f"{printed}exit status {child.exitcode}\n"
    assert child.exitcode == 0, f"{command}\nstatus {child.exitcode}\n{printed}"
    return printed


def _flask(
    folder: Path, words: Sequence[str], environment: Mapping[str, str], output: Path
) -> None:
    """Be the command, in a process of its own."""
    with output.open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    os.chdir(folder)
    os.environ.update(environment)
    sys.argv = list(words)
    sys.path.insert(0, str(folder))
    flask.cli.main()
