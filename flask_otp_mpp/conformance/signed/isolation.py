"""Cases of callers apart: a challenge belongs to its user, its client and who it named."""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.conformance.case import SIGNED, Group, Need, Severity, Skipped, Source, Wire
from flask_otp_mpp.conformance.signed.dialect import Api, Means
from flask_otp_mpp.conformance.signed.play import SignedCases, SignedPlay

_ALIPAYPLUS: Final = frozenset({Wire.ALIPAYPLUS})
_AMS: Final = frozenset({Wire.AMS})
_OTHERS: Final = Source("OWASP API Security Top 10 2023", "API1, object level authorization")
_IDS: Final = Source(
    "Alipay+ sendOTP and verifyOTP",
    "Request parameters, acquirerId and pspId",
    "A challenge is bound to both; ACCESS_DENIED and INVALID_CLIENT are accepted as well.",
)

CASES: Final = SignedCases(Group.ISOLATION, SIGNED, _OTHERS)


def _own_token(play: SignedPlay) -> str:
    """Return the second client's own token, for the same user if there is one.

    AMS names no user in an attempt.

    :raises Skipped: if there is none.
    """
    if play.bench.target.second_valid:
        return play.at_second_client(play.user)
    token = play.second_client.token
    if token is None:
        if play.dialect.wire is Wire.AMS:
            return play.user
        raise Skipped("the second client has no token of a user")
    return token.reveal()


@CASES.add(
    "isolation.other-client",
    "The right code is refused for the challenge of another client",
    "A challenge belongs to the client that has opened it.",
    Need.CODES,
    Need.SECOND_CLIENT,
)
def other_client(play: SignedPlay) -> None:
    """Let the second client present the first one's challenge and code, with its own token."""
    sent = play.sent()
    who = play.second_client
    answer = play.verify(sent.challenge, sent.code, _own_token(play), client=who)
    play.expect(answer, Means.ID_NOT_USABLE)


@CASES.add(
    "isolation.other-client-same-token",
    "The right code is refused for a challenge and a token of another client",
    "Who has learned the token, the id and the code of a client is not that client.",
    Need.CODES,
    Need.SECOND_CLIENT,
    wires=_ALIPAYPLUS,
    source=Source(_OTHERS.document, _OTHERS.section, "INVALID_TOKEN, or that of an unknown id."),
)
def other_client_same_token(play: SignedPlay) -> None:
    """Let the second client present all that the first one has."""
    sent = play.sent()
    answer = play.verify(sent.challenge, sent.code, client=play.second_client)
    play.expect(answer, Means.TOKEN_INVALID, Means.ID_NOT_USABLE, Means.ACCESS_DENIED)


@CASES.add(
    "isolation.token-of-other-client",
    "A send with the token of another client is refused",
    "A token is valid for the client that it was given to.",
    Need.SECOND_CLIENT,
    source=Source(_OTHERS.document, _OTHERS.section, "ACCESS_DENIED is accepted as well."),
    severity=Severity.RECOMMENDED,
)
def token_of_other_client(play: SignedPlay) -> None:
    """Let the second client send with a token of the first one."""
    own = play.bench.target.second_valid.get(play.user)
    if own is not None and own.reveal() == play.user:
        raise Skipped("both clients have the same tokens")
    answer = play.send(client=play.second_client)
    play.expect(answer, Means.TOKEN_INVALID, Means.ACCESS_DENIED)


@CASES.add(
    "isolation.token-of-first-client",
    "A send with the token of the second client is refused at the first one",
    "A token is valid for the client that it was given to.",
    Need.SECOND_CLIENT,
    source=Source(_OTHERS.document, _OTHERS.section, "ACCESS_DENIED is accepted as well."),
    severity=Severity.RECOMMENDED,
)
def token_of_first_client(play: SignedPlay) -> None:
    """Let the first client send with the second one's token."""
    if play.second_client.token is None:
        raise Skipped("the second client has no token of a user")
    answer = play.send(play.second_client.token.reveal())
    play.expect(answer, Means.TOKEN_INVALID, Means.ACCESS_DENIED)


@CASES.add(
    "isolation.owner-unharmed",
    "A challenge is usable after another client has tried to use it",
    "Wrong codes of another client spend no attempts.",
    Need.CODES,
    Need.SECOND_CLIENT,
)
def owner_unharmed(play: SignedPlay) -> None:
    """Let the second client present more codes than there are attempts; then pass."""
    sent = play.sent()
    user, who = _own_token(play), play.second_client
    for number in range(1, play.limits.attempts + 2):
        play.verify(sent.challenge, play.wrong(sent.code, number), user, client=who)
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add(
    "isolation.other-client-spends-nothing",
    "A challenge is usable after another client has presented its right code",
    "What another client is refused ends nothing.",
    Need.CODES,
    Need.SECOND_CLIENT,
)
def other_client_spends_nothing(play: SignedPlay) -> None:
    """Let the second client present the right code; then pass."""
    sent = play.sent()
    play.verify(sent.challenge, sent.code, _own_token(play), client=play.second_client)
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add(
    "isolation.other-user",
    "The right code is refused with the token of another user",
    "A challenge belongs to its user.",
    Need.CODES,
    wires=_ALIPAYPLUS,
    users=2,
)
def other_user(play: SignedPlay) -> None:
    """Present the first user's challenge and code with the second user's token."""
    sent = play.sent()
    answer = play.verify(sent.challenge, sent.code, play.second_user)
    play.expect(answer, Means.ID_NOT_USABLE)


@CASES.add(
    "isolation.other-user-spends-nothing",
    "A challenge is usable after another user has tried to use it",
    "Wrong codes with the token of another user spend no attempts.",
    Need.CODES,
    wires=_ALIPAYPLUS,
    users=2,
)
def other_user_spends_nothing(play: SignedPlay) -> None:
    """Present more wrong codes than there are attempts with another token; then pass."""
    sent = play.sent()
    for number in range(1, play.limits.attempts + 2):
        play.verify(sent.challenge, play.wrong(sent.code, number), play.second_user)
    play.expect(play.verify(sent.challenge, sent.code), Means.SUCCESS)


@CASES.add(
    "isolation.two-challenges",
    "Two users' challenges are open at the same time, and each opens by its code",
    "The send to a user does not end the challenge of another one.",
    Need.CODES,
    users=2,
)
def two_challenges(play: SignedPlay) -> None:
    """Send to two users; pass with both, the first one first."""
    first, second = play.sent(), play.sent(play.second_user)
    play.expect(play.verify(first.challenge, first.code), Means.SUCCESS)
    answer = play.verify(second.challenge, second.code, play.second_user)
    play.expect(answer, Means.SUCCESS)


@CASES.add(
    "isolation.other-acquirer",
    "The right code is refused with another acquirerId",
    "A challenge belongs to the acquirer for whom it was opened.",
    Need.CODES,
    wires=_ALIPAYPLUS,
    source=_IDS,
    severity=Severity.RECOMMENDED,
)
def other_acquirer(play: SignedPlay) -> None:
    """Change the acquirerId between send and verify."""
    sent = play.sent()
    other = play.wrong(play.client.acquirer) if play.client.acquirer.isdigit() else "1022188999"
    answer = play.verify(sent.challenge, sent.code, acquirerId=other)
    play.expect(answer, Means.ID_NOT_USABLE, Means.ACCESS_DENIED, Means.CLIENT_UNKNOWN)


@CASES.add(
    "isolation.other-psp-sends",
    "A send with the pspId of another wallet is refused",
    "A wallet serves requests that name it.",
    wires=_ALIPAYPLUS,
    source=Source(_IDS.document, _IDS.section, "INVALID_CLIENT; ACCESS_DENIED, PARAM_ILLEGAL."),
    severity=Severity.RECOMMENDED,
)
def other_psp_sends(play: SignedPlay) -> None:
    """Name another wallet in a send."""
    answer = play.call(Api.SEND, {**play.fields(Api.SEND), "pspId": "1022172999999999999"})
    play.expect(answer, Means.CLIENT_UNKNOWN, Means.ACCESS_DENIED, Means.PARAMETER)


@CASES.add(
    "isolation.other-psp-verifies",
    "The right code is refused with the pspId of another wallet",
    "A wallet serves requests that name it.",
    Need.CODES,
    wires=_ALIPAYPLUS,
    source=_IDS,
    severity=Severity.RECOMMENDED,
)
def other_psp_verifies(play: SignedPlay) -> None:
    """Name another wallet in a verify."""
    sent = play.sent()
    answer = play.verify(sent.challenge, sent.code, pspId="1022172999999999999")
    play.expect(
        answer,
        Means.CLIENT_UNKNOWN,
        Means.ACCESS_DENIED,
        Means.PARAMETER,
        Means.ID_NOT_USABLE,
    )


@CASES.add(
    "isolation.same-id",
    "An authenticationRequestId of one client means nothing at another one",
    "Each merchant chooses its ids for itself.",
    Need.SECOND_CLIENT,
    wires=_AMS,
    source=Source("AMS initAuthentication", "Request parameters, authenticationRequestId"),
)
def same_id(play: SignedPlay) -> None:
    """Let the second client use an id of the first one, with a token that it does not have."""
    fields = play.fields(Api.SEND)
    play.expect(play.call(Api.SEND, fields), Means.SUCCESS)
    token = play.unknown_challenge()
    name = fields["authenticationRequestId"]
    answer = play.send(token, client=play.second_client, authenticationRequestId=name)
    play.expect(answer, Means.TOKEN_INVALID)
