"""A run as reports show it: texts without secrets, long bodies cut, and commands to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask_otp_mpp.conformance.case import AnyCase, Group, Severity, Wire
from flask_otp_mpp.conformance.masking import Mask, printable
from flask_otp_mpp.conformance.play import Exchange
from flask_otp_mpp.conformance.report.covered import Covered, covered
from flask_otp_mpp.conformance.report.curl import curl
from flask_otp_mpp.conformance.run import Result, Run, Status, Verdict

BODY_LIMIT: Final = 4096
"""How many characters of a body are shown."""
EXCHANGE_LIMIT: Final = 40
"""How many exchanges of a case are shown."""

EXPLAINED_LIMIT: Final = 4
"""For how many exchanges of a failure it is looked for what an answer's signature covers."""


@dataclass(frozen=True, slots=True)
class ExchangeView:
    """A request and its answer, without secrets.

    :param signed: the text that the request's signature covers; empty if there is none.
    :param expected: the text that the answer's signature must cover.
    :param difference: the index of the first character in which these two differ.
    :param verified: whether the answer's signature holds.
    :param covered: the text that it covers, if that is another one, and is known.
    :param mistakes: what is wrong with it.
    :param curl: the command that sends the request again.
    """

    method: str
    uri: str
    request_headers: tuple[tuple[str, str], ...]
    request_body: str
    status: int
    answer_headers: tuple[tuple[str, str], ...]
    answer_body: str
    signed: str
    expected: str
    difference: int | None
    verified: bool
    covered: str
    mistakes: tuple[str, ...]
    code: str
    at: datetime
    seconds: float
    curl: str


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case and what became of it.

    :param omitted: how many exchanges are not shown.
    :param replay: the command that plays it alone.
    """

    case: AnyCase
    status: Status
    said: str
    seconds: float
    exchanges: tuple[ExchangeView, ...]
    omitted: int
    replay: str

    @property
    def failed_only_recommended(self) -> bool:
        """Whether it failed and does not count against the endpoint."""
        return self.status is Status.FAILED and self.case.severity is Severity.RECOMMENDED


@dataclass(frozen=True, slots=True)
class RunView:
    """A run without secrets.

    :param cases: in the order of groups.
    """

    wire: Wire
    base_url: str
    began: datetime
    seconds: float
    verdict: Verdict
    cases: tuple[CaseView, ...]

    def count(self, status: Status, group: Group | None = None) -> int:
        """Return how many cases ended so, of a group or of all."""
        return sum(one.status is status and group in (None, one.case.group) for one in self.cases)

    @property
    def groups(self) -> list[Group]:
        """The groups that have cases, in their order."""
        found = {one.case.group for one in self.cases}
        return [group for group in Group if group in found]

    @property
    def failures(self) -> list[CaseView]:
        """The cases that failed."""
        return [one for one in self.cases if one.status is Status.FAILED]


def view(run: Run, command: Sequence[str], *, exchange_limit: int = EXCHANGE_LIMIT) -> RunView:
    """Return a run as reports show it.

    :param command: what plays the cases; the options ``--replay ID`` are added to it.
    :param exchange_limit: how many exchanges of a case are shown.
    """
    mask = Mask(run.secrets)
    order = list(Group)
    cases = [_case(one, run, command, mask, exchange_limit) for one in run.results]
    return RunView(
        run.wire,
        mask(run.base_url),
        run.began,
        run.seconds,
        run.verdict,
        tuple(sorted(cases, key=lambda one: order.index(one.case.group))),
    )


def _exchange(exchange: Exchange, run: Run, mask: Mask, *, explained: bool) -> ExchangeView:
    """Return an exchange as reports show it, with its bodies as they are.

    :param explained: whether it is looked for why the answer's signature does not hold.
    """
    looked = explained and not exchange.verified and run.wallet_keys
    found = covered(exchange, run.wallet_keys) if looked else Covered()
    request, response = exchange.request, exchange.response
    signed, expected = mask.of_bytes(exchange.signed), mask.of_bytes(exchange.expected)
    return ExchangeView(
        method=mask(request.method),
        uri=mask(request.uri),
        request_headers=_headers(request.headers, mask),
        request_body=mask.of_bytes(request.body),
        status=response.status,
        answer_headers=_headers(response.headers, mask),
        answer_body=mask.of_bytes(response.body),
        signed=signed,
        expected=expected,
        difference=first_difference(signed, expected),
        verified=exchange.verified,
        covered=mask.of_bytes(found.text),
        mistakes=tuple(map(mask, found.mistakes)),
        code=printable(mask(exchange.code)),
        at=exchange.at,
        seconds=response.seconds,
        curl=curl(request, run.base_url, mask),
    )


def first_difference(one: str, other: str) -> int | None:
    """Return the index of the first character that differs; None if both are the same."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return None if len(one) == len(other) else min(len(one), len(other))


def cut(text: str, limit: int = BODY_LIMIT) -> str:
    """Return a text, or its beginning with a note of how much is missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … [{len(text) - limit} more characters]"


def _case(result: Result, run: Run, command: Sequence[str], mask: Mask, limit: int) -> CaseView:
    failed = result.status is Status.FAILED
    return CaseView(
        case=result.case,
        status=result.status,
        said=mask(result.said),
        seconds=result.seconds,
        exchanges=tuple(
            _exchange(one, run, mask, explained=failed and number < EXPLAINED_LIMIT)
            for number, one in enumerate(result.exchanges[:limit])
        ),
        omitted=max(0, len(result.exchanges) - limit),
        replay=shlex.join([*command, "--replay", result.case.id]),
    )


def _headers(headers: Sequence[tuple[str, str]], mask: Mask) -> tuple[tuple[str, str], ...]:
    return tuple((mask(name), mask(value)) for name, value in headers)
