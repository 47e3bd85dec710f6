"""Cases of payloads: strict JSON, what must be ignored, and the order of the checks."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import GOOGLE, Group, Severity
from flask_otp_mpp.conformance.google.answer import in_words
from flask_otp_mpp.conformance.google.dialect import ABSENT, Api, Means, changed, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(
    Group.BODY, GOOGLE, written("ErrorResponseCode, INVALID_DECRYPTED_REQUEST; Method: echo")
)
_DEPTH: Final = 2500
_LENGTH: Final = 1 << 20


def _of_bytes(make: Callable[[bytes], bytes], means: tuple[Means, ...], play: GooglePlay) -> None:
    """Send an echo whose payload is no JSON any more."""
    payload = make(json.dumps(play.message(Api.ECHO)).encode())
    play.expect(play.call(Api.ECHO, payload), *means)


def _with_member(member: bytes, payload: bytes) -> bytes:
    """Put a member before the others."""
    return b"{" + member + b"," + payload[1:]


def _repeated_inside(payload: bytes) -> bytes:
    return payload.replace(b'"requestId"', b'"requestId": "conformance", "requestId"', 1)


_ROWS: Final[tuple[tuple[str, str, Callable[[bytes], bytes]], ...]] = (
    ("empty", "nothing", lambda payload: b""),
    ("words", "words", lambda payload: b"no JSON"),
    ("cut", "JSON without its end", lambda payload: payload[:-2]),
    ("list", "a list", lambda payload: b"[" + payload + b"]"),
    ("null", "null", lambda payload: b"null"),
    ("text", "a text", lambda payload: json.dumps(payload.decode()).encode()),
    ("two-objects", "two objects", lambda payload: payload + payload),
    ("words-behind", "words behind an object", lambda payload: payload + b" conformance"),
    ("comma-behind", "a comma behind the last member", lambda payload: payload[:-1] + b",}"),
    ("single-quotes", "single quotes", lambda payload: payload.replace(b'"', b"'")),
    ("comment", "a comment", lambda payload: payload[:-1] + b"/* conformance */}"),
    ("nan", "NaN", partial(_with_member, b'"more": NaN')),
    ("infinity", "Infinity", partial(_with_member, b'"more": -Infinity')),
    ("repeated-member", "a member twice", partial(_with_member, b'"clientMessage": "other"')),
    ("repeated-inside", "a member of requestHeader twice", _repeated_inside),
    (
        "no-utf-8",
        "bytes that are no UTF-8",
        lambda payload: payload.replace(b"conformance", b"conf\xff", 1),
    ),
    ("utf-16", "UTF-16", lambda payload: payload.decode().encode("utf-16")),
)
for _name, _what, _make in _ROWS:
    CASES.add(
        f"json.{_name}",
        f"A payload of {_what} is 400 INVALID_DECRYPTED_REQUEST",
        "What was decrypted and is not one JSON object in UTF-8 is refused.",
        severity=(
            Severity.RECOMMENDED
            if _name in {"nan", "infinity", "repeated-member", "repeated-inside", "utf-16"}
            else Severity.REQUIRED
        ),
        source=(
            written("none", "Parsers that differ read different requests (RFC 8259, section 4).")
            if _name.startswith("repeated")
            else None
        ),
        users=0,
    )(partial(_of_bytes, _make, (Means.UNREADABLE,)))


def _deep(opens: bytes, closes: bytes, payload: bytes) -> bytes:
    return _with_member(b'"more":' + opens * _DEPTH + b"1" + closes * _DEPTH, payload)


for _name, _what, _make in (
    ("deep-lists", "2500 lists inside of one another", partial(_deep, b"[", b"]")),
    ("deep-objects", "2500 objects inside of one another", partial(_deep, b'{"a":', b"}")),
    (
        "long-number",
        "a number of 5000 digits",
        partial(_with_member, b'"more": ' + b"1" * 5000),
    ),
):
    CASES.add(
        f"json.{_name}",
        f"A payload with {_what} is read or refused, and breaks nothing",
        "Nothing in a payload ends in a failure of the server.",
        source=written("none", "To ignore it and to refuse it are both right."),
        users=0,
    )(
        partial(
            _of_bytes,
            _make,
            (Means.SUCCESS, Means.UNREADABLE, Means.VALUE, Means.TOO_LONG, Means.ENCRYPTION),
        )
    )


@CASES.add(
    "json.more-members",
    "Members that nobody knows are ignored",
    "Google may add members.",
    source=written("Methods sendOtp, verifyOtp, echo", "As protocols that grow are read."),
    users=0,
)
def more_members(play: GooglePlay) -> None:
    """Send an echo with members of each type."""
    more: dict[str, Any] = {"conformance": {"a": [1, 2.5, None, True]}, "more": "", "less": -1}
    play.expect(play.echo(**more), Means.SUCCESS)


@CASES.add(
    "json.white-space",
    "White space between members is read",
    "JSON may be written with white space (RFC 8259, section 2).",
    users=0,
)
def white_space(play: GooglePlay) -> None:
    """Send an echo that is written over many lines."""
    payload = json.dumps(play.message(Api.ECHO), indent="\t").replace("\n", "\r\n").encode()
    play.expect(play.call(Api.ECHO, payload), Means.SUCCESS)


@CASES.add(
    "json.escapes",
    "Members and texts written by escapes are read",
    "JSON may have any character as an escape (RFC 8259, section 7).",
    users=0,
)
def escapes(play: GooglePlay) -> None:
    """Send an echo with an escape in the name of a member."""
    payload = json.dumps(play.message(Api.ECHO)).replace("clientMessage", "client\\u004dessage")
    play.expect(play.call(Api.ECHO, payload.encode()), Means.SUCCESS)


@CASES.add(
    "json.too-long",
    "A body of a megabyte is refused in time",
    "A body that is longer than any request is refused, and the caller learns of it.",
    source=written("none", "413, or any refusal of a body that can't be opened."),
    severity=Severity.RECOMMENDED,
    users=0,
)
def too_long(play: GooglePlay) -> None:
    """Send a megabyte that is no message.

    It is no exchange of the run: no caller sends such a body, and no report needs it.
    """
    response = play.bench.http.send(play.posted(Api.ECHO, b"A" * _LENGTH))
    found, seconds, limit = response.status, response.seconds, play.limits.answer_seconds
    play.check(found in {400, 401, 413}, f"HTTP 413 was expected, and {found} was answered")
    play.check(seconds <= limit, f"the answer took {seconds:.1f} s; it must come in {limit:g} s")


_ORDER: Final[tuple[tuple[str, Means, str, Any], ...]] = (
    ("version", Means.VERSION, "requestHeader.protocolVersion.major", 2),
    ("time", Means.TIME, "requestHeader.requestTimestamp", "0"),
    ("fields", Means.MISSING, "otp", ABSENT),
)
"""The checks of a payload in their order, each with a fault that it finds."""


def _first(number: int, play: GooglePlay) -> None:
    """Verify with the faults of this check and of all after it."""
    message = play.message(Api.VERIFY)
    for _, _, path, value in _ORDER[number:]:
        message = changed(message, path, value)
    play.expect(play.call(Api.VERIFY, message), _ORDER[number][1])


for _number, (_name, _means, _, _) in enumerate(_ORDER[:-1]):
    CASES.add(
        f"order.{_name}",
        f"A request with several faults is {in_words(_means)}, as the first check finds",
        "Checked are: envelope, JSON, version, time, fields, idempotency; then the work is done.",
        source=written("none", "Our reading of the order in which the codes are listed."),
        severity=Severity.RECOMMENDED,
        users=0,
    )(partial(_first, _number))


@CASES.add(
    "order.json",
    "A payload that is no JSON is refused as that, whatever is in it",
    "What can't be read has no version and no time.",
    users=0,
)
def json_first(play: GooglePlay) -> None:
    """Send a payload of another version that is cut off."""
    message = changed(play.message(Api.VERIFY), "requestHeader.protocolVersion.major", 2)
    play.expect(play.call(Api.VERIFY, json.dumps(message).encode()[:-1]), Means.UNREADABLE)


@CASES.add(
    "order.fields-before-work",
    "A field that breaks its rule is told, also if the identifier is not known",
    "The fields are checked before the work is done.",
    source=written("none", "Our reading of the order in which the codes are listed."),
    severity=Severity.RECOMMENDED,
    users=0,
)
def fields_first(play: GooglePlay) -> None:
    """Verify an unknown send without a code."""
    message = changed(play.message(Api.VERIFY), "otp", ABSENT)
    play.expect(play.call(Api.VERIFY, message), Means.MISSING)
