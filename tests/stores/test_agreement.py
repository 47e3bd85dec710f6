"""The comparison with the rules finds stores that differ from them in one detail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel, Draft
from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.stores import MemoryStore
from flask_otp_mpp.testing import FrozenClock, StoreContract
from flask_otp_mpp.testing.contract.agreement import Agreement
from flask_otp_mpp.testing.contract.builders import CLIENT, WRONG


class Forgetting(MemoryStore):
    """Reset the failures at each send."""

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        self.unlock(draft.subject)
        return super().reserve(draft, policy)


class Rounding(MemoryStore):
    """Keep times to the second."""

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        found = super().reserve(draft, policy)
        if isinstance(found, Challenge):
            return replace(found, issued_at=found.issued_at.replace(microsecond=0))
        return found


class Recomparing(MemoryStore):
    """Compare a repeated request again."""

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        self._answers.pop(attempt.request.value, None)
        return super().spend(attempt, policy)


class Misattributing(MemoryStore):
    """Count attempts of other users as failures of the user."""

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        for known in self._challenges.values():
            if known.id == attempt.id and known.subject != attempt.subject:
                attempt = replace(attempt, subject=known.subject)
        return super().spend(attempt, policy)


class LockingEverywhere(MemoryStore):
    """Count whatever a client does for all clients."""

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        return super().reserve(replace(draft, client=CLIENT), policy)

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        return super().spend(replace(attempt, client=CLIENT), policy)


class NeverDisabling(MemoryStore):
    """Know no limit over all clients."""

    def spend(self, attempt: Attempt, policy: Policy) -> Outcome:
        return super().spend(attempt, replace(policy, disable_after=100))


FAULTY = [
    Forgetting, Rounding, Recomparing, Misattributing, LockingEverywhere, NeverDisabling,
]  # fmt: skip


def contract(make_store: Callable[[FrozenClock], Store]) -> StoreContract:
    class Contract(StoreContract):
        # The same examples in each run, and none made simpler: that it fails is enough.
        agreement = settings(
            StoreContract.agreement,
            max_examples=1000,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )

        def make(self, folder: Path, clock: FrozenClock) -> Store:
            return make_store(clock)

    return Contract()


@pytest.mark.slow
@pytest.mark.parametrize("faulty", FAULTY)
def test_a_store_that_differs_does_not_pass(faulty: type[MemoryStore]) -> None:
    """T2: a search like the shipped one comes upon it, if it has the time of many runs."""
    with pytest.raises(AssertionError, match="the store and the rules disagree"):
        contract(faulty).test_a_store_agrees_with_the_rules_whatever_is_asked()


def test_failures_that_are_forgotten_on_a_send_are_found_in_five_steps() -> None:
    """T2, A2: step by step, what the search has to come upon."""
    machine = Agreement(contract(Forgetting))
    machine.begin(Resend.ROTATE, 5, 100)
    machine.send("alice", "caller", CLIENT, Channel.MOBILE)
    machine.verify_as_the_user((WRONG,), CLIENT, 3)
    machine.wait(10)
    machine.send("alice", "caller", CLIENT, Channel.MOBILE)
    with pytest.raises(AssertionError, match="disagree"):
        machine.verify_as_the_user((WRONG,), CLIENT, 3)
    machine.teardown()


def test_a_user_who_is_not_disabled_is_found_in_three_steps() -> None:
    """T2, A3: at the last wrong code that all clients together allow."""
    machine = Agreement(contract(NeverDisabling))
    machine.begin(Resend.ROTATE, 5, 3)
    machine.send("alice", "caller", CLIENT, Channel.MOBILE)
    machine.verify_as_the_user((WRONG,), CLIENT, 2)
    with pytest.raises(AssertionError, match="disagree"):
        machine.verify_as_the_user((WRONG,), "fedcba9876543210", 1)
    machine.teardown()
