"""Makefile and venv.sh list their targets, and say what is missing and how to get it."""

from __future__ import annotations

import itertools
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from example_app.demo.server import ROOT

SH = shutil.which("sh") or "/bin/sh"
MAKE = shutil.which("make") or "make"


def venv(purpose: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SH, "tools/venv.sh", *purpose.split()],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!{SH}\n{text}\n")
    path.chmod(0o755)
    return path


def test_without_a_python_venv_says_what_to_get(tmp_path: Path) -> None:
    done = venv("demo", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "No Python of 3.11 or newer was found" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr


def test_an_old_python_is_no_python(tmp_path: Path) -> None:
    script(tmp_path / "python3", "exit 0")  # an old one prints nothing when asked for its path
    done = venv("demo", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "No Python of 3.11 or newer was found; looked for: python3 " in done.stderr


def test_a_python_that_was_named_is_the_only_one_looked_for() -> None:
    done = venv("demo", PATH="", PYTHON="/nowhere/python3")
    assert done.returncode == 1
    assert "looked for: /nowhere/python3\n" in done.stderr


def test_a_python_without_venv_is_told_how_to_get_it(tmp_path: Path) -> None:
    copy = tmp_path / "a copy"
    (copy / "tools").mkdir(parents=True)
    for name in ("tools/venv.sh", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, copy / name)
    python = script(
        tmp_path / "python3",
        f"""case $2 in
*_base_executable*) echo "$0" ;;
*ensurepip*) exit 1 ;;
*) exec '{sys.executable}' "$@" ;;
esac""",
    )
    for tool in ("cat", "cksum"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    done = subprocess.run(
        [SH, str(copy / "tools/venv.sh"), "test"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert f"{python} can't make environments" in done.stderr
    assert "apt install python3-venv" in done.stderr
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize("purpose", ["", "lunch"])
def test_a_purpose_that_is_none_is_answered_with_the_usage(purpose: str) -> None:
    done = venv(purpose, PATH="")
    assert done.returncode == 1
    assert done.stderr == "usage: sh tools/venv.sh demo|test|bench|docs|lowest|newest\n"


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # A make that runs the tests would hand its own arguments down.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [MAKE, *words],
        cwd=folder,
        env=plain,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("words", [[], ["help"]])
def test_make_lists_its_targets_by_what_they_are_for(words: list[str]) -> None:
    done = make(ROOT, *words)
    assert done.returncode == 0
    groups = dict(re.findall(r"^To (\w+) it:\n((?:  .+\n)+)", done.stdout, re.MULTILINE))
    assert list(groups) == ["use", "change", "publish"]
    listed = [re.findall(r"^  make (\S+)  ?", group, re.MULTILINE) for group in groups.values()]
    declared = re.findall(r"^\.PHONY: help (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(itertools.chain(*listed)) == sorted(declared[0].split())
    assert "demo" in listed[0]
    assert "lint" in listed[1]
    assert "dist" in listed[2]


@pytest.mark.parametrize("word", ["test", "sbom"])
def test_without_a_wheel_wheel_sh_says_how_to_build_one(tmp_path: Path, word: str) -> None:
    (tmp_path / "tools").mkdir()
    copy = shutil.copy(ROOT / "tools/wheel.sh", tmp_path / "tools")
    done = subprocess.run([SH, copy, word], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "There is no wheel in dist/: run make dist.\n"


@pytest.mark.slow
def test_a_taken_port_is_said_plainly(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(ROOT / "example_app", tmp_path / "example_app")).parent
    shutil.copy(ROOT / "Makefile", copy)
    (copy / "tools").mkdir()
    script(copy / "tools/venv.sh", "exit 0")
    (copy / ".venv/bin").mkdir(parents=True)
    script(copy / ".venv/bin/python", f"PYTHONPATH='{ROOT}' exec '{sys.executable}' \"$@\"")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = make(copy, "serve", f"PORT={port}")
    assert done.returncode != 0
    assert f"Port {port} is in use" in done.stderr
    assert "make serve PORT=" in done.stdout


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-lowest.txt"])
def test_the_constraints_are_plain_pins(file: str) -> None:
    lines = (ROOT / file).read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 10
    assert all(len(pin.split("==")) == 2 and " " not in pin for pin in pins)


def test_the_lowest_versions_are_those_that_the_project_names() -> None:
    """O4: if this fails, run `python tools/lowest.py`."""
    lowest = runpy.run_path(str(ROOT / "tools/lowest.py"))
    assert (ROOT / "constraints-lowest.txt").read_text() == lowest["pins"]()
