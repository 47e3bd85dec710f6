"""A run on the terminal: what is shown while it goes on, and at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from flask_otp_mpp.conformance.case import AnyCase
from flask_otp_mpp.conformance.masking import printable
from flask_otp_mpp.conformance.report.view import CaseView, ExchangeView, RunView
from flask_otp_mpp.conformance.run import Result, Status


@contextmanager
def progress(
    cases: Sequence[AnyCase], out: IO[str], *, lines: bool = False
) -> Iterator[Callable[[Result], None]]:
    """Show results as they come: a live view on a terminal, if ``rich`` is installed, or lines.

    :param lines: whether it must be lines, since the terminal asks for codes, too.
    """
    if out.isatty() and not lines:
        try:
            from flask_otp_mpp.conformance.report.live import LiveView  # noqa: PLC0415 - needs rich
        except ImportError:
            pass
        else:
            with LiveView(cases, out).shown() as view:
                yield view.add
            return
    yield lambda result: print(_line(result), file=out, flush=True)


def summary(run: RunView) -> str:
    """Return the end of a run: what failed and how to see it again, why others were skipped."""
    counts = ", ".join(f"{run.count(status)} {status}" for status in Status)
    return "\n".join(
        [
            *(line for view in run.failures for line in _failure(view)),
            *_skipped(run),
            f"{run.verdict}: {counts}, {run.seconds:.1f} s",
        ]
    )


def replayed(view: CaseView, *, signed: bool) -> str:
    """Return a case with each of its exchanges in full.

    :param signed: whether messages are signed in headers.
    """
    case = view.case
    said = f": {view.said}" if view.said else ""
    return "\n\n".join(
        [
            f"{case.id}: {case.title}\nRule: {case.rule}",
            *(
                _exchange(one, number, signed=signed)
                for number, one in enumerate(view.exchanges, 1)
            ),
            f"{view.status.upper()}{said}",
        ]
    )


def _line(result: Result) -> str:
    said = f": {result.said}" if result.said else ""
    return f"{result.status.upper():7} {result.case.id}{said}"


def _failure(view: CaseView) -> Iterator[str]:
    yield f"{view.case.severity}: {view.case.title} ({view.case.id})"
    yield f"  {view.said}"
    yield f"  {view.replay}\n"


def _skipped(run: RunView) -> Iterator[str]:
    why = Counter(one.said for one in run.cases if one.status is Status.SKIPPED)
    for said, number in why.most_common():
        yield f"{number} skipped: {said}"


def _exchange(view: ExchangeView, number: int, *, signed: bool) -> str:
    request, answer = (
        "\n".join([first, *(f"{name}: {value}" for name, value in headers), "", body])
        for first, headers, body in (
            (f"{view.method} {view.uri}", view.request_headers, view.request_body),
            (f"HTTP {view.status}", view.answer_headers, view.answer_body),
        )
    )
    asked, expected = (
        ("String to sign", "The answer's signature must cover")
        if signed
        else ("Payload of the request", "Payload of the answer")
    )
    verified = "The answer's signature" if signed else "The answer's encryption and signature"
    parts = {"Request": request, asked: view.signed, "Answer": answer, expected: view.expected}
    return "\n\n".join(
        [
            f"Exchange {number}, sent {view.at:%H:%M:%S} UTC, {view.seconds * 1000:.0f} ms",
            *(f"{name}\n{_indented(text)}" for name, text in parts.items() if text),
            f"{verified} {'holds' if view.verified else 'DOES NOT HOLD'}.",
            *([f"It covers\n{_indented(view.covered)}"] if view.covered else []),
            *view.mistakes,
            f"The request again\n{_indented(view.curl)}",
        ]
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in printable(text).split("\n"))
