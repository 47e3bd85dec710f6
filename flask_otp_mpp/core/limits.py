"""What is counted for a user, at each client and over all of them.

A new code resets nothing of it, so it gives no new guesses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.policy import Policy, SendLimit
from flask_otp_mpp.core.reasons import FOREVER

MAX_CLIENTS: Final = 32
"""For how many clients failures are kept for one user, so that what is stored stays small.

With one more, the entry that would be forgotten first is dropped. The count over all clients stays.
"""
EVERY_CLIENT: Final = ""
"""In what older versions have stored, which did not know clients: it counts for each of them."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The failures and locks of one user at one client.

    :param client: as in :class:`~flask_otp_mpp.core.challenge.Draft`.
    :param failures: wrong codes since the last success or lock at this client.
    :param locks: locks since the last success; each is twice as long as the one before.
    :param forget_at: when all this is forgotten, unless another code is wrong before.
    """

    client: str
    failures: int
    locks: int
    locked_until: datetime | None
    forget_at: datetime


@dataclass(frozen=True, slots=True)
class CountedSend:
    """One send to a user."""

    channel: Channel
    client: str
    at: datetime


@dataclass(frozen=True, slots=True)
class UserLimits:
    """The failures, locks and sends of one user, over all challenges, channels and protocols.

    :param failures: wrong codes since the last success, over all clients.
    :param clients: those at which codes were wrong; the last one is the one with the last failure.
    :param sends: each send, as far back as a limit looks.
    """

    failures: int = 0
    clients: tuple[ClientLimits, ...] = ()
    sends: tuple[CountedSend, ...] = ()

    def lock_at(self, client: str, policy: Policy, now: datetime) -> datetime | None:
        """Return the end of the lock that holds now at a client, None if there is none.

        It is FOREVER if OTP is disabled for the user, which only :meth:`unlocked` ends.
        """
        if self.failures >= policy.disable_after:
            return FOREVER
        ends = [one.locked_until for one in self.clients if one.client in (client, EVERY_CLIENT)]
        return max([end for end in ends if end is not None and now < end], default=None)

    def current(self, policy: Policy, now: datetime) -> UserLimits:
        """Leave out failures and locks that have ended, and sends that no limit counts any more."""
        clients = tuple(one for one in self.clients if now < one.forget_at)
        return UserLimits(self.failures, clients, self._recent_sends(policy, now))

    def unlocked(
        self, clients: Collection[str] | None = None, *, quota: bool = False
    ) -> UserLimits:
        """Forget failures and locks; an operator or the host does so.

        At some clients only, the count over all clients stays: a part of it may be of others.

        :param clients: at which; None for all.
        :param quota: whether sends are forgotten too.
        """
        return UserLimits(
            0 if clients is None else self.failures,
            tuple(one for one in self.clients if not is_among(one.client, clients)),
            tuple(one for one in self.sends if not (quota and is_among(one.client, clients))),
        )

    def with_success(self, client: str) -> UserLimits:
        """Forget the failures in a row, and the locks at this client only.

        A success at one client must not give new guesses at another one.
        """
        others = tuple(one for one in self.clients if one.client != client)
        return UserLimits(clients=others, sends=self.sends)

    def with_failure(self, client: str, policy: Policy, now: datetime) -> UserLimits:
        """Count one wrong code; the last one that a failure limit allows starts a lock."""
        known = [one for one in self.clients if now < one.forget_at]
        others = [one for one in known if one.client != client]
        was = next((one for one in known if one.client == client), None)
        failures, locks, locked_until = 1, 0, None
        if was is not None:
            failures, locks, locked_until = was.failures + 1, was.locks, was.locked_until
        if failures >= policy.failure_limit:
            failures, locks = 0, locks + 1
            # The exponent is capped: 2**20 first locks are longer than any longest lock.
            length = min(policy.first_lock * 2 ** min(locks - 1, 20), policy.longest_lock)
            locked_until = now + length
        if len(others) >= MAX_CLIENTS:
            others.remove(min(others, key=lambda one: one.forget_at))
        rest = max(now, locked_until or now) + policy.forget_after
        latest = ClientLimits(client, failures, locks, locked_until, rest)
        return UserLimits(self.failures + 1, (*others, latest), self.sends)

    def with_send(self, channel: Channel, client: str, policy: Policy, now: datetime) -> UserLimits:
        """Count one send, and drop the sends that no limit counts any more."""
        sends = (*self._recent_sends(policy, now), CountedSend(channel, client, now))
        return UserLimits(self.failures, self.clients, sends)

    def send_not_before(
        self, channel: Channel, client: str, policy: Policy, now: datetime
    ) -> datetime | None:
        """Return the moment from which a send would be allowed, None if it is allowed now."""
        sends = [sent for sent in self.sends if sent.channel is channel]
        everyones = sorted([sent.at for sent in sends])
        own = sorted([sent.at for sent in sends if sent.client in (client, EVERY_CLIENT)])
        ends = [
            *[last + policy.cool_down for last in own[-1:]],
            *_ends(own, policy.send_limits),
            *_ends(everyones, policy.overall_send_limits),
        ]
        return max([end for end in ends if end > now], default=None)

    def _recent_sends(self, policy: Policy, now: datetime) -> tuple[CountedSend, ...]:
        """Return the sends that a limit still counts."""
        horizon = now - policy.send_memory
        return tuple([sent for sent in self.sends if sent.at > horizon])


def is_among(client: str, clients: Collection[str] | None) -> bool:
    """Tell whether what is counted for a client concerns one of these; None stands for all."""
    return clients is None or client == EVERY_CLIENT or client in clients


def _ends(times: list[datetime], limits: Iterable[SendLimit]) -> list[datetime]:
    """Return, for each limit that is reached, when it ends."""
    return [times[-limit.count] + limit.window for limit in limits if len(times) >= limit.count]
