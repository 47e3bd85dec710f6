"""A store as small as it can be: the rules of the core, applied to three dictionaries in turn."""

from __future__ import annotations

from flask_otp_mpp.core import rules
from flask_otp_mpp.core.challenge import Challenge, Claim, Draft, Outcome, Record, RequestKey
from flask_otp_mpp.core.limits import Standing
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Clock
from flask_otp_mpp.core.reasons import Reason


class Model:
    """Decide what a store must answer; nothing is ever forgotten but what a purge must delete."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.challenges: dict[str, Challenge] = {}
        self.standings: dict[str, Standing] = {}
        self.records: dict[str, Record] = {}

    def recall(self, request: str) -> Record | None:
        return self.records.get(request)

    def remember(self, request: RequestKey, outcome: Outcome) -> Outcome:
        if request.value in self.records:
            return self.records[request.value].answer(request)
        return self._note(request, outcome, "")

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        if draft.request.value in self.records:
            return self.records[draft.request.value].answer(draft.request)
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
            return self._note(draft.request, decided, draft.subject)
        for challenge in (*decided.closed, decided.challenge):
            self.challenges[challenge.id] = challenge
        self.standings[draft.subject] = decided.standing
        pending = Outcome(decided.challenge.id, Reason.REQUEST_PENDING)
        self._note(draft.request, pending, draft.subject)
        return decided.challenge

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        self._note(draft.request, outcome, draft.subject)
        if outcome.reason is not None and draft.id in self.challenges:
            self.challenges[draft.id] = self.challenges[draft.id].closed(self.clock())

    def spend(self, claim: Claim, policy: Policy) -> Outcome:
        if claim.request.value in self.records:
            return self.records[claim.request.value].answer(claim.request)
        decided = rules.spend(
            claim,
            policy,
            self.clock(),
            standing=self.standings.get(claim.subject, Standing()),
            challenge=self.challenges.get(claim.id),
        )
        if isinstance(decided, Outcome):
            return self._note(claim.request, decided, claim.subject)
        self.challenges[claim.id] = decided.challenge
        self.standings[claim.subject] = decided.standing
        return self._note(claim.request, decided.outcome, claim.subject)

    def _note(self, request: RequestKey, outcome: Outcome, subject: str) -> Outcome:
        self.records.pop(request.value, None)
        if request.keeps(outcome.reason):
            self.records[request.value] = Record(outcome, request.digest, subject)
        return outcome

    def pardon(self, subject: str) -> bool:
        standing = self.standings.get(subject, Standing())
        self.standings[subject] = standing.pardoned()
        return standing.blamed(self.clock())

    def purge(self, policy: Policy) -> None:
        now = self.clock()
        for challenge in list(self.challenges.values()):
            if challenge.expires_at + policy.retention <= now:
                del self.challenges[challenge.id]
