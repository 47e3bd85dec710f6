"""Cases of the fields of each method: missing, null, empty, of another type, over-long, illegal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import GOOGLE, Group, Need, Severity
from flask_otp_mpp.conformance.google.answer import in_words
from flask_otp_mpp.conformance.google.dialect import ABSENT, Api, Means, changed, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(Group.FIELDS, GOOGLE, written("Methods sendOtp, verifyOtp, echo"))
_READER: Final = "A reader that finds a wrong type may call the whole payload unreadable."
_BAD: Final = (Means.VALUE, Means.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Field:
    """A required field.

    :param id: by which its cases name it.
    :param longest: in characters; 0 if no case tries a longer one.
    :param empty: whether an empty text is allowed.
    :param otherwise: what else a value that breaks a rule may be answered by.
    """

    id: str
    api: Api
    name: str
    longest: int = 0
    empty: bool = False
    otherwise: tuple[Means, ...] = ()


FIELDS: Final = (
    Field("send-token", Api.SEND, "smsMatchingToken", 11),
    Field(
        "send-number",
        Api.SEND,
        "accountPhoneNumber",
        64,
        otherwise=(Means.NUMBER_INVALID, Means.NOT_ASSOCIATED),
    ),
    Field("verify-send-id", Api.VERIFY, "sendOtpRequestId", 100, otherwise=(Means.IDENTIFIER,)),
    Field("verify-code", Api.VERIFY, "otp", 1000, otherwise=(Means.WRONG_CODE, Means.IDENTIFIER)),
    Field("echo-message", Api.ECHO, "clientMessage", empty=True),
)


def _answered(api: Api, name: str, value: Any, means: tuple[Means, ...], play: GooglePlay) -> None:
    play.expect(play.call(api, changed(play.message(api), name, value)), *means)


def _add(field: Field, kind: str, what: str, value: Any, means: tuple[Means, ...]) -> None:
    """Add the case of one field and one value."""
    CASES.add(
        f"fields.{field.id}-{kind}",
        f"{field.api} {what.format(field.name)} is {in_words(means[0])}",
        "A field that breaks its rule is refused, and the code says by which kind of rule.",
        *([Need.NUMBER] if field.name == "accountPhoneNumber" else []),
        source=written(f"Method: {field.api}", _READER if Means.UNREADABLE in means else ""),
        users=int(field.api is Api.SEND),
    )(partial(_answered, field.api, field.name, value, means))


for _field in FIELDS:
    _add(_field, "missing", "without {}", ABSENT, (Means.MISSING,))
    _add(_field, "null", "with null for {}", None, (Means.MISSING, Means.VALUE))
    _add(_field, "number", "with a number for {}", 123456, _BAD)
    _add(_field, "object", "with an object for {}", {"a": "1"}, _BAD)
    if not _field.empty:
        _add(
            _field, "empty", "with an empty {}", "", (Means.VALUE, Means.MISSING, *_field.otherwise)
        )
    if _field.longest:
        _long = "1" * (_field.longest + 1)
        _add(_field, "too-long", "with an over-long {}", _long, (Means.VALUE, *_field.otherwise))

_IDS: Final = {
    "smsMatchingToken": "token",
    "otpContext": "context",
    "associationId": "association",
}
_ROWS: Final[tuple[tuple[str, str, str, Any, tuple[Means, ...]], ...]] = (
    ("smsMatchingToken", "short", "of 10 characters", "A" * 10, (Means.VALUE,)),
    ("smsMatchingToken", "newline", "with a line break", "AB12345678\n", (Means.VALUE,)),
    ("smsMatchingToken", "space", "with a space", "AB12345 78C", (Means.VALUE,)),
    ("smsMatchingToken", "link", "that could be a link", "http://a.bc", (Means.VALUE,)),
    ("otpContext", "text", "that is a text", "association", _BAD),
    ("otpContext", "list", "that is a list", [{"association": {}}], _BAD),
    ("otpContext", "two", "with two members", {"association": {}, "mandate": {}}, _BAD),
    ("otpContext", "number-inside", "whose member is a number", {"association": 1}, _BAD),
    ("associationId", "number", "that is a number", 1234, _BAD),
    ("associationId", "empty", "that is empty", "", (Means.VALUE, Means.MISSING, Means.IDENTIFIER)),
    (
        "associationId",
        "too-long",
        "of 5000 characters",
        "a" * 5000,
        (Means.VALUE, Means.IDENTIFIER, Means.NOT_ASSOCIATED),
    ),
)


def _optional(name: str, value: Any, means: tuple[Means, ...], play: GooglePlay) -> None:
    message = play.message(Api.SEND, **{name: value})
    play.expect(play.call(Api.SEND, message), *means)


for _name, _kind, _what, _value, _means in _ROWS:
    CASES.add(
        f"fields.send-{_IDS[_name]}-{_kind}",
        f"sendOtp with {_name} {_what} is {in_words(_means[0])}",
        "A field that breaks its rule is refused.",
        source=written("Method: sendOtp", _READER if Means.UNREADABLE in _means else ""),
        severity=Severity.REQUIRED if _kind in {"short", "newline"} else Severity.RECOMMENDED,
    )(partial(_optional, _name, _value, _means))


@CASES.add(
    "fields.send-nobody",
    "sendOtp with neither accountPhoneNumber nor associationId is refused",
    "A send names its user in exactly one way.",
    Need.NUMBER,
    source=written("Method: sendOtp"),
)
def nobody(play: GooglePlay) -> None:
    """Send without a user."""
    message = changed(play.message(Api.SEND), "accountPhoneNumber", ABSENT)
    play.expect(play.call(Api.SEND, message), Means.MISSING, Means.VALUE)


@CASES.add(
    "fields.send-both",
    "sendOtp with accountPhoneNumber and associationId is refused",
    "A send names its user in exactly one way.",
    Need.NUMBER,
    source=written("Method: sendOtp"),
)
def both(play: GooglePlay) -> None:
    """Send with two names of a user."""
    message = play.message(Api.SEND, associationId=play.unknown_name())
    message["accountPhoneNumber"] = play.user
    play.expect(play.call(Api.SEND, message), Means.VALUE, Means.UNREADABLE, Means.PRECONDITION)


@CASES.add(
    "fields.send-null-beside",
    "sendOtp with associationId null beside accountPhoneNumber sends a code",
    "A member that is null is one that is not there.",
    Need.NUMBER,
    source=written("Method: sendOtp", "As protobuf's JSON form is read."),
    severity=Severity.RECOMMENDED,
)
def null_beside(play: GooglePlay) -> None:
    """Send with null for the other name of the user."""
    message = {**play.message(Api.SEND), "associationId": None}
    play.expect(play.call(Api.SEND, message), Means.SUCCESS)
