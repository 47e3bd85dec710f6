"""The house does two things, send and verify; both come here whatever protocol asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from flask_otp_mpp.core.challenge import Channel, Claim, Draft, Outcome, RequestKey
from flask_otp_mpp.core.codes import Codes, mint_id
from flask_otp_mpp.core.message import Composer, Message
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock, Store
from flask_otp_mpp.core.reasons import Reason, Refused, refuse

# What a host's user is, only the host knows; it travels from one hook to the next untouched.
User: TypeAlias = Any
UserLoader: TypeAlias = Callable[[str], User | None]
UserIdentity: TypeAlias = Callable[[User], str]
Sender: TypeAlias = Callable[[User, Message], object]

MAX_SUBJECT = 128


@dataclass(frozen=True, slots=True)
class SendOtp:
    """Ask for a code to be sent.

    :param caller: the digest that stands for who asks; only the same caller may verify.
    :param token: the credential by which the host knows the user.
    """

    caller: str
    token: str = field(repr=False)
    channel: Channel
    request: RequestKey


@dataclass(frozen=True, slots=True)
class VerifyOtp:
    """Ask whether a code is the one that was sent."""

    caller: str
    token: str = field(repr=False)
    challenge_id: str
    code: str = field(repr=False)
    request: RequestKey


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
        load_user: UserLoader,
        identify: UserIdentity,
        senders: Mapping[Channel, Sender],
        on_lock: Callable[[str, datetime], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._policy = policy
        self._codes = codes
        self._composer = composer
        self._load_user = load_user
        self._identify = identify
        self._senders = senders
        self._on_lock = on_lock
        self._clock = clock

    def send(self, command: SendOtp) -> Done:
        """Reserve a challenge, hand its message to the sender, remember how that ended.

        Nothing of ours is held open while the sender works. A sender that refuses closes the
        challenge; one that raises anything else leaves it open, for the message may have gone out.

        :raises Refused: by the user lookup, the quota, the sender, or a repeat of a refused send.
        """
        sender = self._senders.get(command.channel)
        if sender is None:
            refuse(Reason.CHANNEL_UNAVAILABLE)
        user, subject = self._user(command.token)
        challenge_id = mint_id()
        code = self._codes.mint(challenge_id)
        digest = self._codes.digest(challenge_id, command.caller, code)
        draft = Draft(
            challenge_id, subject, command.caller, command.channel, digest, command.request
        )
        reserved = self._store.reserve(draft, self._policy)
        if isinstance(reserved, Outcome):
            return self._answer(reserved, subject)
        life = self._policy.life
        if reserved.id != draft.id:
            code = self._codes.recover(reserved)
            life = reserved.expires_at - self._clock()
        outcome = Outcome(reserved.id)
        try:
            sender(user, self._composer.compose(code, command.channel, life))
        except Refused as refusal:
            outcome = Outcome(reserved.id, refusal.reason, refusal.detail, refusal.until)
        self._store.settle(draft, outcome)
        return self._answer(outcome, subject)

    def verify(self, command: VerifyOtp) -> Done:
        """Spend one attempt on a challenge.

        :raises Refused: with the reason why the code does not count.
        """
        _, subject = self._user(command.token)
        digests = self._codes.candidates(command.challenge_id, command.caller, command.code)
        claim = Claim(command.challenge_id, subject, command.caller, digests, command.request)
        outcome = self._store.spend(claim, self._policy)
        if (
            outcome.reason is Reason.CODE_UNMATCHED
            and outcome.until is not None
            and not outcome.repeated
        ):
            self._on_lock(subject, outcome.until)
        return self._answer(outcome, subject)

    def _user(self, token: str) -> tuple[User, str]:
        user = self._load_user(token)
        if user is None:
            refuse(Reason.TOKEN_INVALID)
        subject = self._identify(user)
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
            raise TypeError(
                f"the user_identity hook returned {type(subject).__name__}; "
                f"return a non-empty str of at most {MAX_SUBJECT} characters"
            )
        return user, subject

    def _answer(self, outcome: Outcome, subject: str) -> Done:
        if outcome.reason is not None:
            raise Refused(outcome.reason, outcome.detail, outcome.until)
        return Done(outcome.challenge_id, subject, outcome.repeated)
