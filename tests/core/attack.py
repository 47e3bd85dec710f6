"""An attack on one user, by the pure rules alone: sends, wrong codes and waits, at any clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel, Draft
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import DAY, Policy
from flask_otp_mpp.core.reasons import Outcome

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RIGHT, WRONG = b"right", b"wrong"
REQUEST = IdempotencyKey("request", timedelta(minutes=10))


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A code that was sent, and the client that asked for it."""

    challenge: Challenge
    client: str


@dataclass
class Attack:
    """What has happened to the user so far.

    :param wrong: when each wrong code was compared.
    :param resets: for each success and unlock, how many codes had been wrong before it.
    """

    policy: Policy
    now: datetime = START
    limits: UserLimits = field(default_factory=UserLimits)
    codes: dict[str, OpenCode] = field(default_factory=dict)
    wrong: list[datetime] = field(default_factory=list)
    resets: list[int] = field(default_factory=list)
    sends: int = 0

    def wait(self, time: timedelta) -> None:
        self.now += max(time, timedelta())

    def send(self, channel: Channel, client: str, acquirer: str) -> bool:
        """Have a code sent; each acquirer of a client has open codes of its own."""
        caller = f"{client} {acquirer}"
        draft = Draft(f"code {self.sends}", "user", caller, client, channel, RIGHT, REQUEST)
        self._drop_closed_codes()
        rivals = [
            code.challenge
            for code in self.codes.values()
            if (code.challenge.caller, code.challenge.channel) == (caller, channel)
        ]
        decided = rules.reserve(
            draft, self.policy, self.now, limits=self.limits, open_challenges=rivals
        )
        if isinstance(decided, Outcome):
            return False
        self.sends += 1
        self.limits = decided.limits
        for challenge in (*decided.closed, decided.challenge):
            self.codes[challenge.id] = OpenCode(challenge, client)
        return True

    def usable(self) -> Sequence[OpenCode]:
        """Return the codes for which a guess would be compared now, the oldest first."""
        self._drop_closed_codes()
        return [
            code
            for code in self.codes.values()
            if self.limits.lock_at(code.client, self.policy, self.now) is None
        ]

    def guess(self, code: OpenCode) -> bool:
        """Present a wrong code; return whether it was compared."""
        if not self._present(code, WRONG):
            return False
        self.wrong.append(self.now)
        return True

    def succeed(self, code: OpenCode) -> bool:
        """Let the user present the right code; return whether it was accepted."""
        if not self._present(code, RIGHT):
            return False
        self.resets.append(len(self.wrong))
        return True

    def unlock(self) -> None:
        """Let an operator unlock the user."""
        self.limits = self.limits.unlocked()
        self.resets.append(len(self.wrong))

    def _drop_closed_codes(self) -> None:
        self.codes = {
            name: code for name, code in self.codes.items() if not code.challenge.refusal(self.now)
        }

    def _present(self, code: OpenCode, digest: bytes) -> bool:
        challenge = self.codes[code.challenge.id].challenge
        attempt = Attempt(challenge.id, "user", challenge.caller, code.client, (digest,), REQUEST)
        decided = rules.spend(
            attempt, self.policy, self.now, limits=self.limits, challenge=challenge
        )
        if isinstance(decided, Outcome):
            return False
        self.limits = decided.limits
        self.codes[challenge.id] = OpenCode(decided.challenge, code.client)
        return True

    def most_in_a_row(self) -> int:
        """Return the most wrong codes between two resets, however long it took."""
        ends = [0, *self.resets, len(self.wrong)]
        return max(after - before for before, after in pairwise(ends))

    def busiest_days(self) -> Sequence[tuple[int, int]]:
        """Return for 24 hours from each wrong code on: the wrong codes, and the resets between."""
        found, last = [], 0
        for first, begin in enumerate(self.wrong):
            while last < len(self.wrong) and self.wrong[last] < begin + DAY:
                last += 1
            between = sum(first < reset < last for reset in self.resets)
            found.append((last - first, between))
        return found


class Help(StrEnum):
    """What resets the count of failures while the attack goes on."""

    NONE = "none"
    SUCCESS = "success"
    """The user enters a right code just before OTP is disabled."""
    UNLOCK = "unlock"
    """An operator unlocks the user whenever OTP is disabled."""


def attack_greedily(policy: Policy, help_: Help, *, clients: int, channels: int) -> Attack:
    """Play the strategy that gets the most of a day, if there are many clients.

    Open codes just within their life before the day begins, each for an acquirer of its own, so
    that none closes another one. From then on send and guess as soon as the rules allow it.
    """
    attack = Attack(policy)
    begin = attack.now + policy.life - SECOND
    names = [f"client {number}" for number in range(clients)]
    places = [(channel, name) for channel in list(Channel)[:channels] for name in names]
    while attack.now < begin + DAY:
        for channel, name in places:
            while attack.send(channel, name, f"acquirer {attack.sends}"):
                pass
        if attack.now >= begin:
            guess_all(attack, help_)
        ends = [begin, begin + DAY]
        ends += filter(
            None, (attack.limits.send_not_before(*place, policy, attack.now) for place in places)
        )
        ends += filter(None, (attack.limits.lock_at(name, policy, attack.now) for name in names))
        attack.now = min(end for end in ends if end > attack.now)
    return attack


def guess_all(attack: Attack, help_: Help = Help.NONE) -> None:
    """Guess at all open codes until no guess is compared any more."""
    last = attack.policy.disable_after - 1
    while True:
        if help_ is Help.UNLOCK and attack.limits.failures > last:
            attack.unlock()
        usable = attack.usable()
        if not usable:
            return
        if help_ is Help.SUCCESS and attack.limits.failures == last:
            attack.succeed(usable[0])
        else:
            attack.guess(usable[0])
