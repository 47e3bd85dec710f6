"""The two commands, send and verify, whichever protocol they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from flask_otp_mpp.core.at_work import RequestsAtWork
from flask_otp_mpp.core.bulkhead import Bulkhead, Full
from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Attempt, Channel, Draft
from flask_otp_mpp.core.codes import Codes, new_challenge_id
from flask_otp_mpp.core.deadline import seconds_left
from flask_otp_mpp.core.idempotency import NOTHING_DONE, IdempotencyKey
from flask_otp_mpp.core.message import Composer, Message
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import RefusalQuota, RequestStore
from flask_otp_mpp.core.reasons import Outcome, Reason, catch_refusal, refuse
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.trace import Part, current, timed
from flask_otp_mpp.core.users import Credential, User, Users

Sender: TypeAlias = Callable[[User, Message], object]


@dataclass(frozen=True, slots=True)
class SendOtp:
    """Ask for a code to be sent.

    :param caller: who asks; only the same caller may verify.
    :param credential: by which the host knows the user.
    :param wait: how long a repeat may wait for the same request, if that is at work now.
    :param sms_token: a token for which an app on the phone looks; the message holds it on a line of
        its own. Empty for none.
    :param retry_unknown: whether a send whose end is unknown is closed and forgotten, so that a
        repeat sends another code; without it a repeat is answered REQUEST_PENDING.
    """

    caller: Caller
    credential: Credential
    channel: Channel
    request: IdempotencyKey
    wait: timedelta = timedelta()
    sms_token: str = field(default="", repr=False)
    retry_unknown: bool = False


@dataclass(frozen=True, slots=True)
class ById:
    """Name a challenge by its id, and its user by a credential that came with the code."""

    challenge_id: str
    credential: Credential


@dataclass(frozen=True, slots=True)
class BySend:
    """Name a challenge, and its user, by the request that sent the code.

    :param request: the value of that request's idempotency key.
    """

    request: str


@dataclass(frozen=True, slots=True)
class VerifyOtp:
    """Ask whether a code is the one that was sent.

    :param target: which challenge is meant.
    """

    caller: Caller
    target: ById | BySend
    code: Secret[str]
    request: IdempotencyKey


Command: TypeAlias = SendOtp | VerifyOtp


class OtpService:
    """Send and verify codes: the store decides, hooks of the host find users and deliver.

    A refusal by a hook becomes an :class:`Outcome` here; any other exception passes.
    """

    def __init__(
        self,
        *,
        store: RequestStore,
        policy: Policy,
        codes: Codes,
        composer: Composer,
        users: Users,
        senders: Mapping[Channel, Sender],
        on_lock: Callable[[str, datetime, Caller], None],
        at_work: RequestsAtWork,
        deliveries: Bulkhead,
        quota: RefusalQuota,
    ) -> None:
        self._store = store
        self._policy = policy
        self._codes = codes
        self._composer = composer
        self._users = users
        self._senders = senders
        self._on_lock = on_lock
        self._at_work = at_work
        self._deliveries = deliveries
        self._quota = quota

    def send(self, command: SendOtp) -> Outcome:
        """Reserve a challenge, deliver its message, store how that ended.

        No transaction is open while the sender works. A sender that refuses closes the challenge.
        One that raises anything else leaves it open, for the message may have gone out, unless the
        command is ``retry_unknown``. A refusal before the user is known leaves nothing in the
        store: a repeat is decided again.

        :raises Refused: OVERLOADED, before anything is reserved.
        """
        known = self._stored(command.request)
        if known is None:
            found = catch_refusal(self._recipient, command)
            if isinstance(found, Outcome):
                return found
            at_work: AbstractContextManager[Any] = nullcontext()
            if command.wait:
                at_work = self._at_work.work(command.request.value)
            try:
                with at_work, self._deliveries:
                    known = self._send_new(command, *found)
            except Full:
                refuse(Reason.OVERLOADED)
        if known.reason is Reason.REQUEST_PENDING and self._has_ended(command):
            return self._stored(command.request) or known
        return known

    def verify(self, command: VerifyOtp) -> Outcome:
        """Make one attempt at a challenge.

        A refusal before the user is known leaves nothing in the store: a repeat is decided again.
        """
        request = self._for_store(command)
        if (known := self._stored(command.request)) is not None:
            return known
        if isinstance(command.target, ById):
            current().challenge_id = command.target.challenge_id
        found = catch_refusal(self._target, command)
        if isinstance(found, Outcome):
            return found
        challenge_id, subject = found
        current().challenge_id = challenge_id
        caller, binding = command.caller, command.caller.digest
        attempt = Attempt(
            id=challenge_id,
            subject=subject,
            caller=binding,
            client=caller.client_digest,
            digests=self._codes.candidates(challenge_id, subject, binding, command.code),
            request=request,
        )
        outcome = self._store.spend(attempt, self._policy)
        self._count_stored(command, request, outcome)
        begins_lock = outcome.reason is Reason.CODE_UNMATCHED and not outcome.repeated
        if begins_lock and outcome.until is not None:
            self._on_lock(subject, outcome.until, caller)
        return outcome.about(subject)

    def _send_new(
        self, command: SendOtp, sender: Sender, user: Secret[User], subject: str
    ) -> Outcome:
        """Send a code; or return what the store has decided instead."""
        challenge_id = new_challenge_id()
        code = self._codes.generate(challenge_id)
        caller, binding = command.caller, command.caller.digest
        digest = self._codes.digest(challenge_id, subject, binding, code)
        draft = Draft(
            id=challenge_id,
            subject=subject,
            caller=binding,
            client=caller.client_digest,
            channel=command.channel,
            digest=digest,
            request=self._for_store(command),
        )
        reserved = self._store.reserve(draft, self._policy)
        if isinstance(reserved, Outcome):
            self._count_stored(command, draft.request, reserved)
            return reserved.about(subject)
        current().challenge_id = reserved.id
        if reserved.id != draft.id:
            code = self._codes.recover(reserved)
        try:
            message = self._composer.compose(
                code, command.channel, reserved.life_left, caller, command.sms_token
            )
            with timed(Part.DELIVERY):
                refused = catch_refusal(_deliver, sender, user, message)
        except BaseException:  # gevent.Timeout too, and whatever ends the process
            if command.retry_unknown:
                self._store.settle(draft, Outcome(reserved.id, Reason.UNFORESEEN))
            raise
        outcome = (
            Outcome(reserved.id) if refused is None else replace(refused, challenge_id=reserved.id)
        )
        self._store.settle(draft, outcome)
        return outcome.about(subject)

    def _has_ended(self, command: SendOtp) -> bool:
        """Tell whether the request that a command repeats may have ended; wait for that if it may.

        Where it is not at work here, it may just have ended: the store knows.
        """
        seconds = seconds_left(command.wait.total_seconds())
        client, request = command.caller.client_digest, command.request.value
        return seconds > 0 and self._at_work.has_ended(request, client, seconds)

    def _recipient(self, command: SendOtp) -> tuple[Sender, Secret[User], str]:
        sender = self._senders.get(command.channel)
        if sender is None:
            refuse(Reason.CHANNEL_UNAVAILABLE)
        return sender, *self._users.load(command.credential, command.caller)

    def _target(self, command: VerifyOtp) -> tuple[str, str]:
        """Return the id of the challenge that is meant, and its user."""
        target, caller = command.target, command.caller
        if isinstance(target, ById):
            _, subject = self._users.load(target.credential, caller)
            return target.challenge_id, subject
        sent = self._store.get_answer(target.request)
        if sent is None:
            refuse(Reason.CHALLENGE_UNKNOWN)
        self._users.confirm(sent.subject, caller)
        return sent.outcome.challenge_id, sent.subject

    def _for_store(self, command: Command) -> IdempotencyKey:
        """Return a key as a store may keep it: its digest of parameters only as a MAC.

        Above the client's quota, a refusal that changes nothing is not stored: if the request is
        repeated, it is decided again.
        """
        request = command.request
        if request.chosen_by_caller:
            request = replace(request, digest=self._codes.request_macs(request.digest)[0])
        if not self._quota.has_room(command.caller):
            request = replace(request, not_cached=request.not_cached | NOTHING_DONE)
        return request

    def _count_stored(self, command: Command, request: IdempotencyKey, outcome: Outcome) -> None:
        """Count a refusal that changed nothing, if this call has stored it."""
        changed_nothing = outcome.reason in NOTHING_DONE and not outcome.repeated
        if changed_nothing and request.caches(outcome.reason):
            self._quota.count(command.caller)

    def _stored(self, request: IdempotencyKey) -> Outcome | None:
        """Return the stored answer to a request whose caller chose its key; None if it is new."""
        if not request.chosen_by_caller:
            return None
        stored = self._store.get_answer(request.value)
        if stored is None:
            return None
        macs = self._codes.request_macs(request.digest)
        mac = stored.digest if stored.digest in macs else macs[0]  # maybe an older pepper's
        return stored.answer(replace(request, digest=mac)).about(stored.subject)


def _deliver(sender: Sender, user: Secret[User], message: Message) -> None:
    sender(user.reveal(), message)
