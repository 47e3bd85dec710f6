"""Print a step of the demo for people, or as data for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from example_app.demo.scenarios import Step
from flask_otp_mpp.callers import SignedAnswer

SIGNED_HEADERS = ("client-id", "response-time", "signature")


def as_text(number: int, step: Step) -> str:
    """Return a step as text for people."""
    title = f"{number}. {step.who} {step.action}."
    return "\n".join([title, *(f"   {line}" for line in _lines(step))])


def summary(steps: Sequence[Step]) -> str:
    """Return how many answers were as expected, how many were signed, and how many can't be."""
    passed = sum(step.passed for step in steps)
    signed = [step.signed for step in steps if step.signed is not None]
    empty = len(steps) - len(signed)
    return (
        f"{passed} of {len(steps)} answers were as expected. "
        f"{sum(signed)} of {len(signed)} with a body were signed by the wallet; "
        f"{empty} had no body, and so no signature."
    )


def as_data(step: Step) -> dict[str, Any]:
    """Return a step as data for programs; nothing is shortened."""
    call, response = step.answer.call, step.answer.response
    return {
        "who": step.who,
        "action": step.action,
        "request": {"line": f"{call.method} {call.uri}", "body": call.body.decode()},
        "answer": {
            "httpStatus": response.status,
            "headers": dict(response.headers),
            "body": response.body.decode(errors="replace"),
        },
        "expected": dict(zip(("resultCode", "resultStatus"), step.expected, strict=True)),
        "messages": step.messages and dict(zip(("got", "expected"), step.messages, strict=True)),
        "got": dict(zip(("resultCode", "resultStatus"), step.got, strict=True)),
        "signatureHolds": step.signed,
        "asExpected": step.passed,
    }


def _lines(step: Step) -> Iterator[str]:
    answer = step.answer
    headers = {name.lower(): value for name, value in answer.response.headers}
    yield f"> {answer.call.method} {answer.call.uri}"
    if isinstance(answer, SignedAnswer):
        yield f"< HTTP {answer.response.status}"
        for name in SIGNED_HEADERS:
            yield f"< {name}: {_shortened(headers.get(name, 'is missing'))}"
        yield f"< {answer.response.body.decode(errors='replace')}"
        matches = "matches" if answer.verified else "does not match"
        proof = f"the signature {matches} the wallet's public key"
    else:
        yield f"> {_shortened(answer.call.body.decode())}"
        yield f"  decrypted: {answer.asked.decode()}"
        yield f"< HTTP {answer.response.status}"
        yield f"< {_shortened(answer.response.body.decode(errors='replace')) or '(no body)'}"
        proof = "a caller who is not authenticated gets no body"
        if answer.response.body:
            inner = b"" if answer.opened is None else answer.opened.payload
            yield f"  decrypted: {inner.decode()}"
            does = "decrypts" if answer.verified else "does not decrypt"
            proof = f"the answer {does} with Google's key and is signed by the wallet"
    yield f"{_tick(good=answer.verified)} {proof}"
    expected, got = _written(step.expected), _written(step.got)
    yield f"{_tick(good=step.expected == step.got)} expected {expected}, got {got}"
    if step.messages is not None:
        arrived, due = step.messages
        yield f"{_tick(good=arrived == due)} messages on the phone: expected {due}, got {arrived}"


def _tick(*, good: bool) -> str:
    return "✓" if good else "✗"


def _written(result: tuple[str, str]) -> str:
    code, status = result
    return f"{code or 'no code'} ({status or 'no status'})"


def _shortened(value: str) -> str:
    return value if len(value) <= 80 else f"{value[:56]}...{value[-12:]}"
