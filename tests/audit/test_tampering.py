"""Whoever can write to the database can't change the audit trail unseen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_otp_mpp.audit.chain import AuditKeys, Chain, Entry
from flask_otp_mpp.audit.record import Kind
from flask_otp_mpp.audit.retention import purge
from flask_otp_mpp.audit.table import audit
from flask_otp_mpp.audit.trail import AuditTrail
from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.stores.sql.types import EPOCH
from tests.audit.trails import change, findings, heads_of, opened, send, trail_on
from tests.services import MARIADB, POSTGRESQL
from tests.stores.servers import mysql_url, postgresql_url

ROWS = 6  # and the anchor is row 1
OTHER = Secret(b"another pepper of more than thirty-two bytes")


@pytest.fixture(params=["sqlite", POSTGRESQL, MARIADB])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    places: dict[str, Callable[[], AbstractContextManager[str]]] = {
        "sqlite": lambda: nullcontext(f"sqlite:///{tmp_path / 'audit.db'}"),
        "postgresql": lambda: postgresql_url("audit"),
        "mariadb": lambda: mysql_url("audit"),
    }
    with places[request.param]() as url:
        yield url


@pytest.fixture
def trail(url: str) -> Iterator[AuditTrail]:
    """Open a trail with one chain: the anchor and six decisions."""
    with opened(url) as trail:
        for number in range(ROWS):
            trail.record(send(number))
        yield trail


def rows(trail: AuditTrail) -> list[Entry]:
    return list(trail.table.by_chain())


def insert(trail: AuditTrail, *entries: Entry) -> None:
    def work(db: sa.Connection) -> None:
        for entry in entries:
            db.execute(sa.insert(audit).values(asdict(entry)))

    trail.table.in_transaction(work)


def test_a_trail_that_nobody_has_touched_is_found_as_it_was_written(trail: AuditTrail) -> None:
    """O11: with and without its head."""
    assert findings(trail) == []
    assert findings(trail, heads_of(trail)) == []
    assert [row.number for row in rows(trail)] == list(range(1, ROWS + 2))


EDITS = (
    *("subject = 'user-9'", "record = '{}'", "time = time + 1", "kind = 'act'"),
    *("mac = 'ab'", "hash = 'ab'", "previous = 'ab'"),
)


def test_an_edit_of_any_column_is_found(trail: AuditTrail) -> None:
    """O11: also one of the seals themselves."""
    was = rows(trail)[3]
    for edit in EDITS:
        assert change(trail, f"UPDATE otp_mpp_audit SET {edit} WHERE number = 4") == 1
        assert any("row 4" in one for one in findings(trail)), edit
        change(trail, "DELETE FROM otp_mpp_audit WHERE number = 4")
        insert(trail, was)
        assert findings(trail) == []


def test_an_edit_is_found_though_its_hashes_are_computed_anew(trail: AuditTrail) -> None:
    """O11: the MACs can't be: they need the pepper."""
    forged, previous = [], ""
    for row in rows(trail):
        made = replace(row, subject="user-9", previous=previous)
        previous = made.digest
        forged.append(replace(made, hash=previous))
    change(trail, "DELETE FROM otp_mpp_audit")
    insert(trail, *forged)
    assert len(findings(trail)) == ROWS + 1


def test_a_removed_row_is_found(trail: AuditTrail) -> None:
    """O11: in the middle, and at the beginning."""
    assert change(trail, "DELETE FROM otp_mpp_audit WHERE number = 4") == 1
    assert findings(trail) == ["row 5 follows row 3: row 4 was removed"]
    change(trail, "DELETE FROM otp_mpp_audit WHERE number <= 2")
    assert "row 3 follows row 0: rows 1 to 2 were removed" in findings(trail)


def test_two_rows_that_change_their_places_are_found(trail: AuditTrail) -> None:
    """O11: an order is a claim, too."""
    change(trail, "UPDATE otp_mpp_audit SET number = 100 WHERE number = 4")
    change(trail, "UPDATE otp_mpp_audit SET number = 4 WHERE number = 5")
    change(trail, "UPDATE otp_mpp_audit SET number = 5 WHERE number = 100")
    found = findings(trail)
    assert any("row 4" in one for one in found)
    assert any("row 5" in one for one in found)


def test_a_chain_that_was_cut_off_is_found_by_its_exported_head(trail: AuditTrail) -> None:
    """O11: and without a head it is not, as the documentation says."""
    head = heads_of(trail)
    change(trail, "DELETE FROM otp_mpp_audit WHERE number > 5")
    assert findings(trail) == []
    assert findings(trail, head) == ["the chain ends at row 5: rows 6 to 7 were cut off"]
    change(trail, "DELETE FROM otp_mpp_audit")
    assert findings(trail, head) == ["the chain is gone; its exported head is row 7"]


def test_a_chain_that_goes_on_after_a_cut_is_found_by_its_exported_head(url: str) -> None:
    """O11: the rows that were written again are not those of the head."""
    with opened(url) as trail:
        chain = Chain(trail.keys)
        now = utc_now()
        first = [chain.add(Kind.ANCHOR, now, "", {}), chain.add(Kind.ACT, now, "ada", {"n": 1})]
        insert(trail, *first)
        head = heads_of(trail)
        change(trail, "DELETE FROM otp_mpp_audit WHERE number = 2")
        other = trail.keys.seal(replace(first[1], record="{}", hash=""))
        insert(trail, trail.keys.seal(replace(other, hash=other.digest)))
        assert findings(trail) == []  # by who has the pepper
        assert findings(trail, head) == ["row 2 is not that of the exported head"]


def test_a_row_that_another_hand_inserts_is_found(trail: AuditTrail) -> None:
    """O11: at the end of a chain, in a chain of its own, and under a pepper of its own."""
    last = rows(trail)[-1]
    forged = replace(last, number=last.number + 1, previous=last.hash)
    forged = replace(forged, hash=forged.digest)
    insert(trail, forged)
    assert findings(trail) == ["row 8 was changed, or was not written by this package"]
    change(trail, "DELETE FROM otp_mpp_audit WHERE number = 8")
    insert(trail, Chain(AuditKeys([OTHER])).add(Kind.ANCHOR, utc_now(), "", {}))
    [found] = findings(trail)
    assert found.startswith("row 1 was written under a pepper that is not listed")


def test_rows_of_an_older_pepper_are_proven_while_it_is_listed_or_by_a_head(url: str) -> None:
    """O11: a pepper is rotated, and what it sealed stays."""
    with opened(url, OTHER) as old:
        old.record(send())
        head = heads_of(old)
    with opened(url, Secret(b"the newest pepper of more than thirty-two")) as new:
        new.record(send())
        assert len(findings(new)) == 1
        assert findings(new, head) == []
    with opened(url, Secret(b"the newest pepper of more than thirty-two"), OTHER) as both:
        assert findings(both) == []


class TestRetention:
    """What is left after a purge can be verified, and nobody else can purge unseen."""

    @pytest.fixture
    def purged(self, trail: AuditTrail) -> AuditTrail:
        """Purge the first four rows, in batches of two."""
        moment = utc_now() - timedelta(days=10)
        stale = replace(send(), time=moment)
        with opened(trail.table.store.engine.url.render_as_string(hide_password=False)) as other:
            for _ in range(3):
                other.record(stale)
            other.record(send(1))
            assert purge(other.table, other.keys, moment + timedelta(days=1), 2) == 4
        return trail

    def test_a_checkpoint_takes_the_place_of_what_was_deleted(self, purged: AuditTrail) -> None:
        """O11: it tells for how many rows it stands."""
        [checkpoint] = [row for row in rows(purged) if row.kind == Kind.CHECKPOINT]
        assert (checkpoint.number, checkpoint.fields) == (4, {"rows": 4})
        assert findings(purged) == []
        assert purge(purged.table, purged.keys, utc_now() + timedelta(1), 1000) == ROWS + 2
        assert findings(purged) == []
        assert {row.kind for row in rows(purged)} == {Kind.CHECKPOINT}
        assert sorted(row.fields["rows"] for row in rows(purged)) == [5, ROWS + 1]

    def test_a_chain_goes_on_after_its_end_was_purged(self, trail: AuditTrail) -> None:
        """O11: the process that writes it is not asked."""
        head = heads_of(trail)
        purge(trail.table, trail.keys, utc_now() + timedelta(1), 1000)
        trail.record(send())
        assert [row.kind for row in rows(trail)] == [Kind.CHECKPOINT, Kind.DECISION]
        assert findings(trail) == []
        assert findings(trail, head) == []

    def test_a_forged_checkpoint_is_found(self, trail: AuditTrail) -> None:
        """O11: rows are deleted by who has no pepper, and a checkpoint put in their place."""
        head = heads_of(trail)
        old = rows(trail)[3]
        change(trail, "DELETE FROM otp_mpp_audit WHERE number <= 4")
        for keys in (AuditKeys([OTHER]), trail.keys):
            change(trail, "DELETE FROM otp_mpp_audit WHERE number = 4")
            forged = replace(old, kind=Kind.CHECKPOINT.value, record='{"rows":4}', previous="")
            forged = keys.seal(forged) if keys is not trail.keys else forged
            insert(trail, forged)
            assert len(findings(trail)) == 1
            assert len(findings(trail, head)) == 1


def test_the_hash_of_a_row_is_what_the_documentation_says(trail: AuditTrail) -> None:
    """O11: whoever has an export can compute it without this package."""
    row = rows(trail)[1]
    micros = (row.time - EPOCH) // timedelta(microseconds=1)
    text = (
        f'["{row.chain}",2,{micros},"decision","user-0",'
        f'"{row.record.replace(chr(34), chr(92) + chr(34))}","{row.previous}","{row.key}"]'
    )
    assert hashlib.sha256(text.encode()).hexdigest() == row.hash


def test_a_second_process_begins_a_chain_of_its_own(trail: AuditTrail) -> None:
    """O11: no writer waits for another one."""
    other = trail_on(trail.table.store.engine.url.render_as_string(hide_password=False))
    other.record(send())
    other.table.store.engine.dispose()
    assert len({row.chain for row in rows(trail)}) == 2
    assert findings(trail) == []
