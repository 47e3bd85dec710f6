"""A service with its store, hooks and clock, so that a test says only what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, ParamSpec

import pytest

from flask_otp_mpp.core.at_work import RequestsAtWork
from flask_otp_mpp.core.bulkhead import Bulkhead, deliveries
from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.codes import Codes
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.message import Composer
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import ById, OtpService, Sender, SendOtp, VerifyOtp
from flask_otp_mpp.core.users import AccessToken, Credential, UserLoader, Users
from flask_otp_mpp.stores.memory import MemoryStore
from flask_otp_mpp.testing import FrozenClock, Inbox

PEPPER = b"a pepper that only tests may use"
KEEP = timedelta(minutes=10)
CALLER = Caller("alipayplus", "client")
_numbers = count()
P = ParamSpec("P")


def fresh_request() -> IdempotencyKey:
    return IdempotencyKey(f"request-{next(_numbers)}", KEEP)


@dataclass
class Quota:
    """A quota of stored refusals, the same for all clients.

    :param counted: who was counted.
    """

    room: int = 1_000_000
    counted: list[Caller] = field(default_factory=list)

    def has_room(self, caller: Caller) -> bool:
        return len(self.counted) < self.room

    def count(self, caller: Caller) -> None:
        self.counted.append(caller)


@dataclass
class Harness:
    """A service for the users ``alice`` and ``bob``, whose tokens are their names.

    :param senders: one inbox for each channel unless given.
    :param locks: the locks that the service has reported.
    """

    policy: Policy = field(default_factory=Policy)
    clock: FrozenClock = field(default_factory=FrozenClock)
    store: Store | None = None
    senders: Mapping[Channel, Sender] | None = None
    load_user: Callable[[str], Any] = {"alice": "alice", "bob": "bob"}.get
    loaders: Mapping[type[Credential], UserLoader] = field(default_factory=dict)
    identify: Callable[[Any], str] = str
    peppers: tuple[bytes, ...] = (PEPPER,)
    on_lock: Callable[[str, datetime, Caller], None] | None = None
    at_work: RequestsAtWork = field(default_factory=lambda: RequestsAtWork(16, 16))
    deliveries: Bulkhead = field(default_factory=lambda: deliveries(100))
    quota: Quota = field(default_factory=Quota)
    inbox: Inbox = field(default_factory=Inbox)
    locks: list[tuple[str, datetime]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kept: Store = self.store or MemoryStore(self.clock)
        self.codes = Codes(
            [Secret(one) for one in self.peppers], self.policy.digits, self.policy.resend
        )
        self.service = OtpService(
            store=self.kept,
            policy=self.policy,
            codes=self.codes,
            composer=Composer("Wallet"),
            users=Users(
                {AccessToken: lambda token, _: self.load_user(token), **self.loaders},
                self.identify,
            ),
            senders=dict.fromkeys(Channel, self.inbox) if self.senders is None else self.senders,
            at_work=self.at_work,
            on_lock=self.on_lock or (lambda subject, until, _: self.locks.append((subject, until))),
            deliveries=self.deliveries,
            quota=self.quota,
        )

    def send(
        self,
        token: str = "alice",
        *,
        caller: Caller = CALLER,
        channel: Channel = Channel.MOBILE,
        request: IdempotencyKey | None = None,
    ) -> Outcome:
        return granted(
            self.service.send(
                SendOtp(caller, AccessToken(token), channel, request or fresh_request())
            )
        )

    def verify(
        self,
        challenge_id: str,
        code: str,
        token: str = "alice",
        *,
        caller: Caller = CALLER,
        request: IdempotencyKey | None = None,
    ) -> Outcome:
        target = ById(challenge_id, AccessToken(token))
        return granted(
            self.service.verify(VerifyOtp(caller, target, Secret(code), request or fresh_request()))
        )

    def wrong(self) -> str:
        """Return a code in normal form that is not the newest one."""
        return f"{(int(self.inbox.code) + 1) % 10**self.policy.digits:0{self.policy.digits}d}"


class NotGranted(AssertionError):
    """Fail a test whose request should be granted, unless it looks for the refusal."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def granted(outcome: Outcome) -> Outcome:
    """Return an outcome that is granted.

    :raises NotGranted: if it is a refusal.
    """
    if outcome.reason is not None:
        raise NotGranted(outcome)
    return outcome


def refusal(act: Callable[P, Outcome], *args: P.args, **kwargs: P.kwargs) -> Outcome:
    """Do something that must be refused; return how."""
    with pytest.raises(NotGranted) as caught:
        act(*args, **kwargs)
    return caught.value.outcome


def reason(act: Callable[P, Outcome], *args: P.args, **kwargs: P.kwargs) -> Reason | None:
    """Do something; return why it was refused, None if it was not."""
    try:
        return act(*args, **kwargs).reason
    except NotGranted as refused:
        return refused.outcome.reason
