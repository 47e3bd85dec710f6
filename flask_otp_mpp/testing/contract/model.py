"""A store as small as it can be: the rules of the core, applied to three dictionaries in turn."""

from __future__ import annotations

from dataclasses import replace

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.budget import Standing
from flask_otp_mpp.core.challenge import Challenge, Claim, Draft, Outcome
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock
from flask_otp_mpp.core.reasons import Reason


class Model:
    """Decide what a store must answer; nothing is ever forgotten but what a purge must delete."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.challenges: dict[str, Challenge] = {}
        self.standings: dict[str, Standing] = {}
        self.answers: dict[str, Outcome] = {}

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        if draft.request.value in self.answers:
            return replace(self.answers[draft.request.value], repeated=True)
        place = (draft.subject, draft.caller, draft.channel)
        decided = rules.reserve(
            draft,
            policy,
            self.clock(),
            standing=self.standings.get(draft.subject, Standing()),
            open_challenges=[
                found
                for found in self.challenges.values()
                if (found.subject, found.caller, found.channel) == place
            ],
        )
        if isinstance(decided, Outcome):
            self.answers[draft.request.value] = decided
            return decided
        for challenge in (*decided.closed, decided.challenge):
            self.challenges[challenge.id] = challenge
        self.standings[draft.subject] = decided.standing
        pending = Outcome(decided.challenge.id, Reason.REQUEST_PENDING)
        self.answers[draft.request.value] = pending
        return decided.challenge

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        self.answers[draft.request.value] = outcome
        if outcome.reason is not None and draft.id in self.challenges:
            self.challenges[draft.id] = self.challenges[draft.id].closed(self.clock())

    def spend(self, claim: Claim, policy: Policy) -> Outcome:
        if claim.request.value in self.answers:
            return replace(self.answers[claim.request.value], repeated=True)
        decided = rules.spend(
            claim,
            policy,
            self.clock(),
            standing=self.standings.get(claim.subject, Standing()),
            challenge=self.challenges.get(claim.id),
        )
        if isinstance(decided, Outcome):
            return decided
        self.challenges[claim.id] = decided.challenge
        self.standings[claim.subject] = decided.standing
        self.answers[claim.request.value] = decided.outcome
        return decided.outcome

    def pardon(self, subject: str) -> bool:
        standing = self.standings.get(subject, Standing())
        self.standings[subject] = standing.pardoned()
        return standing.blamed(self.clock())

    def purge(self, policy: Policy) -> None:
        now = self.clock()
        for challenge in list(self.challenges.values()):
            if challenge.expires_at + policy.retention <= now:
                del self.challenges[challenge.id]
