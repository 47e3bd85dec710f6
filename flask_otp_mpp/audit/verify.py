"""Verify a trail: find what was edited, removed, reordered, cut off or added by others.

Without an exported head it is not found if a chain's end, or a whole chain, was removed: what is
left is a trail that could be one. With the head of a chain it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flask_otp_mpp.audit.chain import AuditKeys, Entry
from flask_otp_mpp.audit.record import Kind

FORMAT: Final = 1
"""Of an exported head."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain, as it was exported."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place at which a trail is not what was written."""

    chain: str
    number: int
    text: str


@dataclass(slots=True)
class Report:
    """What was found in a trail."""

    rows: int = 0
    chains: int = 0
    findings: list[Finding] = field(default_factory=list)


def export_heads(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return the ends of chains as one exports them, to keep them elsewhere."""
    chains = {one.chain: {"number": one.number, "hash": one.hash} for one in entries}
    return {"format": FORMAT, "chains": chains}


def read_heads(exported: object) -> dict[str, Head]:
    """Read what :func:`export_heads` has returned.

    :raises ValueError: if it is something else.
    """
    try:
        assert isinstance(exported, dict)  # noqa: S101 - as any other shape
        if exported["format"] != FORMAT:
            raise ValueError(f"it has the format {exported['format']!r}, not {FORMAT}")
        return {
            str(chain): Head(int(head["number"]), str(head["hash"]))
            for chain, head in exported["chains"].items()
        }
    except (AssertionError, KeyError, TypeError, AttributeError):
        raise ValueError("it is no head of an audit trail") from None


def verify(entries: Iterable[Entry], keys: AuditKeys, heads: Mapping[str, Head]) -> Report:
    """Verify a trail.

    :param entries: all rows, chain by chain in the order of their numbers.
    :param heads: what was exported earlier; chains that it does not name may have begun later.
    """
    report = Report()
    at_work: _Chain | None = None
    missing = dict(heads)
    for entry in entries:
        if at_work is None or at_work.chain != entry.chain:
            if at_work is not None:
                at_work.end()
            at_work = _Chain(entry.chain, keys, missing.pop(entry.chain, None), report)
            report.chains += 1
        at_work.follow(entry)
        report.rows += 1
    if at_work is not None:
        at_work.end()
    report.findings += [
        Finding(chain, head.number, f"the chain is gone; its exported head is row {head.number}")
        for chain, head in missing.items()
    ]
    return report


class _Chain:
    """One chain, as far as its rows were seen."""

    def __init__(self, chain: str, keys: AuditKeys, head: Head | None, report: Report) -> None:
        self.chain = chain
        self._keys = keys
        self._head = head
        self._report = report
        self._number = 0
        self._hash = ""
        self._unproven: list[int] = []

    def follow(self, entry: Entry) -> None:
        """Look whether a row is the one that follows."""
        sealed = self._keys.holds(entry)
        is_checkpoint = entry.kind == Kind.CHECKPOINT  # deleted is what who has the pepper deleted
        if sealed is False or not (is_checkpoint or entry.hash == entry.digest):
            self._find(entry, "was changed, or was not written by this package")
        if not is_checkpoint:
            self._look_back(entry)
        by_head = self._head is not None and entry.number <= self._head.number
        if sealed is None and (is_checkpoint or not by_head):
            self._unproven.append(entry.number)
        if self._head and entry.number == self._head.number and entry.hash != self._head.hash:
            self._find(entry, "is not that of the exported head")
        self._number, self._hash = entry.number, entry.hash

    def _look_back(self, entry: Entry) -> None:
        if entry.number != self._number + 1:
            missing = _rows(self._number + 1, entry.number - 1)
            self._find(entry, f"follows row {self._number}: {missing} removed")
        elif entry.previous != self._hash:
            self._find(entry, "does not hold the hash of the row before: one of them was exchanged")

    def _find(self, entry: Entry, fault: str) -> None:
        self._report_fault(entry.number, f"row {entry.number} {fault}")

    def end(self) -> None:
        """Look whether the chain ends too early."""
        if self._head is not None and self._number < self._head.number:
            missing = _rows(self._number + 1, self._head.number)
            self._report_fault(
                self._head.number, f"the chain ends at row {self._number}: {missing} cut off"
            )
        if self._unproven:
            self._report_fault(
                self._unproven[0],
                f"{_rows(self._unproven[0], self._unproven[-1])} written under a pepper that is "
                "not listed: add it to OTP_MPP_PEPPER behind the others, or give a --head that "
                "was exported later",
            )

    def _report_fault(self, number: int, text: str) -> None:
        self._report.findings.append(Finding(self.chain, number, text))


def _rows(first: int, last: int) -> str:
    return f"row {first} was" if first == last else f"rows {first} to {last} were"
