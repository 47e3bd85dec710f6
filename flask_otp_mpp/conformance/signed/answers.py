"""Cases of all answers of a run: each is signed, and has a result of the documented form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from flask_otp_mpp.conformance.case import SIGNED, Failed, Group, Severity, Skipped, Source
from flask_otp_mpp.conformance.play import Exchange
from flask_otp_mpp.conformance.signed.dialect import UNDECIDED, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

OVERVIEW: Final = "Alipay+ and AMS API overview"
_RESULT: Final = Source("Alipay+ sendOTP and verifyOTP, AMS", "Response parameters, result")
_CODE: Final = re.compile("[A-Z][A-Z0-9_]{0,63}")
_STATUSES: Final = {"S": "success", "F": "failure", "U": "unknown"}

CASES: Final = SignedCases(Group.ANSWERS, SIGNED, _RESULT)
Holds = Callable[[SignedPlay, Exchange], object]


def answers(play: SignedPlay) -> Sequence[Exchange]:
    """Return the exchanges of the run whose answers must have the documented form.

    An answer to HEAD has no body that could be checked. A 429 without a body refuses traffic before
    anything is known of its caller; it is accepted.

    :raises Skipped: if there is none.
    """
    found = [
        one
        for one in play.said()
        if one.request.method != "HEAD" and (one.response.status != 429 or one.response.body)
    ]
    if not found:
        raise Skipped("no case before it has asked anything")
    return found


def see_all(play: SignedPlay, holds: Holds, said: str) -> None:
    """See that something holds for all answers.

    :param said: what is wrong with those for which it does not hold.
    :raises Failed: with their number, and which code the first one had.
    """
    all_of_them = answers(play)
    wrong = [one for one in all_of_them if not holds(play, one)]
    if wrong:
        first = wrong[0].code or f"HTTP {wrong[0].response.status}"
        raise Failed(f"{len(wrong)} of {len(all_of_them)} {said}; the first: {first}")


def result_of(one: Exchange) -> dict[str, Any]:
    """Return the result of an answer; an empty one if it has none."""
    try:
        value = json.loads(one.response.body.decode("utf-8"))
    except ValueError:
        return {}
    result = value.get("result") if isinstance(value, dict) else None
    return result if isinstance(result, dict) else {}


def _signed(play: SignedPlay, status: str) -> None:
    of_status = [one for one in answers(play) if result_of(one).get("resultStatus") == status]
    if not of_status:
        raise Skipped(f"no answer of the run had resultStatus {status}")
    wrong = [one for one in of_status if not one.verified]
    told = ", ".join(sorted({one.code for one in wrong}))
    play.check(
        not wrong,
        f"the signatures of {len(wrong)} of {len(of_status)} answers with status {status} are "
        f"missing or wrong: {told}",
    )


for _status, _word in _STATUSES.items():
    CASES.add(
        f"answers.signed-{_word}",
        f"Every answer with resultStatus {_status} is signed by the wallet's key",
        "The signature covers method, path, client-id, response-time and the bytes of the body.",
        source=Source(OVERVIEW, "Sign a response"),
        last=True,
    )(partial(_signed, status=_status))


def _lacks_result(one: Exchange) -> bool:
    """Tell whether an answer has no result, which one case finds."""
    return not result_of(one)


def _status_of_code(play: SignedPlay, one: Exchange) -> bool:
    of = {code: means for means, codes in play.dialect.codes.items() for code in codes}
    means = of.get(one.code)
    if means is None:
        return True
    status = "S" if means is Means.SUCCESS else "U" if means in UNDECIDED else "F"
    return result_of(one).get("resultStatus") == status


def _message(_: SignedPlay, one: Exchange) -> bool:
    message = result_of(one).get("resultMessage")
    return message is None or (isinstance(message, str) and len(message) <= 256)


_CHECKS: Final[tuple[tuple[str, str, Holds, str, Source], ...]] = (
    (
        "one-object",
        "The body of every answer is one JSON object with a result",
        lambda _, one: not _lacks_result(one),
        "answers have no JSON object with a result",
        _RESULT,
    ),
    (
        "result-code",
        "Every resultCode is a string of at most 64 characters",
        lambda _, one: _lacks_result(one) or _CODE.fullmatch(str(result_of(one).get("resultCode"))),
        "answers have no resultCode of capitals and underscores",
        _RESULT,
    ),
    (
        "result-status",
        "Every resultStatus is S, F or U",
        lambda _, one: _lacks_result(one) or result_of(one).get("resultStatus") in _STATUSES,
        "answers have another resultStatus",
        _RESULT,
    ),
    (
        "status-of-code",
        "Every resultStatus is that of its resultCode",
        _status_of_code,
        "answers have a resultStatus that does not belong to the resultCode",
        Source("Alipay+ sendOTP and verifyOTP, AMS", "Result/Error codes"),
    ),
    (
        "message-length",
        "No resultMessage is longer than 256 characters",
        _message,
        "answers have a resultMessage that is too long, or no string",
        _RESULT,
    ),
    (
        "message",
        "Every answer has a resultMessage",
        lambda _, one: _lacks_result(one) or bool(result_of(one).get("resultMessage")),
        "answers have no resultMessage",
        Source(_RESULT.document, _RESULT.section, "The pages recommend it."),
    ),
)

for _name, _title, _holds, _said, _source in _CHECKS:
    CASES.add(
        f"answers.{_name}",
        _title,
        "An answer has the form that the documents demand.",
        source=_source,
        severity=Severity.RECOMMENDED if _source.reading else Severity.REQUIRED,
        last=True,
    )(partial(see_all, holds=_holds, said=_said))
