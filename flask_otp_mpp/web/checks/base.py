"""What a check of a deployment is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from flask_otp_mpp.core.settings import ConfigurationError
from flask_otp_mpp.web.checks.checked_app import CheckedApp


class Severity(StrEnum):
    """Say how bad a finding is, the worst first."""

    ERROR = "error"
    """Users are not served, or what the package guarantees does not hold."""
    WARNING = "warning"
    """It serves, and something should be changed."""
    NOTE = "note"
    """Something to know, or to compare with what the other side has."""


class Hit(NamedTuple):
    """What a check has found at one place; no part of it may hold a secret.

    :param where: a key of the configuration, a hook, a file: what to change.
    """

    where: str
    found: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one place, and by which check."""

    id: str
    severity: Severity
    title: str
    where: str
    found: str
    remedy: str


Look: TypeAlias = Callable[[CheckedApp], Iterable[Hit]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that can be wrong with a deployment.

    :param id: stable, for whoever filters the JSON.
    :param title: what is wrong, in a few words.
    :param look: yields each place where it is.
    """

    id: str
    severity: Severity
    title: str
    look: Look

    def run(self, checked: CheckedApp) -> list[Finding]:
        """Return what it finds; a check that fails is a finding itself and hides no other one.

        What a fault of the configuration concerns is not looked at: the fault is listed.
        """
        try:
            hits = list(self.look(checked))
        except ConfigurationError:
            return []
        except Exception as error:  # noqa: BLE001 - of the host's objects, whatever they raise
            # An exception's text may hold a password.
            failed = f"could not be checked ({type(error).__name__}): {self.title}"
            remedy = "look at this yourself, and report the failure of the check"
            return [Finding("check-failed", Severity.WARNING, FAILED, self.id, failed, remedy)]
        return [Finding(self.id, self.severity, self.title, *hit) for hit in hits]


FAILED: Final = "a check failed"


class Checks(list[Check]):
    """The checks of one subject; a function is added by the decorator :meth:`add`."""

    def add(self, name: str, severity: Severity, title: str) -> Callable[[Look], Look]:
        """Return a decorator that adds a function as a check."""

        def decorate(look: Look) -> Look:
            self.append(Check(name, severity, title, look))
            return look

        return decorate
