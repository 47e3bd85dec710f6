"""A run as JUnit XML, as systems of continuous integration read it."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

from flask_otp_mpp.conformance.case import Group
from flask_otp_mpp.conformance.report.view import CaseView, RunView
from flask_otp_mpp.conformance.run import Status

_HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>\n'
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(run: RunView) -> str:
    """Return the report: a suite for each group.

    A recommended case that failed is skipped with its text, so that it does not fail a build.
    """
    suites = ET.Element("testsuites", name=f"otp-mpp-conformance {run.wire}")
    for group in run.groups:
        suites.append(_suite(run, group))
    suites.attrib |= _counts([one for suite in suites for one in suite], run.seconds)
    ET.indent(suites)
    return f"{_HEAD}{ET.tostring(suites, encoding='unicode')}\n"


def _suite(run: RunView, group: Group) -> ET.Element:
    cases = [one for one in run.cases if one.case.group is group]
    suite = ET.Element("testsuite", name=group, timestamp=f"{run.began:%Y-%m-%dT%H:%M:%S}")
    suite.extend(_case(run, one) for one in cases)
    suite.attrib |= _counts(list(suite), sum(one.seconds for one in cases))
    return suite


def _case(run: RunView, view: CaseView) -> ET.Element:
    case = view.case
    element = ET.Element(
        "testcase", classname=f"{run.wire}.{case.group}", name=case.id, time=f"{view.seconds:.3f}"
    )
    if view.status is Status.SKIPPED:
        ET.SubElement(element, "skipped", message=_text(view.said))
    elif view.failed_only_recommended:
        ET.SubElement(element, "skipped", message=_text(f"recommended, and failed: {view.said}"))
    elif view.status is Status.FAILED:
        failure = ET.SubElement(element, "failure", message=_text(view.said), type=case.severity)
        failure.text = _text(
            f"{case.title}\nRule: {case.rule}\n"
            f"Source: {case.source.document}, {case.source.section}\nPlay it again: {view.replay}"
        )
    return element


def _counts(cases: list[ET.Element], seconds: float) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": f"{seconds:.3f}",
    }


def _text(text: str) -> str:
    """Return a text without characters that XML can't hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
