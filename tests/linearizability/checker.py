"""A history is linearizable if some order of its operations explains every result.

The search is Wing and Gong's, with Lowe's memory of what was tried: it takes any operation that
began before the first of those that are left had ended, does it to the rules of the core, and goes
on if they give the recorded result. A set of operations and the state that they lead to are tried
once, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Any

from flask_otp_mpp.core.budget import Standing
from flask_otp_mpp.core.challenge import Challenge, Outcome
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.testing.contract.model import Model
from tests.linearizability.history import Operation


@dataclass(frozen=True, slots=True)
class State:
    """Hold what the model knows, so that two ways to the same state are found to be one."""

    now: datetime
    challenges: frozenset[tuple[str, Challenge]] = frozenset()
    standings: frozenset[tuple[str, Standing]] = frozenset()
    answers: frozenset[tuple[str, Outcome]] = frozenset()

    def after(self, operation: Operation, policy: Policy) -> tuple[State, Any]:
        """Do one operation alone; return what it leads to and what it must be told."""
        if operation.verb == "tick":
            return replace(self, now=operation.arguments[0]), None
        model = Model(lambda: self.now)
        model.challenges.update(self.challenges)
        model.standings.update(self.standings)
        model.answers.update(self.answers)
        result = _ask(model, operation, policy)
        return (
            State(
                self.now,
                frozenset(model.challenges.items()),
                # Nobody can tell an empty standing from none.
                frozenset(item for item in model.standings.items() if item[1] != Standing()),
                frozenset(model.answers.items()),
            ),
            result,
        )


def _ask(model: Model, operation: Operation, policy: Policy) -> Any:
    arguments: Any = operation.arguments
    match operation.verb:
        case "reserve":
            return model.reserve(arguments[0], policy)
        case "spend":
            return model.spend(arguments[0], policy)
        case "settle":
            model.settle(*arguments)
        case "pardon":
            return model.pardon(*arguments)
        case "purge":
            model.purge(policy)
        case "forget":
            model.challenges.pop(arguments[0], None)
        case "tick":
            raise AssertionError("the clock is not the model's")
    return None


def explain(
    history: Sequence[Operation], policy: Policy, start: datetime
) -> list[Operation] | None:
    """Find an order in which one after another would have been told what all were told at once.

    :param start: the time before the first tick.
    :returns: the order; None if there is none.
    """
    operations = sorted(history, key=lambda one: one.called)
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
            if result == operation.result:
                path.append(operation)
                if search(left - {index}, after):
                    return True
                path.pop()
        return False

    return path if search(frozenset(range(len(operations))), State(start)) else None


def told(history: Sequence[Operation]) -> str:
    """Write a history down for somebody who has to understand it."""
    return "\n".join(map(str, sorted(history, key=lambda one: one.called)))
