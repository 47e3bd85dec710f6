"""A run as JSON, for programs."""

from __future__ import annotations

import json
from typing import Any, Final

from flask_otp_mpp.conformance.report.view import CaseView, ExchangeView, RunView, cut
from flask_otp_mpp.conformance.run import Status

FORMAT: Final = 1
"""The version of the format; it changes when a member changes its meaning or is removed."""


def as_json(run: RunView) -> str:
    """Return the report."""
    return json.dumps(
        {
            "format": FORMAT,
            "protocol": run.wire,
            "base_url": run.base_url,
            "began": run.began.isoformat(timespec="seconds"),
            "seconds": round(run.seconds, 3),
            "verdict": run.verdict,
            "counts": {status: run.count(status) for status in Status},
            "groups": {
                group: {status: run.count(status, group) for status in Status}
                for group in run.groups
            },
            "cases": [_case(one) for one in run.cases],
        },
        indent=1,
        ensure_ascii=False,
    )


def _case(view: CaseView) -> dict[str, Any]:
    case = view.case
    return {
        "id": case.id,
        "title": case.title,
        "group": case.group,
        "rule": case.rule,
        "source": {
            "document": case.source.document,
            "section": case.source.section,
            "reading": case.source.reading,
        },
        "severity": case.severity,
        "status": view.status,
        "said": view.said,
        "seconds": round(view.seconds, 3),
        "replay": view.replay,
        "exchanges": [_exchange(one) for one in view.exchanges],
        "exchanges_omitted": view.omitted,
    }


def _exchange(view: ExchangeView) -> dict[str, Any]:
    return {
        "at": view.at.isoformat(timespec="milliseconds"),
        "seconds": round(view.seconds, 4),
        "request": {
            "method": view.method,
            "uri": view.uri,
            "headers": view.request_headers,
            "body": cut(view.request_body),
            "signed": cut(view.signed),
        },
        "answer": {
            "status": view.status,
            "headers": view.answer_headers,
            "body": cut(view.answer_body),
            "expected": cut(view.expected),
            "verified": view.verified,
            "covered": cut(view.covered),
            "mistakes": view.mistakes,
            "code": view.code,
        },
        "curl": view.curl,
    }
