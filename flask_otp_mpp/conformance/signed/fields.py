"""Cases of the fields: missing, of another type, too long, unknown; made from the dialects' tables.

A case tries one fault in each field of an API, so that its failure names the fields that let it
pass.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import SIGNED, Failed, Group, Severity, Source, Wire
from flask_otp_mpp.conformance.signed.dialect import DIALECTS, Api, Field, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_ALIPAYPLUS: Final = frozenset({Wire.ALIPAYPLUS})
_DOCUMENT: Final = "Alipay+ sendOTP and verifyOTP, AMS initAuthentication and verifyAuthentication"
_STRUCTURE: Final = Source(_DOCUMENT, "Structure, Note")
_PARAMETERS: Final = Source(_DOCUMENT, "Request parameters")
_OTHERWISE: Final = {
    "acquirerId": Means.ACCESS_DENIED,
    "pspId": Means.CLIENT_UNKNOWN,
    "accessToken": Means.TOKEN_INVALID,
    "userIdentityValue": Means.TOKEN_INVALID,
    "verifyRequestId": Means.ID_NOT_USABLE,
    "otpCode": Means.WRONG_CODE,
    "authenticationValue": Means.WRONG_CODE,
}
"""How a value of a field is refused that has the right form, and is not known."""

CASES: Final = SignedCases(Group.FIELDS, SIGNED, _PARAMETERS)

_Members = Callable[[Field, Any], Mapping[str, Any]]
"""Returns the members that a request has in place of a field and its right value."""


def _right(play: SignedPlay, api: Api) -> dict[str, Any]:
    """Return fields with which only one thing is to be wrong; those of a verify name a challenge.

    :raises Failed: if no challenge can be opened.
    """
    if api is Api.SEND:
        return play.fields(api)
    answer = play.send()
    play.expect(answer, Means.SUCCESS)
    return play.fields(api, challenge=play.challenge_of(answer))


def _each(
    play: SignedPlay,
    api: Api,
    fields: Collection[Field],
    members: _Members,
    see: Callable[[SignedPlay, Field, Any], None],
) -> None:
    """Change one field after the other, and see each answer.

    :raises Failed: with all fields whose answers are wrong.
    """
    right, found = _right(play, api), []
    for field in fields:
        others = {name: value for name, value in right.items() if name != field.name}
        answer = play.call(api, {**others, **members(field, right.get(field.name, ""))})
        try:
            see(play, field, answer)
        except Failed as failed:
            found.append(f"{field.name}: {failed}")
    play.check(not found, "; ".join(found))


def _refused(play: SignedPlay, _: Field, answer: Any) -> None:
    play.expect(answer, Means.PARAMETER)


def _refused_or_unknown(play: SignedPlay, field: Field, answer: Any) -> None:
    also = _OTHERWISE.get(field.name)
    play.expect(answer, Means.PARAMETER, *((also,) if also else ()))


def _read(play: SignedPlay, _: Field, answer: Any) -> None:
    illegal = answer.code in play.dialect.codes[Means.PARAMETER]
    final = answer.result("resultStatus") in {"S", "F"}
    play.check(final and not illegal, f"{answer.code} was answered")


def _numeric(value: Any) -> int:
    """Return the right value as a number, for who takes one for the other."""
    return int(value) if str(value).isascii() and str(value).isdigit() else 20


_OF_REQUIRED: Final[tuple[tuple[str, str, _Members, Source], ...]] = (
    ("missing", "is missing", lambda field, value: {}, _PARAMETERS),
    ("null", "is null", lambda field, value: {field.name: None}, _STRUCTURE),
    ("empty", "is empty", lambda field, value: {field.name: ""}, _STRUCTURE),
    ("number", "is a number", lambda field, value: {field.name: _numeric(value)}, _STRUCTURE),
    ("boolean", "is a Boolean", lambda field, value: {field.name: True}, _STRUCTURE),
    ("list", "is a list", lambda field, value: {field.name: [value]}, _STRUCTURE),
    ("object", "is an object", lambda field, value: {field.name: {"value": value}}, _STRUCTURE),
)


def _required(play: SignedPlay, api: Api, members: _Members) -> None:
    fields = [field for field in play.dialect.fields[api] if field.required]
    _each(play, api, fields, members, _refused)


for _api in Api:
    for _name, _words, _members, _source in _OF_REQUIRED:
        CASES.add(
            f"fields.{_api}-{_name}",
            f"A {_api} is refused in which a required field {_words}",
            "Each required field is a string that is not empty; any other value is PARAM_ILLEGAL.",
            source=_source,
        )(partial(_required, api=_api, members=_members))


def _longer(field: Field, _: Any) -> dict[str, str]:
    return {field.name: "1" * (field.longest + 1)}


def _longest(field: Field, _: Any) -> dict[str, str]:
    return {field.name: secrets.token_hex(field.longest // 2)}


def _too_long(play: SignedPlay, api: Api) -> None:
    _each(play, api, play.dialect.fields[api], _longer, _refused_or_unknown)


def _as_long_as_allowed(play: SignedPlay, api: Api) -> None:
    named = {play.dialect.challenge_in, *_OTHERWISE} - {"otpCode", "authenticationValue"}
    fields = [field for field in play.dialect.fields[api] if field.name in named]
    _each(play, api, fields, _longest, _read)


for _api in Api:
    CASES.add(
        f"fields.{_api}-too-long",
        f"A {_api} is refused in which a field has one character too many",
        "Each field has a greatest length.",
        source=Source(
            _DOCUMENT,
            "Request parameters, Maximum length",
            "PARAM_ILLEGAL, or the code of a value that is not known.",
        ),
    )(partial(_too_long, api=_api))
    CASES.add(
        f"fields.{_api}-longest",
        f"A {_api} is read in which an id or token has its greatest length",
        "A value of the greatest length is legal; it is refused only for what it names.",
        source=Source(
            _DOCUMENT,
            "Request parameters, Maximum length",
            "It has no illegal form; any code but PARAM_ILLEGAL with status S or F is accepted.",
        ),
        severity=Severity.RECOMMENDED,
    )(partial(_as_long_as_allowed, api=_api))


_ENUMERATED: Final[tuple[tuple[str, str, _Members, Severity, str], ...]] = (
    (
        "other-value",
        "no value of its list",
        lambda field, value: {field.name: "LETTER"},
        Severity.REQUIRED,
        "",
    ),
    (
        "lower-case",
        "a value of its list in lower case",
        lambda field, value: {field.name: field.values[0].lower()},
        Severity.RECOMMENDED,
        "Values are compared as they are written.",
    ),
)


def _listed(play: SignedPlay, api: Api, members: _Members) -> None:
    _each(play, api, [one for one in play.dialect.fields[api] if one.values], members, _refused)


for _api in Api:
    for _name, _words, _members, _severity, _reading in _ENUMERATED:
        CASES.add(
            f"fields.{_api}-{_name}",
            f"A {_api} is refused in which a field has {_words}",
            "A field with a list of values has one of them.",
            wires=frozenset(
                wire for wire, one in DIALECTS.items() if any(it.values for it in one.fields[_api])
            ),
            source=Source(_DOCUMENT, "Request parameters", _reading),
            severity=_severity,
        )(partial(_listed, api=_api, members=_members))


@CASES.add(
    "fields.optional-null",
    "An optional field of null is taken as absent",
    "An optional field may be left out or null.",
    wires=_ALIPAYPLUS,
    source=_STRUCTURE,
)
def optional_null(play: SignedPlay) -> None:
    """Send with verifyType of null."""
    play.expect(play.send(verifyType=None), Means.SUCCESS)


@CASES.add(
    "fields.optional-empty",
    "An optional field that is empty is refused",
    'An optional field is never "".',
    wires=_ALIPAYPLUS,
    source=Source("Alipay+ sendOTP", "Structure, Note", "The error that might occur does occur."),
    severity=Severity.RECOMMENDED,
)
def optional_empty(play: SignedPlay) -> None:
    """Send with an empty verifyType."""
    play.expect(play.send(verifyType=""), Means.PARAMETER)


@CASES.add(
    "fields.optional-of-another-type",
    "An optional field that is no string is refused",
    "Every value is a string.",
    wires=_ALIPAYPLUS,
    source=_STRUCTURE,
)
def optional_of_another_type(play: SignedPlay) -> None:
    """Send with a verifyType of each other type."""
    taken = [
        type(value).__name__
        for value in (1, False, ["MOBILE"], {"type": "MOBILE"})
        if play.send(verifyType=value).code not in play.dialect.codes[Means.PARAMETER]
    ]
    play.check(not taken, f"a verifyType of these types was not refused: {', '.join(taken)}")
