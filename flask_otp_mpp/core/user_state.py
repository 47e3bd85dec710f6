"""What the record of a user means at a moment: locks, the next send, how it is with each code.

Pure functions of a record and the policy, for whoever must answer why a user got no code. They
decide by the rules by which a request is decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Channel, Draft
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.limits import EVERY_CLIENT, ClientLimits, CountedSend, UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import FOREVER, Outcome, Reason
from flask_otp_mpp.core.user_record import ChallengeRecord, UserRecord

OTHERS: Final = "-"
"""Stands for each client at which nothing is counted; no digest is like it."""
_NO_REQUEST: Final = IdempotencyKey("", timedelta())


class Wait(StrEnum):
    """Why a send must wait."""

    DISABLED = "disabled"
    LOCK = "lock"
    COOL_DOWN = "cool-down"
    SEND_LIMIT = "send limit"


class CodeStatus(StrEnum):
    """How it is with a code that was sent."""

    OPEN = "open"
    USED = "used"
    REPLACED = "replaced"
    """A newer send to the same user, caller and channel has closed it."""
    NOT_DELIVERED = "not delivered"
    """The sender refused, or its end is unknown and the protocol lets the caller try again."""
    TRIES_SPENT = "tries spent"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class NextSend:
    """When a code may be sent again on a channel for a client.

    There is one for each client at which something is counted, and one for all others.

    :param at: the first moment; None if it may be sent now, FOREVER if only an unlock helps.
    :param wait: what holds until then.
    """

    channel: Channel
    client: str
    at: datetime | None
    wait: Wait | None


@dataclass(frozen=True, slots=True)
class SentCode:
    """A code that was sent, by its challenge.

    :param channel: None if it is not known any more, and so the client.
    :param until: when it was used, replaced or not delivered; else when it expires.
    """

    challenge_id: str
    channel: Channel | None
    client: str | None
    sent_at: datetime
    status: CodeStatus
    until: datetime
    attempts: int
    tries: int


@dataclass(frozen=True, slots=True)
class UserState:
    """What answers why a user got no code.

    :param at: the moment for which all of it holds, by the store's clock.
    :param disabled: whether OTP is disabled for the user, until an unlock.
    :param failures: wrong codes since the last success, over all clients.
    :param clients: those at which codes were wrong; each ``client`` is a name, and ``locked_until``
        is None unless the lock is in force.
    :param sends: those that still count; each ``client`` is a name.
    :param codes: the newest ones, the oldest first; those that are kept.
    """

    subject: str
    at: datetime
    disabled: bool
    failures: int
    clients: tuple[ClientLimits, ...]
    sends: tuple[CountedSend, ...]
    next_sends: tuple[NextSend, ...]
    codes: tuple[SentCode, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stored of the user that counts."""
        return not (self.failures or self.clients or self.sends or self.codes)


@dataclass(frozen=True, slots=True)
class RecentEvent:
    """Something that happened to a user.

    :param text: one line, without a code, token or address.
    """

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What an unlock has changed.

    :param locks: those that were in force; each ``client`` is a name.
    :param failures: how many wrong codes are forgotten.
    :param sends: how many counted sends are forgotten.
    """

    changed: bool
    locks: tuple[ClientLimits, ...] = ()
    failures: int = 0
    sends: int = 0


def user_state(
    subject: str, record: UserRecord, policy: Policy, name_of: Callable[[str], str]
) -> UserState:
    """Read a record by the policy.

    :param name_of: returns the name of a client by its digest; for OTHERS too.
    """
    now = record.read_at
    limits = record.limits.current(policy, now)
    clients = [*(one.client for one in limits.clients), *(sent.client for sent in limits.sends)]
    channels = [one for one in Channel if any(one is sent.channel for sent in limits.sends)]
    return UserState(
        subject,
        now,
        limits.failures >= policy.disable_after,
        limits.failures,
        tuple(named(one, now, name_of) for one in limits.clients),
        tuple(replace(sent, client=name_of(sent.client)) for sent in limits.sends),
        tuple(
            NextSend(channel, name_of(client), *next_send(limits, policy, now, channel, client))
            for client in (*dict.fromkeys(clients), OTHERS)
            for channel in channels
            if client != EVERY_CLIENT
        ),
        tuple(_sent_code(one, record, name_of) for one in record.challenges),
    )


def named(entry: ClientLimits, now: datetime, name_of: Callable[[str], str]) -> ClientLimits:
    """Return what is counted at a client with its name, and with a lock only if it is in force."""
    end = entry.locked_until
    in_force = end is not None and now < end
    return replace(entry, client=name_of(entry.client), locked_until=end if in_force else None)


def next_send(
    limits: UserLimits, policy: Policy, now: datetime, channel: Channel, client: str
) -> tuple[datetime | None, Wait | None]:
    """Return from when a send is allowed, and what holds until then; twice None if it is now.

    The decision on a send is asked again at each end that it tells, for behind the end of a lock
    there may be a limit.
    """
    draft = Draft("", "", "", client, channel, b"", _NO_REQUEST)
    at, wait = now, None
    while True:
        decided = rules.reserve(draft, policy, at, limits=limits, open_challenges=())
        if not isinstance(decided, Outcome) or decided.until is None:
            return (None, None) if wait is None else (at, wait)
        if decided.until == FOREVER:
            return FOREVER, Wait.DISABLED
        at, wait = decided.until, _wait(decided, limits, policy, channel, client)


def _wait(
    refused: Outcome, limits: UserLimits, policy: Policy, channel: Channel, client: str
) -> Wait:
    if refused.reason is Reason.SEND_LOCKED:
        return Wait.LOCK
    own = (
        sent.at + policy.cool_down
        for sent in limits.sends
        if sent.channel is channel and sent.client in (client, EVERY_CLIENT)
    )
    return Wait.COOL_DOWN if refused.until == max(own, default=None) else Wait.SEND_LIMIT


def _sent_code(
    challenge: ChallengeRecord, record: UserRecord, name_of: Callable[[str], str]
) -> SentCode:
    """Read a challenge; the send that was counted at the same moment tells its client."""
    clients = {
        sent.client
        for sent in record.limits.sends
        if sent.at == challenge.issued_at and challenge.channel in (None, sent.channel)
    }
    status, until = _status(challenge, record)
    return SentCode(
        challenge.id,
        challenge.channel,
        name_of(clients.pop()) if len(clients) == 1 else None,
        challenge.issued_at,
        status,
        until,
        challenge.attempts,
        challenge.tries,
    )


def _status(challenge: ChallengeRecord, record: UserRecord) -> tuple[CodeStatus, datetime]:
    if challenge.used_at is not None:
        return CodeStatus.USED, challenge.used_at
    if challenge.closed_at is not None:
        followed = any(
            one.caller == challenge.caller and one.issued_at == challenge.closed_at
            for one in record.challenges
            if one is not challenge
        )
        status = CodeStatus.REPLACED if followed else CodeStatus.NOT_DELIVERED
        return status, challenge.closed_at
    refusal = challenge.refusal(record.read_at)
    if refusal is None:
        return CodeStatus.OPEN, challenge.expires_at
    spent = challenge.attempts >= challenge.tries
    return CodeStatus.TRIES_SPENT if spent else CodeStatus.EXPIRED, challenge.expires_at
