"""A history is linearizable if some order of its operations explains every result.

The search is Wing and Gong's, with Lowe's memory of what was tried: it takes any operation that
began before the first of those that are left had ended, does it to the rules of the core, and goes
on if they give the recorded result. A set of operations and the state that they lead to are tried
once, in whatever order they came.

One thing is not asked of a store. Who is told that a name stands for another request has changed
nothing; that other one need not have taken effect by then, nor be remembered in the end: it is
enough that it was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Any

from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.idempotency import IdempotencyKey, StoredAnswer
from flask_otp_mpp.core.limits import UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.testing.contract.agreement import recorded
from flask_otp_mpp.testing.contract.model import Model
from tests.linearizability.history import UNKNOWN, Operation


@dataclass(frozen=True, slots=True)
class State:
    """Hold what the model knows, so that two ways to the same state are found to be one."""

    now: datetime
    challenges: frozenset[tuple[str, Challenge]] = frozenset()
    user_limits: frozenset[tuple[str, UserLimits]] = frozenset()
    records: frozenset[tuple[str, StoredAnswer]] = frozenset()

    def after(self, operation: Operation, policy: Policy) -> tuple[State, Any]:
        """Do one operation alone; return what it leads to and what it must be told."""
        if operation.verb == "tick":
            return replace(self, now=operation.arguments[0]), None
        model = Model(lambda: self.now)
        model.challenges.update(self.challenges)
        model.user_limits.update(self.user_limits)
        model.records.update(self.records)
        result = _ask(model, operation, policy)
        return (
            State(
                self.now,
                frozenset(model.challenges.items()),
                # Empty limits and missing ones can not be told apart.
                frozenset(item for item in model.user_limits.items() if item[1] != UserLimits()),
                frozenset(model.records.items()),
            ),
            result,
        )


def _ask(model: Model, operation: Operation, policy: Policy) -> Any:
    arguments: Any = operation.arguments
    match operation.verb:
        case "get_answer":
            return model.get_answer(*arguments)
        case "reserve":
            return model.reserve(arguments[0], policy)
        case "spend":
            return model.spend(arguments[0], policy)
        case "settle":
            model.settle(*arguments)
        case "look_up":
            found = recorded(model.look_up(arguments[0]), policy)
            return getattr(found, arguments[1]) if arguments[1:] else found
        case "unlock":
            subject, clients, quota = arguments
            forgotten = model.unlock(subject, clients, quota=quota) or UserLimits()
            return forgotten.current(policy, model.clock())
        case "purge":
            model.purge(policy)
        case "forget" if arguments[1:]:
            _forget_part(model, *arguments)
        case "forget":
            model.forget(*arguments)
        case "expire":
            model.challenges.pop(arguments[0], None)
        case "tick":
            raise AssertionError("the clock is not the model's")
    return None


def _forget_part(model: Model, subject: str, part: str) -> None:
    match part:
        case "limits":
            model.user_limits.pop(subject, None)
        case "challenges":
            for known in [one.id for one in model.challenges.values() if one.subject == subject]:
                del model.challenges[known]
        case answer if answer in model.records and model.records[answer].subject == subject:
            del model.records[answer]


def explain(
    history: Sequence[Operation], policy: Policy, start: datetime
) -> list[Operation] | None:
    """Find an order in which one after another would have been told what all were told at once.

    :param start: the time before the first tick.
    :returns: the order; None if there is none.
    """
    conflicts = [one for one in history if _is_conflict(one)]
    operations = sorted(
        (one for one in history if one not in conflicts), key=lambda one: one.called
    )
    if not all(any(_contradicts(two, one) for two in operations) for one in conflicts):
        return None
    seen: set[tuple[frozenset[int], State]] = set()
    path: list[Operation] = []

    def search(left: frozenset[int], state: State) -> bool:
        end = min((operations[index].returned for index in left), default=inf)
        if end == inf:  # what may never happen is all that is left
            return True
        if (left, state) in seen:
            return False
        seen.add((left, state))
        for index in sorted(left):
            operation = operations[index]
            if operation.called > end:
                break
            after, result = state.after(operation, policy)
            if operation.result in (result, UNKNOWN):
                path.append(operation)
                if search(left - {index}, after):
                    return True
                path.pop()
        return False

    return path if search(frozenset(range(len(operations))), State(start)) else None


def _is_conflict(operation: Operation) -> bool:
    result = operation.result
    return isinstance(result, Outcome) and result.reason is Reason.REQUEST_CONFLICT


def _contradicts(other: Operation, conflict: Operation) -> bool:
    """Tell whether another request of the same name was asked before the conflict was told."""
    one, two = _key(conflict), _key(other)
    if one is None or two is None or other.called > conflict.returned:
        return False
    return one.value == two.value and one.digest != two.digest


def _key(operation: Operation) -> IdempotencyKey | None:
    asked = operation.arguments[0] if operation.arguments else None
    return asked.request if isinstance(asked, Draft | Attempt) else None


def told(history: Sequence[Operation]) -> str:
    """Write a history down for somebody who has to understand it."""
    return "\n".join(map(str, sorted(history, key=lambda one: one.called)))
