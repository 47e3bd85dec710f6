"""Count the instructions that a Python program executes between marks, by valgrind's callgrind.

The program starts uncounted, which is ten times faster. When it prints a line, counting begins, and
the file that it waits for is written. Whenever it calls ``mark``, callgrind writes a file with the
instructions since the mark before.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.processes import ROOT, STOP_SECONDS

SECONDS: Final = 600
_MARK: Final = "getpriority"
"""A function of the C library that nothing else calls."""
_SET: Final = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
_OBJECT: Final = re.compile(r"(c?)ob=(\(\d+\))(?: (.*))?")


def mark() -> None:
    """Separate what is counted before from what is counted after."""
    os.getpriority(os.PRIO_PROCESS, 0)


def counts(module: str, words: Sequence[str], go: Path) -> list[Counter[str]]:
    """Run a module; return, for each mark, the instructions before it by file of machine code.

    :param go: the file that the program waits for; the counts are written beside it.
    :raises RuntimeError: with the end of its log, if the program fails, or what is missing.
    """
    program, control = shutil.which("valgrind"), shutil.which("vgdb")
    if program is None or control is None:
        raise RuntimeError("valgrind is not installed")
    log, dumps = go.parent / "valgrind.log", go.parent / "counts"
    command = [
        program, "--tool=callgrind", "--instr-atstart=no", f"--dump-before={_MARK}",
        f"--callgrind-out-file={dumps}", f"--vgdb-prefix={go.parent}/vgdb",
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
        )
    try:
        assert process.stdout is not None
        if process.stdout.readline():
            _begin(control, go.parent / "vgdb", process.pid)
            go.touch()
        process.wait(SECONDS)
        if process.returncode:
            lines = log.read_text(errors="replace").splitlines()
            raise RuntimeError("the counted program failed:\n" + "\n".join(lines[-15:]))
    finally:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=STOP_SECONDS)
    found = {int(path.suffix[1:]): path for path in dumps.parent.glob(f"{dumps.name}.*")}
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


def _begin(control: str, prefix: Path, pid: int) -> None:
    """Make callgrind count from now on."""
    words = [f"--vgdb-prefix={prefix}", f"--pid={pid}", "instrumentation", "on"]
    subprocess.run([control, *words], check=True, capture_output=True, timeout=60)  # noqa: S603
