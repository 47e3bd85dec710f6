"""Count the instructions that a Python program executes between marks, by valgrind's callgrind.

The program starts uncounted, which is ten times faster, and switches counting on and off: it prints
the wanted state, and waits until this process has told valgrind and made the next file. Whenever it
calls ``mark`` while counting is on, callgrind writes a file with the instructions since the mark
before.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from benchmarks.processes import ROOT, STOP_SECONDS

SECONDS: Final = 600
_MARK: Final = "getpriority"
"""A function of the C library that nothing else calls."""
_SET: Final = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
_OBJECT: Final = re.compile(r"(c?)ob=(\(\d+\))(?: (.*))?")


def mark() -> None:
    """Separate what is counted before from what is counted after."""
    os.getpriority(os.PRIO_PROCESS, 0)


class Switch:
    """Switch counting, from within the program.

    :param folder: where the other process makes a file for each time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._times = 0

    def turn(self, state: Literal["on", "off"]) -> None:
        """Switch counting on or off, and wait until that is done."""
        self._times += 1
        print(state, flush=True)
        while not (self._folder / f"turned-{self._times}").exists():
            time.sleep(0.01)


def counts(module: str, words: Sequence[str], folder: Path) -> list[Counter[str]]:
    """Run a module; return, for each mark, the instructions before it by file of machine code.

    :param folder: where all files are written; the program needs it for its ``Switch``.
    :raises RuntimeError: with the end of its log, if the program fails, or what is missing.
    """
    program, control = shutil.which("valgrind"), shutil.which("vgdb")
    if program is None or control is None:
        raise RuntimeError("valgrind is not installed")
    log, dumps = folder / "valgrind.log", folder / "counts"
    command = [
        program, "--tool=callgrind", "--instr-atstart=no", f"--dump-before={_MARK}",
        f"--callgrind-out-file={dumps}", f"--vgdb-prefix={folder}/vgdb",
        sys.executable, "-m", module, *words,
    ]  # fmt: skip
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - no outside input
            command,
            cwd=ROOT,
            env={**os.environ, **_SET},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
        )
    try:
        assert process.stdout is not None
        for number, state in enumerate(process.stdout, 1):
            tell = [control, f"--vgdb-prefix={folder}/vgdb", f"--pid={process.pid}"]
            tell += ["instrumentation", state.strip()]
            if subprocess.run(tell, check=False, capture_output=True, timeout=SECONDS).returncode:  # noqa: S603
                break
            (folder / f"turned-{number}").touch()
        else:
            process.wait(SECONDS)
        if process.returncode != 0:
            lines = log.read_text(errors="replace").splitlines()
            raise RuntimeError("the counted program failed:\n" + "\n".join(lines[-15:]))
    finally:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=STOP_SECONDS)
    found = {int(path.suffix[1:]): path for path in folder.glob(f"{dumps.name}.*")}
    return [by_object(path.read_text()) for _, path in sorted(found.items())]


def by_object(text: str) -> Counter[str]:
    """Sum the instructions in one of callgrind's files by file of machine code."""
    names: dict[str, str] = {}
    found: Counter[str] = Counter()
    here, called = "", False
    for line in text.splitlines():
        if named := _OBJECT.match(line):
            callee, number, name = named.groups()
            if name:
                names[number] = name
            here = here if callee else names[number]
        elif line.startswith("calls="):
            called = True  # the next line holds what the callee cost, which is counted there
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if not called:
                found[here] += int(line.split()[1])
            called = False
    return found
