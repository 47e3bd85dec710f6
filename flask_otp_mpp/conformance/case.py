"""A case of the kit: what an endpoint must do, where that is written, and how it is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar


class Wire(StrEnum):
    """Name a protocol with its envelope."""

    ALIPAYPLUS = "alipayplus"
    AMS = "ams"
    GOOGLE_JOSE = "google-jose"
    GOOGLE_PGP = "google-pgp"


SIGNED: Final = frozenset({Wire.ALIPAYPLUS, Wire.AMS})
"""The protocols whose messages are signed in headers."""
GOOGLE: Final = frozenset({Wire.GOOGLE_JOSE, Wire.GOOGLE_PGP})


class Severity(StrEnum):
    """Say how much a case weighs."""

    REQUIRED = "required"
    """A document demands it, or without it money can be stolen."""
    RECOMMENDED = "recommended"
    """It is our reading of what the documents leave open, or what good endpoints do."""


class Group(StrEnum):
    """Name the subject of cases, in the order of a report."""

    HAPPY_PATH = "happy path"
    SIGNATURE = "signature"
    KEYS = "keys"
    HEADERS = "headers"
    TIME = "time"
    TRANSPORT = "method, path and media type"
    BODY = "body"
    FIELDS = "fields"
    USERS = "tokens and users"
    CODES = "codes and attempts"
    LIFE = "life of a challenge"
    SENDS = "limits of sends"
    REPEATS = "repeats"
    RACES = "races"
    ISOLATION = "callers apart"
    ANSWERS = "answers"
    FLOODS = "floods"


class Need(StrEnum):
    """Name what a configuration may lack; a case that needs it is skipped then."""

    SECOND_USER = "a second valid user"
    SECOND_CLIENT = "a second client"
    SHARED_USERS = "the tokens that the second client has for the same users"
    EXPIRED = "an expired token"
    UNKNOWN = "an unknown token"
    NO_SCOPE = "a token without the scope"
    FROZEN = "a frozen user"
    MISSING = "the token of a user that is missing"
    NO_EMAIL = "a user without an e-mail address"
    EMAIL = "valid users with e-mail addresses, whose codes the inbox gives"
    CODES = "an inbox that gives codes"
    NUMBER = "valid users who are named by phone numbers"
    ASSOCIATION = "associations of users"


@dataclass(frozen=True, slots=True)
class Source:
    """Say where a rule is written.

    :param document: its title.
    :param section: where in it.
    :param reading: our reading where the document is silent, with what else is accepted.
    """

    document: str
    section: str
    reading: str = ""


P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Case(Generic[P]):
    """One thing that an endpoint must do.

    :param id: its name below the protocol, such as ``signature.body-changed``.
    :param title: what is tried and what must follow, in one line.
    :param rule: what the endpoint must do.
    :param wires: the protocols that it is played for.
    :param needs: what the configuration must have.
    :param users: how many valid users it needs for itself: none, if it changes nothing of a user.
    :param slow: whether it waits until time has passed.
    :param alone: whether nothing else may be played at the same time.
    :param last: whether it looks at all exchanges of the run.
    :param play: plays it; what it finds wrong, it raises as :class:`Failed`.
    """

    id: str
    title: str
    rule: str
    group: Group
    wires: frozenset[Wire]
    source: Source
    severity: Severity
    needs: frozenset[Need]
    users: int
    slow: bool
    alone: bool
    last: bool
    play: Callable[[P], None]


class Failed(Exception):
    """Say what an endpoint did instead of what it must do."""


class Skipped(Exception):
    """Say why a case can't be played here."""


class CaseList(Generic[P]):
    """The cases of a module, in their order.

    :param group: that of all cases.
    :param wires: those of a case that names none.
    :param source: that of a case that names none.
    """

    def __init__(self, group: Group, wires: frozenset[Wire], source: Source) -> None:
        self._group = group
        self._wires = wires
        self._source = source
        self._cases: list[Case[P]] = []

    def __iter__(self) -> Iterator[Case[P]]:
        return iter(self._cases)

    def add(
        self,
        name: str,
        title: str,
        rule: str,
        *needs: Need,
        wires: frozenset[Wire] | None = None,
        source: Source | None = None,
        severity: Severity = Severity.REQUIRED,
        users: int = 1,
        slow: bool = False,
        alone: bool = False,
        last: bool = False,
    ) -> Callable[[Callable[[P], None]], Callable[[P], None]]:
        """Return a decorator that makes a function a case; see :class:`Case`."""

        def add(play: Callable[[P], None]) -> Callable[[P], None]:
            case = Case(
                id=name,
                title=title,
                rule=rule,
                group=self._group,
                wires=wires or self._wires,
                source=source or self._source,
                severity=severity,
                needs=frozenset(needs),
                users=0 if last else users,
                slow=slow,
                alone=alone,
                last=last,
                play=play,
            )
            self._cases.append(case)
            return play

        return add


AnyCase = Case[Any]
