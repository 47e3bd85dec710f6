"""Cases of what must work: each method, each way to name a user, each form that Google may use."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import GOOGLE, Group, Need, Severity
from flask_otp_mpp.conformance.google.dialect import ABSENT, Api, Means, changed, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(Group.HAPPY_PATH, GOOGLE, written("Methods sendOtp, verifyOtp, echo"))


@CASES.add(
    "happy.send-by-number",
    "A code is sent to the user of a phone number",
    "sendOtp with accountPhoneNumber sends a code and answers SUCCESS.",
    Need.NUMBER,
    source=written("Method: sendOtp"),
)
def send_by_number(play: GooglePlay) -> None:
    """Send by accountPhoneNumber."""
    play.expect(play.send(), Means.SUCCESS)


@CASES.add(
    "happy.send-by-association",
    "A code is sent to the user of an association",
    "sendOtp with associationId sends a code and answers SUCCESS.",
    Need.ASSOCIATION,
    source=written("Method: sendOtp"),
    users=0,
)
def send_by_association(play: GooglePlay) -> None:
    """Send by associationId."""
    play.expect(play.send(associationId=play.association()), Means.SUCCESS)


@CASES.add(
    "happy.verify",
    "The code that was sent is right",
    "verifyOtp with the code that was sent answers SUCCESS.",
    Need.CODES,
    source=written("Method: verifyOtp"),
)
def verify(play: GooglePlay) -> None:
    """Present the right code."""
    sent = play.sent()
    play.expect(play.verify(sent.request_id, sent.code), Means.SUCCESS)


@CASES.add(
    "happy.verify-by-association",
    "The code that was sent for an association is right",
    "verifyOtp names the send only, however that has named its user.",
    Need.CODES,
    Need.ASSOCIATION,
    source=written("Method: verifyOtp"),
    users=0,
)
def verify_by_association(play: GooglePlay) -> None:
    """Present the right code of a send by associationId."""
    sent = play.sent(associationId=play.association())
    play.expect(play.verify(sent.request_id, sent.code), Means.SUCCESS)


@CASES.add(
    "happy.one-id-for-both-methods",
    "verifyOtp has the requestId of its sendOtp, as in Google's samples",
    "A requestId belongs to its method.",
    Need.CODES,
    source=written("Method: verifyOtp, sample"),
)
def one_id_for_both(play: GooglePlay) -> None:
    """Verify under the requestId of the send."""
    sent = play.sent()
    answer = play.verify(sent.request_id, sent.code, request_id=sent.request_id)
    play.expect(answer, Means.SUCCESS)


@CASES.add(
    "happy.another-user-at-once",
    "Codes of two users are right, each for its send",
    "A send to one user does not touch the challenge of another.",
    Need.CODES,
    Need.SECOND_USER,
    users=2,
)
def another_user(play: GooglePlay) -> None:
    """Send to two users, then verify the first."""
    first = play.sent()
    play.expect(play.send(play.second_user), Means.SUCCESS)
    play.expect(play.verify(first.request_id, first.code), Means.SUCCESS)


def _echo(word: str, play: GooglePlay) -> None:
    answer = play.echo(clientMessage=word)
    play.check(
        answer.response.status == 200 and answer.json.get("clientMessage") == word,
        f"HTTP 200 with the same clientMessage was expected, and HTTP {answer.response.status} "
        f"with {answer.json.get('clientMessage')!r} was answered",
    )


for _name, _what, _word in (
    ("echo", "a word", "conformance"),
    ("echo-empty", "an empty text", ""),
    ("echo-unicode", "letters of many alphabets", "grüße 你好 \U0001f511"),
    ("echo-escapes", "quotes, backslashes and line breaks", 'a "b" \\ \n\t/'),
):
    CASES.add(
        f"happy.{_name}",
        f"echo returns {_what} as it came",
        "echo answers with the clientMessage of the request, unchanged.",
        source=written("Method: echo"),
        users=0,
    )(partial(_echo, _word))


def _sends(path: str, value: Any, play: GooglePlay) -> None:
    message = changed(play.message(Api.SEND), path, value)
    play.expect(play.call(Api.SEND, message), Means.SUCCESS)


for _name, _title, _path, _value, _severity in (
    (
        "without-context",
        "sendOtp without otpContext sends a code",
        "otpContext",
        ABSENT,
        Severity.REQUIRED,
    ),
    (
        "another-context",
        "sendOtp with another member in otpContext sends a code",
        "otpContext",
        {"mandateCreation": {}},
        Severity.RECOMMENDED,
    ),
    (
        "token-of-base64",
        "sendOtp takes a smsMatchingToken with + and /",
        "smsMatchingToken",
        "FA+9qCX/VSu",
        Severity.REQUIRED,
    ),
):
    CASES.add(
        f"happy.{_name}",
        _title,
        "A request that follows the rules of its fields is handled.",
        source=written("Method: sendOtp", "otpContext is a union that may have further members."),
        severity=_severity,
    )(partial(_sends, _path, _value))
