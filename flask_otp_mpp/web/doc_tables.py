"""The documentation's tables of settings, codes and checks, made from what the code declares."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.core.settings import PREFIX, REQUIRED, settings_of
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.protocols.chosen_codes import Codes
from flask_otp_mpp.protocols.google import results
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.protocols.values import CodeRow, Operation
from flask_otp_mpp.web.checks import CHECKS, Severity
from flask_otp_mpp.web.metric_table import ATTRIBUTES, METRICS, SPANS
from flask_otp_mpp.web.settings import GROUPS

PROTOCOLS: Final[Sequence[type[WireProtocol]]] = (AlipayPlus, Ams, GoogleStandardPayments)
EXTRA_ROWS: Final[Mapping[type[WireProtocol], Sequence[tuple[str, CodeRow]]]] = {
    GoogleStandardPayments: results.EXTRA_ROWS
}
"""Rows that stand beside those of the reasons, each with its condition."""
Row = tuple[str, ...]

SETTING_HEAD: Final[Row] = ("key", "value", "default", "meaning")
CODE_HEAD: Final[Row] = ("code", "status", "send", "verify", "condition")
CHECK_HEAD: Final[Row] = ("check", "severity", "what is found")
REASON_HEAD: Final[Row] = ("protocol", "reason", "code", "status", "message")


def setting_rows() -> list[Row]:
    """List every setting with its kind, default and meaning."""
    groups = [*GROUPS, *(protocol.settings for protocol in PROTOCOLS)]
    return [
        (PREFIX + one.name, one.reader.kind, _default(one.default), one.meaning)
        for group in groups
        for one in settings_of(group).values()
    ]


def code_rows(protocol: type[WireProtocol]) -> list[Row]:
    """List every code of a protocol with the operations that answer it and its conditions."""
    listed = [
        ("the request is granted", protocol.success),
        *((reason.value, protocol.codes[reason]) for reason in Reason),
        *EXTRA_ROWS.get(protocol, ()),
    ]
    found: dict[tuple[str, str], list[tuple[str, CodeRow]]] = {}
    for condition, row in listed:
        found.setdefault((row.code, row.status), []).append((condition, row))
    return [
        (
            code,
            status,
            *(
                "x" if any(operation in row.operations for _, row in rows) else ""
                for operation in (Operation.SEND, Operation.VERIFY)
            ),
            "; or ".join(condition for condition, _ in rows),
        )
        for (code, status), rows in found.items()
    ]


def reason_rows(codes: Mapping[str, Codes]) -> list[Row]:
    """List what each protocol answers for each reason.

    :param codes: the rows of each protocol, by its name.
    """
    return [
        (name, reason.name, row.code, row.status, row.tell())
        for name, rows in codes.items()
        for reason in Reason
        for row in [rows[reason]]
    ]


def check_rows() -> list[Row]:
    """List every check of a deployment, those of the worst findings first."""
    severities = list(Severity)
    ordered = sorted(CHECKS, key=lambda check: severities.index(check.severity))
    return [(check.id, check.severity, check.title) for check in ordered]


def metric_tables() -> Mapping[str, str]:
    """Write the tables of metrics, and of spans with their attributes, by their names."""
    metrics = [
        (one.name, one.kind.value, ", ".join(f"`{label}`" for label in one.labels), one.meaning)
        for one in METRICS
    ]
    attributes = ", ".join(f"`otp_mpp.{name}`" for name in ATTRIBUTES)
    spans = [
        (span.replace(", ", "`, `"), meaning, "" if ", in a request" in meaning else attributes)
        for span, meaning in SPANS.items()
    ]
    return {
        "metrics": markdown(("metric", "kind", "labels", "what it tells"), metrics),
        "spans": markdown(("span", "what it covers", "attributes, where known"), spans),
    }


def markdown(head: Row, rows: Sequence[Row]) -> str:
    """Write a table as Markdown; its first column is code."""
    coded = [(f"`{first}`", *others) for first, *others in rows]
    lines = [head, tuple("---" for _ in head), *coded]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def plain(head: Row, rows: Sequence[Row], width: int | None = None) -> str:
    """Write a table in columns; if they do not fit, a paragraph for each row.

    :param width: of the terminal, in characters; None if there is no bound.
    """
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    if width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        return "\n".join(_paragraph(head, row, width) for row in rows)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    )


def _paragraph(head: Row, row: Row, width: int) -> str:
    """Write a row as lines: its first cell, and below it each other one behind its head."""
    edge = max(map(len, head)) + 4
    lines = [row[0]]
    for name, cell in zip(head[1:], row[1:], strict=True):
        wrapper = textwrap.TextWrapper(
            width,
            initial_indent=f"  {name}:".ljust(edge),
            subsequent_indent=" " * edge,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += wrapper.wrap(cell) or [f"  {name}:"]
    return "\n".join(lines)


def _default(value: Any) -> str:
    if value is REQUIRED:
        return "required"
    return "none" if value is None else str(value)
