"""Cases of tokens and users: each state that a user can be in has its result code."""

from __future__ import annotations

from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Skipped, Source, Wire
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_ALIPAYPLUS: Final = frozenset({Wire.ALIPAYPLUS})
_CODES: Final = "Result/Error codes"
_SEND: Final = "Alipay+ sendOTP, AMS initAuthentication"

CASES: Final = SignedCases(Group.USERS, SIGNED, Source(_SEND, _CODES))

_STATES: Final = (
    (Need.UNKNOWN, "unknown-token", "an unknown token", Means.TOKEN_INVALID),
    (Need.EXPIRED, "expired-token", "an expired token", Means.TOKEN_EXPIRED),
    (Need.NO_SCOPE, "no-scope", "a token that is not for codes", Means.TOKEN_INVALID),
    (Need.MISSING, "missing-user", "the token of a user who is missing", Means.USER_MISSING),
    (Need.FROZEN, "frozen-user", "the token of a frozen user", Means.USER_ABNORMAL),
)


def _send(play: SignedPlay, need: Need, means: Means) -> None:
    play.expect(play.send(play.bench.target.states[need].reveal()), means)


def _verify(play: SignedPlay, need: Need, means: Means) -> None:
    answer = play.send()
    play.expect(answer, Means.SUCCESS)
    token = play.bench.target.states[need].reveal()
    play.expect(play.verify(play.challenge_of(answer), "000000", token), means)


for _need, _name, _words, _means in _STATES:
    CASES.add(
        f"users.send-{_name}",
        f"A send with {_words} is answered: {_means}",
        "Each state of a token and its user has its result code.",
        _need,
    )(partial(_send, need=_need, means=_means))
    CASES.add(
        f"users.verify-{_name}",
        f"A verify with {_words} is answered: {_means}",
        "Each state of a token and its user has its result code.",
        _need,
        wires=_ALIPAYPLUS,
        source=Source("Alipay+ verifyOTP", _CODES, "The token is looked at before the challenge."),
        severity=Severity.RECOMMENDED,
    )(partial(_verify, need=_need, means=_means))


@CASES.add(
    "users.no-email",
    "A send by e-mail to a user without an address is refused as illegal",
    "No message goes where the user can't be reached.",
    Need.NO_EMAIL,
    source=Source(_SEND, _CODES, "PARAM_ILLEGAL; PROCESS_FAIL is accepted as well."),
)
def no_email(play: SignedPlay) -> None:
    """Ask for a code by e-mail."""
    user = play.bench.target.states[Need.NO_EMAIL].reveal()
    answer = play.call(Api.SEND, play.fields(Api.SEND, user, email=True))
    play.expect(answer, Means.PARAMETER, Means.PROCESS_FAIL)


@CASES.add(
    "users.no-email-has-phone",
    "The same user is reached by phone",
    "A channel that is missing does not end the other one.",
    Need.NO_EMAIL,
    source=Source(_SEND, _CODES, "The limit of sends is accepted, from an earlier run."),
)
def no_email_has_phone(play: SignedPlay) -> None:
    """Ask for a code by the usual channel."""
    user = play.bench.target.states[Need.NO_EMAIL].reveal()
    play.expect(play.send(user), Means.SUCCESS, Means.SEND_LIMIT)


_EXACT: Final = Source(_SEND, "Request parameters", "A token is compared as it is written.")


@CASES.add(
    "users.token-in-other-case",
    "A token whose letters have the other case is unknown",
    "A database that compares without case takes one token for another.",
    source=_EXACT,
)
def token_in_other_case(play: SignedPlay) -> None:
    """Swap upper and lower case."""
    token = play.user.swapcase()
    if token == play.user:
        raise Skipped("the token has no letters")
    play.expect(play.send(token), Means.TOKEN_INVALID, Means.PARAMETER)


@CASES.add(
    "users.token-with-space",
    "A token with a space behind it is unknown",
    "A database that pads texts with spaces takes one token for another.",
    source=_EXACT,
)
def token_with_space(play: SignedPlay) -> None:
    """Add a space."""
    play.expect(play.send(f"{play.user} "), Means.TOKEN_INVALID, Means.PARAMETER)


@CASES.add(
    "users.stays-out",
    "A refused token stays refused when it is sent again",
    "A refusal opens nothing, and is no first step.",
    Need.EXPIRED,
)
def stays_out(play: SignedPlay) -> None:
    """Send three times with an expired token."""
    token = play.bench.target.states[Need.EXPIRED].reveal()
    for _ in range(3):
        play.expect(play.send(token), Means.TOKEN_EXPIRED)
