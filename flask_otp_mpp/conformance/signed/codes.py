"""Cases of codes and attempts: what is a wrong code, and how many there may be."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Failed, Group, Need, Severity, Skipped, Source
from flask_otp_mpp.conformance.signed.answer import Sent
from flask_otp_mpp.conformance.signed.dialect import Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_DOCUMENT: Final = "Alipay+ verifyOTP, AMS verifyAuthentication"
_FAILURES: Final = 100
"""The most wrong codes in a row that NIST SP 800-63B-4, 3.2.2, allows."""

CASES: Final = SignedCases(Group.CODES, SIGNED, Source(_DOCUMENT, "Result/Error codes"))


def _spend(play: SignedPlay, sent: Sent) -> bool:
    """Use up the attempts of a challenge; the last one may be answered as the limit already.

    :returns: whether it was.
    """
    told = False
    for number in range(1, play.limits.attempts + 1):
        last = (Means.ATTEMPTS_SPENT,) if number == play.limits.attempts else ()
        answer = play.verify(sent.challenge, play.wrong(sent.code, number))
        play.expect(answer, Means.WRONG_CODE, *last)
        told = answer.code in play.dialect.codes[Means.ATTEMPTS_SPENT]
    return told


@CASES.add(
    "codes.wrong",
    "A wrong code is answered as wrong",
    "A wrong code has a result code of its own, as long as attempts are left.",
    Need.CODES,
)
def wrong(play: SignedPlay) -> None:
    """Present another code."""
    sent = play.sent()
    play.expect(play.verify(sent.challenge, play.wrong(sent.code)), Means.WRONG_CODE)


@CASES.add(
    "codes.first-digit",
    "A code that differs in its first digit only is wrong",
    "All digits of a code are compared.",
    Need.CODES,
)
def first_digit(play: SignedPlay) -> None:
    """Change the first digit."""
    sent = play.sent()
    other = play.wrong(sent.code, 10 ** (len(sent.code) - 1))
    play.expect(play.verify(sent.challenge, other), Means.WRONG_CODE)


@CASES.add(
    "codes.reversed",
    "The digits of a code in another order are wrong",
    "The order of the digits is compared.",
    Need.CODES,
)
def in_another_order(play: SignedPlay) -> None:
    """Turn the code around."""
    sent = play.sent()
    if sent.code == sent.code[::-1]:
        raise Skipped("the code is the same in both directions")
    play.expect(play.verify(sent.challenge, sent.code[::-1]), Means.WRONG_CODE)


@CASES.add(
    "codes.leading-zeros",
    "A code without its leading zeros is wrong",
    "A code is a text of digits, no number.",
    Need.CODES,
)
def leading_zeros(play: SignedPlay) -> None:
    """Leave them out, if the code happens to have some."""
    sent = play.sent()
    if not sent.code.startswith("0"):
        raise Skipped("the code has no leading zero; one in ten has")
    answer = play.verify(sent.challenge, sent.code.lstrip("0") or "0")
    play.expect(answer, Means.WRONG_CODE, Means.PARAMETER)


@CASES.add(
    "codes.last-attempt",
    "The right code is accepted at the last attempt",
    "All attempts that are promised can be made.",
    Need.CODES,
)
def last_attempt(play: SignedPlay) -> None:
    """Present wrong codes at all attempts but one, then the right code."""
    sent = play.sent()
    for number in range(1, play.limits.attempts):
        play.verify(sent.challenge, play.wrong(sent.code, number))
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add(
    "codes.attempts-spent",
    "The right code is refused when the attempts are used up",
    "A code is dead after its last attempt, and the user must get a new one.",
    Need.CODES,
    source=Source(
        _DOCUMENT,
        "Result/Error codes, VERIFY_TIMES_EXCEED_LIMIT",
        "That code; if the last wrong code had it already, that of an unknown id as well.",
    ),
)
def attempts_spent(play: SignedPlay) -> None:
    """Use up the attempts; present the right code."""
    sent = play.sent()
    also = (Means.ID_NOT_USABLE,) if _spend(play, sent) else ()
    play.expect(play.verify(sent.challenge, sent.code), Means.ATTEMPTS_SPENT, *also)


@CASES.add(
    "codes.stays-spent",
    "The right code is refused at every attempt after the first one too many",
    "The limit is not reset by attempts.",
    Need.CODES,
    source=Source(
        _DOCUMENT, "Result/Error codes", "The limit, or that the id is not usable any more."
    ),
)
def stays_spent(play: SignedPlay) -> None:
    """Use up the attempts; present a wrong code and the right one, twice."""
    sent = play.sent()
    _spend(play, sent)
    for code in (play.wrong(sent.code), sent.code) * 2:
        answer = play.verify(sent.challenge, code)
        play.expect(answer, Means.ATTEMPTS_SPENT, Means.ID_NOT_USABLE)


@CASES.add(
    "codes.new-code-after-spent",
    "A user whose attempts are used up gets a new code, which is accepted",
    "The user must get a new OTP, and can.",
    Need.CODES,
    slow=True,
)
def new_code_after_spent(play: SignedPlay) -> None:
    """Use up the attempts; send again and present the right code."""
    _spend(play, play.sent())
    play.wait(play.limits.resend_seconds)
    again = play.sent()
    play.expect(play.verify(again.challenge, again.code), Means.SUCCESS)


@CASES.add(
    "codes.wrong-ones-add-up",
    "Wrong codes of one challenge after the other come to an end",
    "A new code gives no new guesses without end.",
    Need.CODES,
    source=Source("NIST SP 800-63B-4", "3.2.2", "At most 100; a limit of sends ends them as well."),
    severity=Severity.RECOMMENDED,
    slow=True,
)
def wrong_ones_add_up(play: SignedPlay) -> None:
    """Use up challenges until a send or a first attempt is refused."""
    if play.bench.target.clock is None:
        raise Skipped("it waits for many sends; let the kit move the clock")
    for _ in range(-(-_FAILURES // play.limits.attempts)):
        waiting = play.waiting(play.user)
        answer = play.send()
        if answer.code not in play.dialect.codes[Means.SUCCESS]:
            play.expect(answer, Means.SEND_LIMIT)
            return
        challenge = play.challenge_of(answer)
        code = play.code(waiting, challenge)
        for number in range(1, play.limits.attempts + 1):
            tried = play.verify(challenge, play.wrong(code, number))
            if number == 1 and tried.code in play.dialect.codes[Means.ATTEMPTS_SPENT]:
                return
        play.wait(play.limits.resend_seconds)
    raise Failed(f"{_FAILURES} wrong codes in a row were compared")


@CASES.add(
    "codes.swapped",
    "The code of one challenge does not open another one",
    "A code belongs to its challenge.",
    Need.CODES,
    users=2,
)
def swapped(play: SignedPlay) -> None:
    """Send to two users; present the second one's code for the first one's challenge."""
    first, second = play.sent(), play.sent(play.second_user)
    if first.code == second.code:
        raise Skipped("both users were sent the same code")
    play.expect(play.verify(first.challenge, second.code), Means.WRONG_CODE)


@CASES.add(
    "codes.of-no-challenge",
    "Wrong codes for ids that do not exist spend no attempt of a real one",
    "Attempts are counted where a code is compared.",
    Need.CODES,
    severity=Severity.RECOMMENDED,
    source=Source(_DOCUMENT, "none", "Who guesses at ids does not lock a user out."),
)
def of_no_challenge(play: SignedPlay) -> None:
    """Present codes for unknown ids, then the right code for the real one."""
    sent = play.sent()
    for _ in range(play.limits.attempts + 1):
        play.verify(play.unknown_challenge(), play.wrong(sent.code))
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)
