"""How a process writes its chains: killed, forked, in many threads, when connections are lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from flask_otp_mpp import Caller, Event, Operation, Reason
from flask_otp_mpp.audit.failure import AuditError, OnFailure
from flask_otp_mpp.audit.record import Kind
from flask_otp_mpp.audit.trail import AuditTrail
from flask_otp_mpp.core.secret import Secret
from tests.audit.trails import PEPPER, act, findings, opened, send, trail_on
from tests.faults.backends import empty_backend, host_and_port, through_port
from tests.faults.proxy import Fault, proxy_to

WRITER = """
import os, sys
from tests.audit.trails import send, trail_on

trail = trail_on(sys.argv[1])
trail.record(send())
for _ in range(int(sys.argv[2])):
    os.fork()
os.write(1, b"begun\\n")  # in one piece, whoever else writes
for _ in range(3000):
    trail.record(send())
"""
OTHER = Secret(b"another pepper of more than thirty-two bytes")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'audit.db'}"


def chains(trail: AuditTrail) -> dict[str, list[str]]:
    """Return the kinds of the rows of each chain."""
    found: dict[str, list[str]] = {}
    for row in trail.table.by_chain():
        found.setdefault(row.chain, []).append(row.kind)
    return found


def test_only_what_a_proven_caller_or_an_operator_did_becomes_a_row(url: str) -> None:
    """O11: a flood of strangers, and one that is turned away, fill no table; they are counted."""
    caller = Caller("alipayplus", "client")
    with opened(url) as trail:
        for event in (
            Event("alipayplus", Operation.SEND, reason=Reason.SIGNATURE_INVALID),
            Event("alipayplus", None, caller, Reason.PATH_UNKNOWN),
            Event("alipayplus", Operation.SEND, caller, Reason.TRAFFIC_EXCEEDED),
            Event("alipayplus", Operation.SEND, caller, Reason.OVERLOADED),
            Event("google", Operation.ECHO, caller),
        ):
            trail.record(event)
        assert chains(trail) == {}
        trail.record(Event("alipayplus", Operation.VERIFY, caller, Reason.CODE_UNMATCHED))
        trail.record(act())
        assert list(chains(trail).values()) == [[Kind.ANCHOR, Kind.DECISION, Kind.ACT]]
        counted = [row.fields.get("not_recorded") for row in trail.table.by_chain()]
        assert counted == [None, 5, None]


def test_the_newest_rows_of_a_user_are_returned_first(url: str) -> None:
    """O11: for the support, whatever chain they are in."""
    with opened(url) as trail:
        for number in range(7):
            trail.record(send(number))
        trail.record(act())
        found = trail.recent("user-1", 3)
        assert [row.fields.get("challenge") for row in found] == [
            *(None, "challenge-4", "challenge-1")
        ]
        assert [row.fields["operation"] for row in found] == ["unlock", "send", "send"]


def test_threads_that_write_at_once_have_a_chain_each(url: str) -> None:
    """O11: each chain is whole, and none waits for another."""
    with opened(url) as trail:

        def write() -> None:
            for _ in range(5):
                trail.record(send())

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = chains(trail)
        assert sum(len(kinds) - 1 for kinds in found.values()) == 20
        assert 1 <= len(found) <= 4
        assert findings(trail) == []


@pytest.mark.slow
@pytest.mark.parametrize("forks", [0, 1])
def test_a_writer_that_is_killed_leaves_chains_that_verify(url: str, forks: int) -> None:
    """O11: at any moment; a forked worker has a chain of its own."""
    with opened(url) as trail:
        command = [sys.executable, "-c", WRITER, url, str(forks)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, process_group=0
        ) as process:
            assert process.stdout is not None
            for _ in range(2**forks):
                assert process.stdout.readline() == "begun\n"
            time.sleep(0.3)
            os.killpg(process.pid, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        found = chains(trail)
        assert len(found) == 1 + forks
        assert all(len(kinds) > 3 for kinds in found.values())
        assert findings(trail) == []


def test_changed_keys_and_peppers_are_recorded_at_the_first_write(url: str) -> None:
    """O11: by their names; neither a key nor a pepper is in a row."""
    with opened(url, PEPPER, prints={"own 1": "aa", "own 2": "bb"}) as first:
        first.record(act())
    with opened(url, OTHER, PEPPER, prints={"own 1": "ab", "own 3": "cc"}) as later:
        later.record(act())
        later.record(act())
        [changed] = [row for row in later.table.by_chain() if row.kind == Kind.CHANGE]
        added = later.keys.ids[0]
        assert changed.fields == {
            "protocol": "operator",
            "operation": "key_change",
            "count": 4,
            "keys_added": ["own 3"],
            "keys_removed": ["own 2"],
            "keys_replaced": ["own 1"],
            "peppers_added": [added],
        }
        assert findings(later) == []
        held = json.dumps([row.record for row in later.table.by_chain()])
    for pepper in (PEPPER, OTHER):
        assert pepper.reveal().decode() not in held
    with opened(url, OTHER, PEPPER, prints={"own 1": "ab", "own 3": "cc"}) as same:
        same.record(act())
        assert [row.kind for row in same.table.by_chain()].count(Kind.CHANGE) == 1


def test_a_change_that_two_processes_find_at_once_is_recorded_and_told_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O11: as when all workers of a server begin anew with another key."""
    with opened(url) as before:
        before.record(act())
    told: list[Event] = []
    new = {"own 2": "bb"}
    with (
        opened(url, prints=new, on_change=told.append) as early,
        opened(url, prints=new, on_change=told.append) as late,
    ):
        read = late.table.last_anchor()
        early.record(act())
        monkeypatch.setattr(late.table, "last_anchor", lambda: read)
        late.record(act())
        assert [event.changes for event in told] == [
            {"keys_added": ["own 2"], "keys_removed": ["own 1"]}
        ]
        assert [kinds.count(Kind.CHANGE) for kinds in chains(late).values()].count(1) == 1
        assert sum(kinds.count(Kind.ACT) for kinds in chains(late).values()) == 3
        assert findings(late) == []


def test_what_can_not_be_recorded_is_an_error_or_a_line_in_the_log(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """O11: as the setting says; there is no table here."""
    closed, opened_up = trail_on(url), trail_on(url, on_failure=OnFailure.OPEN)
    with pytest.raises(AuditError, match="the audit trail could not be written"):
        closed.record(send())
    opened_up.record(send())
    assert "the audit trail could not be written" in caplog.text
    for trail in (closed, opened_up):
        trail.table.store.engine.dispose()


@pytest.mark.server
@pytest.mark.parametrize("backend", ["postgresql", "mariadb"])
class TestLostConnections:
    """A database that is away, or silent."""

    def test_a_row_whose_answer_is_lost_is_written_again(
        self, backend: str, tmp_path: Path
    ) -> None:
        """O11: in another chain: both verify, and nothing is missing."""
        with (
            empty_backend(backend, tmp_path) as url,
            proxy_to(*host_and_port(url)) as proxy,
            opened(through_port(url, proxy.port)) as trail,
        ):
            trail.record(send(0))
            proxy.when(b"COMMIT", Fault.CUT_ANSWER)
            trail.record(send(1))
            trail.record(send(2))
            assert proxy.triggered == 1
            told = [row.fields.get("challenge") for row in trail.table.by_chain()]
            assert {"challenge-0", "challenge-1", "challenge-2"} < set(told)
            assert len(chains(trail)) == 2
            assert findings(trail) == []

    @pytest.mark.slow
    def test_a_silent_database_holds_few_threads_and_none_for_long(
        self, backend: str, tmp_path: Path
    ) -> None:
        """O11: a request's answer leaves in time, and the others are refused at once."""
        with (
            empty_backend(backend, tmp_path) as url,
            proxy_to(*host_and_port(url)) as proxy,
            opened(through_port(url, proxy.port)) as trail,
        ):
            trail.record(send())
            proxy.black_hole()
            took: list[float] = []

            def write() -> None:
                begin = time.monotonic()
                with pytest.raises(AuditError):
                    trail.record(send())
                took.append(time.monotonic() - begin)

            threads = [threading.Thread(target=write) for _ in range(16)]
            for thread in threads[:8]:
                thread.start()
            time.sleep(0.8)
            for thread in threads[8:]:
                thread.start()
            for thread in threads:
                thread.join()
            took.sort()
            assert took[7] < 0.5
            assert took[-1] < 4.5
            proxy.heal()
            time.sleep(1.1)
            trail.record(send())
            assert findings(trail) == []
