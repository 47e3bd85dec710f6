"""Cases of limits apart: what one client does with a user does not limit another client."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Source
from flask_otp_mpp.conformance.signed.dialect import Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

CASES: Final = SignedCases(
    Group.ISOLATION,
    SIGNED,
    Source(
        "Alipay+ and AMS API overview",
        "none",
        "What is done at one client does not limit another one.",
    ),
)


@CASES.add(
    "isolation.foreign-attempts",
    "The second client passes after the first one has presented wrong codes for its challenge",
    "The attempts of a client count for its own challenges.",
    Need.CODES,
    Need.SECOND_CLIENT,
    Need.SHARED_USERS,
    severity=Severity.RECOMMENDED,
)
def foreign_attempts(play: SignedPlay) -> None:
    """Send by the second client; let the first one spend attempts; pass by the second one."""
    user, who = play.at_second_client(play.user), play.second_client
    sent = play.sent(user, client=who)
    for number in range(1, play.limits.attempts + 2):
        play.verify(sent.challenge, play.wrong(sent.code, number))
    play.expect(play.verify(sent.challenge, sent.code, user, client=who), Means.SUCCESS)


@CASES.add(
    "isolation.sends-elsewhere",
    "A send of one client does not use up that of another one to the same user",
    "The pause between messages is that of a client.",
    Need.SECOND_CLIENT,
    Need.SHARED_USERS,
    severity=Severity.RECOMMENDED,
)
def sends_elsewhere(play: SignedPlay) -> None:
    """Send by the first client, and at once by the second one."""
    play.expect(play.send(), Means.SUCCESS)
    answer = play.send(play.at_second_client(play.user), client=play.second_client)
    play.expect(answer, Means.SUCCESS)


@CASES.add(
    "isolation.send-elsewhere-ends-nothing",
    "A challenge is usable after another client has sent a code to the same user",
    "A client's challenge is ended by that client's next one.",
    Need.CODES,
    Need.SECOND_CLIENT,
    Need.SHARED_USERS,
    severity=Severity.RECOMMENDED,
)
def send_elsewhere_ends_nothing(play: SignedPlay) -> None:
    """Send by the first client, then by the second one; pass by the first one."""
    sent = play.sent()
    play.send(play.at_second_client(play.user), client=play.second_client)
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add(
    "isolation.wrong-codes-elsewhere",
    "A user passes at one client whose attempts are used up at another one",
    "Who guesses at one client does not lock the user out at all of them.",
    Need.CODES,
    Need.SECOND_CLIENT,
    Need.SHARED_USERS,
    severity=Severity.RECOMMENDED,
)
def wrong_codes_elsewhere(play: SignedPlay) -> None:
    """Use up the attempts at the first client; send and pass by the second one."""
    sent = play.sent()
    for number in range(1, play.limits.attempts + 2):
        play.verify(sent.challenge, play.wrong(sent.code, number))
    user, who = play.at_second_client(play.user), play.second_client
    other = play.sent(user, client=who)
    play.expect(play.verify(other.challenge, other.code, user, client=who), Means.SUCCESS)
