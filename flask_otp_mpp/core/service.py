"""The house does two things, send and verify; both come here whatever protocol asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from flask_otp_mpp.core.challenge import Attempt, Channel, Draft, IdempotencyKey, Outcome
from flask_otp_mpp.core.codes import Codes, new_challenge_id
from flask_otp_mpp.core.message import Composer, Message
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock, Store
from flask_otp_mpp.core.reasons import Reason, Refused, refuse
from flask_otp_mpp.core.users import Credential, User, Users

Sender: TypeAlias = Callable[[User, Message], object]

_PAUSE: Final = 0.05
"""Seconds between two looks at a request that is at work elsewhere."""


@dataclass(frozen=True, slots=True)
class SendOtp:
    """Ask for a code to be sent.

    :param caller: the digest that stands for who asks; only the same caller may verify.
    :param credential: by which the host knows the user.
    :param patience: how long to wait for the same request's first coming, if that is still at work.
    :param line: a line of its own that the message must hold, such as a token that a phone looks
        for; empty for none.
    :param reference: how the caller has named the request, for the answer to repeat; empty if it
        has not.
    :param anew: whether a send whose end nobody knows is closed and forgotten, so that a repeat of
        the request sends another code; without it a repeat is told that nobody knows.
    """

    caller: str
    credential: Credential = field(repr=False)
    channel: Channel
    request: IdempotencyKey
    wait: timedelta = timedelta()
    line: str = field(default="", repr=False)
    reference: str = ""
    retry_unknown: bool = False


@dataclass(frozen=True, slots=True)
class ById:
    """Mean a challenge by its id, and its user by a credential that came with the code."""

    challenge_id: str
    credential: Credential = field(repr=False)


@dataclass(frozen=True, slots=True)
class BySend:
    """Mean the challenge, and its user, for whom a code was sent by a named request.

    :param request: the value of that request's key.
    """

    request: str


@dataclass(frozen=True, slots=True)
class VerifyOtp:
    """Ask whether a code is the one that was sent.

    :param target: which challenge is meant.
    """

    caller: str
    target: ById | BySend
    code: str = field(repr=False)
    request: IdempotencyKey


@dataclass(frozen=True, slots=True)
class Done:
    """Report a request that was granted: a code accepted for delivery, or the right code.

    :param subject: the user, as the host names it.
    :param repeated: this answers a repeat; nothing was done again.
    """

    challenge_id: str
    subject: str
    repeated: bool = False


class OtpService:
    """Send and verify codes by the store's decisions and the host's hooks."""

    def __init__(
        self,
        *,
        store: Store,
        policy: Policy,
        codes: Codes,
        composer: Composer,
        users: Users,
        senders: Mapping[Channel, Sender],
        on_lock: Callable[[str, datetime], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._policy = policy
        self._codes = codes
        self._composer = composer
        self._users = users
        self._senders = senders
        self._on_lock = on_lock
        self._clock = clock

    def send(self, command: SendOtp) -> Done:
        """Reserve a challenge, hand its message to the sender, remember how that ended.

        Nothing of ours is held open while the sender works. A sender that refuses closes the
        challenge; one that raises anything else leaves it open, for the message may have gone out,
        unless the command says that a repeat is to be judged anew.

        :raises Refused: by the user lookup, the quota, the sender, or a repeat of a refused send.
        """
        request, wait = self._sealed(command.request), command.wait
        if (known := self._recall(command.request, wait)) is not None:
            return known
        try:
            sender = self._senders.get(command.channel)
            if sender is None:
                refuse(Reason.CHANNEL_UNAVAILABLE)
            user, subject = self._users.load(command.credential)
        except Refused as refusal:
            return self._refuse(request, refusal)
        challenge_id = new_challenge_id()
        code = self._codes.mint(challenge_id)
        digest = self._codes.digest(challenge_id, command.caller, code)
        draft = Draft(challenge_id, subject, command.caller, command.channel, digest, request)
        reserved = self._store.reserve(draft, self._policy)
        if isinstance(reserved, Outcome):
            if reserved.reason is Reason.REQUEST_PENDING and wait:
                return self._recall(command.request, wait) or _answer(reserved, subject)
            return _answer(reserved, subject)
        life = self._policy.life
        if reserved.id != draft.id:
            code = self._codes.recover(reserved)
            life = reserved.expires_at - self._clock()
        outcome = Outcome(reserved.id)
        try:
            sender(user, self._composer.compose(code, command.channel, life, command.line))
        except Refused as refusal:
            outcome = Outcome(reserved.id, refusal.reason, refusal.detail, refusal.until)
        except Exception:
            if command.retry_unknown:
                self._store.settle(draft, Outcome(reserved.id, Reason.UNFORESEEN))
            raise
        self._store.settle(draft, outcome)
        return _answer(outcome, subject)

    def verify(self, command: VerifyOtp) -> Done:
        """Spend one attempt on a challenge.

        :raises Refused: with the reason why the code does not count.
        """
        request, target = self._sealed(command.request), command.target
        if (known := self._recall(command.request)) is not None:
            return known
        try:
            if isinstance(target, ById):
                challenge_id, (_, subject) = (
                    target.challenge_id,
                    self._users.load(target.credential),
                )
            else:
                challenge_id, subject = self._sent_by(target.request)
        except Refused as refusal:
            return self._refuse(request, refusal)
        digests = self._codes.candidates(challenge_id, command.caller, command.code)
        attempt = Attempt(challenge_id, subject, command.caller, digests, request)
        outcome = self._store.spend(attempt, self._policy)
        if (
            outcome.reason is Reason.CODE_UNMATCHED
            and outcome.until is not None
            and not outcome.repeated
        ):
            self._on_lock(subject, outcome.until)
        return _answer(outcome, subject)

    def _sealed(self, request: IdempotencyKey) -> IdempotencyKey:
        """Return the key of a request as a store may keep it."""
        if not request.chosen_by_caller:
            return request
        return replace(request, digest=self._codes.request_macs(request.digest)[0])

    def _recall(self, request: IdempotencyKey, wait: timedelta = timedelta()) -> Done | None:
        """Answer a repeat of a named request as its first coming was; None if it is new.

        While that one is at work, wait for it.
        """
        if not request.chosen_by_caller:
            return None
        request_macs = self._codes.request_macs(request.digest)
        end = time.monotonic() + wait.total_seconds()
        while (record := self._store.get_answer(request.value)) is not None:
            seal = (
                record.digest if record.digest in request_macs else request_macs[0]
            )  # an older pepper's
            outcome = record.answer(replace(request, digest=seal))
            if outcome.reason is not Reason.REQUEST_PENDING or time.monotonic() >= end:
                return _answer(outcome, record.subject)
            time.sleep(_PAUSE)
        return None

    def _sent_by(self, request: str) -> tuple[str, str]:
        record = self._store.get_answer(request)
        if record is None or not record.subject:
            refuse(Reason.CHALLENGE_UNKNOWN)
        self._users.confirm(record.subject)
        return record.outcome.challenge_id, record.subject

    def _refuse(self, request: IdempotencyKey, refusal: Refused) -> Done:
        """Refuse what never came to the store's decision; remember that of a named request.

        If the same request was meanwhile answered otherwise, that answer counts.
        """
        if not request.chosen_by_caller or not request.caches(refusal.reason):
            raise refusal
        outcome = Outcome("", refusal.reason, refusal.detail, refusal.until)
        return _answer(self._store.put_answer(request, outcome), "")


def _answer(outcome: Outcome, subject: str) -> Done:
    if outcome.reason is not None:
        raise Refused(outcome.reason, outcome.detail, outcome.until)
    return Done(outcome.challenge_id, subject, outcome.repeated)
