"""Cases of what stands in fields: forms of a code, unknown fields, hostile texts, and messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Source
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_CANARY: Final = "conformance-canary-"
_DOCUMENT: Final = "Alipay+ sendOTP and verifyOTP, AMS initAuthentication and verifyAuthentication"

CASES: Final = SignedCases(
    Group.FIELDS,
    SIGNED,
    Source(
        _DOCUMENT,
        "Result/Error codes, PARAM_ILLEGAL: non-numeric input",
        "PARAM_ILLEGAL; the answer to a wrong code is accepted as well.",
    ),
)


def _in_digits_from(zero: str) -> Callable[[str], str]:
    """Return what writes a code in the digits of another script."""
    return lambda code: "".join(chr(ord(zero) + int(digit)) for digit in code)


_FORMS: Final[tuple[tuple[str, str, Callable[[str], str]], ...]] = (
    ("arabic-digits", "in Arabic digits", _in_digits_from("\N{ARABIC-INDIC DIGIT ZERO}")),
    ("full-width-digits", "in full-width digits", _in_digits_from("\N{FULLWIDTH DIGIT ZERO}")),
    ("space-before", "with a space before it", lambda code: f" {code}"),
    ("line-feed-after", "with a line feed behind it", lambda code: f"{code}\n"),
    ("nul-after", "with a NUL behind it", lambda code: f"{code}\0"),
    ("plus-sign", "with a plus sign", lambda code: f"+{code}"),
    ("underscore", "with an underscore among its digits", lambda code: f"{code[:3]}_{code[3:]}"),
    ("decimal-point", "with a decimal point behind it", lambda code: f"{code}.0"),
    ("zero-before", "with a zero before it", lambda code: f"0{code}"),
    ("digit-after", "with a digit behind it", lambda code: f"{code}0"),
    ("last-digit-missing", "without its last digit", lambda code: code[:-1]),
)


def _written(play: SignedPlay, form: Callable[[str], str]) -> None:
    sent = play.sent()
    play.expect(play.verify(sent.challenge, form(sent.code)), Means.PARAMETER, Means.WRONG_CODE)


for _name, _words, _form in _FORMS:
    CASES.add(
        f"fields.code-{_name}",
        f"The right code {_words} is refused",
        "A code is right in one form only: the digits that were sent.",
        Need.CODES,
    )(partial(_written, form=_form))


@CASES.add(
    "fields.code-illegal-is-no-attempt",
    "A code that is not of digits spends no attempt",
    "What can't be right is PARAM_ILLEGAL, and is not compared.",
    Need.CODES,
    severity=Severity.RECOMMENDED,
)
def illegal_is_no_attempt(play: SignedPlay) -> None:
    """Present as many texts as there are attempts; then the right code."""
    sent = play.sent()
    for number in range(play.limits.attempts):
        play.verify(sent.challenge, f"no-code-{number}")
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


_MINOR: Final = Source(
    _DOCUMENT,
    "Request parameters",
    "Later editions add fields, so those that are not known are ignored.",
)


@CASES.add(
    "fields.send-unknown-field",
    "A send with a field that is in no document succeeds",
    "Unknown fields are ignored.",
    source=_MINOR,
    severity=Severity.RECOMMENDED,
)
def send_unknown_field(play: SignedPlay) -> None:
    """Send with an unknown object."""
    play.expect(play.send(conformanceExtra={"of": ["any", 1, None]}), Means.SUCCESS)


@CASES.add(
    "fields.verify-unknown-field",
    "A right code with a field that is in no document is accepted",
    "Unknown fields are ignored.",
    Need.CODES,
    source=_MINOR,
    severity=Severity.RECOMMENDED,
)
def verify_unknown_field(play: SignedPlay) -> None:
    """Verify with an unknown object."""
    sent = play.sent()
    answer = play.verify(sent.challenge, sent.code, conformanceExtra={"of": ["any", 1, None]})
    play.expect(answer, Means.SUCCESS)


def _hostile(play: SignedPlay, text: str) -> None:
    for api in Api:
        right = play.fields(api)
        for field in play.dialect.fields[api]:
            answer = play.call(api, {**right, field.name: text})
            said = f"{field.name} of the {api}: {answer.code or answer.response.status}"
            final = answer.result("resultStatus") in {"S", "F"}
            play.check(final, f"{said} was answered")


for _name, _words, _text in (
    ("nul", "a NUL", "a\0b"),
    ("lone-surrogate", "half of a character, as JSON can escape it", "a\ud800b"),
    ("quotes", "quotation marks and SQL", "' OR '1'='1' --\""),
    ("markup", "markup and a template", "<b>${7*7}{{7*7}}%s%n</b>"),
):
    CASES.add(
        f"fields.text-with-{_name}",
        f"A field that holds {_words} has a final answer",
        "No text of a field makes an endpoint fail: the answer is final.",
        source=Source(_DOCUMENT, "How to return the result", "Any code with status S or F."),
        severity=Severity.RECOMMENDED if _name == "markup" else Severity.REQUIRED,
    )(partial(_hostile, text=_text))


@CASES.add(
    "fields.message-names-the-field",
    "The message of PARAM_ILLEGAL names the field",
    "Who has made the fault learns where it is.",
    source=Source(_DOCUMENT, "resultMessage", "It describes the result code in detail."),
    severity=Severity.RECOMMENDED,
)
def message_names_the_field(play: SignedPlay) -> None:
    """Leave out each required field of a send."""
    right = play.fields(Api.SEND)
    for field in play.dialect.fields[Api.SEND]:
        if field.required:
            others = {name: value for name, value in right.items() if name != field.name}
            message = play.call(Api.SEND, others).result("resultMessage")
            play.check(field.name in message, f"{field.name} is missing; the answer: {message!r}")


@CASES.add(
    "fields.message-without-the-value",
    "No answer repeats the value of a field that it refuses",
    "Values are secret, or not the endpoint's: tokens and codes stay out of messages and logs.",
    source=Source("OWASP ASVS 5.0", "16.2.5"),
)
def message_without_the_value(play: SignedPlay) -> None:
    """Give each field a value that is too long, and look for its beginning."""
    for api in Api:
        right = play.fields(api)
        for field in play.dialect.fields[api]:
            answer = play.call(api, {**right, field.name: _CANARY + "x" * field.longest})
            found = _CANARY.encode() in answer.response.body
            play.check(not found, f"the answer repeats the value of {field.name}")
