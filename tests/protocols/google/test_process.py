"""A program gets so much time and may say so much; then it is killed."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from flask_otp_mpp.protocols.google.pgp import process
from flask_otp_mpp.protocols.google.pgp.process import Finished, Overlong, Unfinished, run


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Be a program that keeps its process id and then does as its first argument says."""
    path = tmp_path / "program"
    path.write_text(f'#!/usr/bin/env bash\necho $$ > {tmp_path}/pid\neval "$3"\n')
    path.chmod(stat.S_IRWXU)
    return path


def call(program: Path, script: str, data: bytes = b"", **how: float) -> Finished:
    limits: dict[str, float] = {"timeout": 60, "longest": 10} | how
    command = [str(program), script]
    env = {"PATH": os.environ["PATH"]}
    return run(command, data, env=env, timeout=limits["timeout"], longest=int(limits["longest"]))


def is_dead(program: Path) -> bool:
    return not Path("/proc", program.with_name("pid").read_text("ascii").strip()).exists()


def test_output_status_and_exit_code_come_back(program: Path) -> None:
    done = call(program, "cat; echo fine >&$2; echo noise >&2; exit 3", b"data")
    assert done == Finished(3, b"data", b"fine\n")
    assert "data" not in repr(done)


def test_much_goes_both_ways_at_once(program: Path) -> None:
    data = os.urandom(3_000_000)
    assert call(program, "cat", data, longest=len(data)).output == data


def test_a_program_that_does_not_read_is_heard_all_the_same(program: Path) -> None:
    assert call(program, "exec <&-; echo ok", b"x" * 3_000_000).output == b"ok\n"


@pytest.mark.parametrize(
    "script",
    [
        "exec sleep 600",
        "exec cat /dev/zero >/dev/null",
        "exec >&- 2>&-; eval exec $2'>&-'; exec sleep 600",
    ],
)
def test_a_program_that_takes_too_long_is_killed(script: str, program: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Unfinished, match="took too long"):
        call(program, script, timeout=0.5)
    assert time.monotonic() - began < 30
    assert is_dead(program)


def test_a_program_that_says_too_much_is_killed(program: Path) -> None:
    with pytest.raises(Overlong):
        call(program, "exec cat /dev/zero")
    assert is_dead(program)


def test_a_program_that_reports_too_much_is_killed(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MAX_STATUS", 100)
    with pytest.raises(Overlong):
        call(program, "exec cat /dev/zero >&$2")
    assert is_dead(program)


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unfinished, match="did not start"):
        call(tmp_path / "nothing", "")


def test_no_descriptor_is_left_open(program: Path) -> None:
    before = os.listdir("/proc/self/fd")
    call(program, "cat", b"data")
    with pytest.raises(Overlong):
        call(program, "exec cat /dev/zero")
    with pytest.raises(Unfinished):
        call(program.with_name("nothing"), "")
    assert len(os.listdir("/proc/self/fd")) == len(before)
