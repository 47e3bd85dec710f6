"""One peer is asked one kind of thing for a moment; only the right answers count."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

from benchmarks.driver import drive
from benchmarks.peers import Peer
from benchmarks.processes import Server
from benchmarks.wire import EXPECTED, Act, Answer, Ask, Request

LOADS: Final[dict[str, tuple[Act, ...]]] = {
    "send": (Act.SEND,),
    "right": (Act.RIGHT,),
    "wrong": (Act.WRONG,),
    "mix": (Act.SEND, Act.RIGHT),
    "forged": (Act.FORGED,),
}
SAMPLE: Final = 20
"""So many signatures of a leg's answers are checked."""
_ALONGSIDE: Final = 16
"""Connections by which codes are sent that are to be verified."""


@dataclass(frozen=True, slots=True)
class Leg:
    """Hold what one leg showed.

    :param rate: right answers a second.
    :param p50: milliseconds.
    :param p99: milliseconds.
    :param cpu: microseconds of the server's processes for each answer.
    :param signature: microseconds of one RSA-2048 signature, around the same time.
    :param wrong: answers by code that were not the expected one, and requests without answer.
    :param forged: sampled answers whose signature does not hold.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    signature: float
    answers: int
    wrong: Counter[str]
    sampled: int
    forged: int


def requests(
    peer: Peer,
    acts: Sequence[Act],
    count: int,
    exchange: Callable[[list[Request]], list[Answer]],
) -> list[Request]:
    """Sign so many requests, each for a user of its own; acts take turns.

    :param exchange: asks the peer; by it the codes are sent that are to be verified.
    """
    turns = list(islice(cycle(acts), count))
    tokens = peer.crowd.join(count)
    pairs = list(zip(turns, tokens, strict=True))
    waiting = [token for act, token in pairs if act in (Act.RIGHT, Act.WRONG)]
    sent = exchange(peer.caller.sign_all(Ask(Act.SEND, token) for token in waiting))
    challenges = dict(zip(waiting, (answer.challenge for answer in sent), strict=True))
    codes = peer.crowd.codes(waiting)
    asks = []
    for act, token in pairs:
        if act in (Act.SEND, Act.FORGED):
            asks.append(Ask(act, token))
        else:
            # What was not sent is asked all the same: its answer will be counted as a wrong one.
            code = codes.get(token, "000000")
            tried = code if act is Act.RIGHT else _other(code)
            asks.append(Ask(act, token, challenges[token] or "none", tried))
    return peer.caller.sign_all(asks)


def over_http(server: Server) -> Callable[[list[Request]], list[Answer]]:
    """Return what asks a server, in no hurry."""

    def exchange(asked: list[Request]) -> list[Answer]:
        lines = [request.over_http() for request in asked]
        run = drive(server.port, lines, _ALONGSIDE, 600)
        return [Answer.parse(raw) for raw in run.answers]

    return exchange


def leg(
    peer: Peer, server: Server, acts: Sequence[Act], *, connections: int, count: int, seconds: float
) -> Leg:
    """Ask for so long, or so many times if that is sooner."""
    asked = requests(peer, acts, count, over_http(server))
    lines = [request.over_http() for request in asked]
    signature = peer.caller.signature_us()
    before = server.cpu_seconds()
    run = drive(server.port, lines, connections, seconds)
    spent = server.cpu_seconds() - before
    signature = (signature + peer.caller.signature_us()) / 2
    wrong: Counter[str] = Counter()
    right = sampled = forged = 0
    every = max(1, run.asked // SAMPLE)
    for number in range(run.asked):
        if not run.answers[number]:
            wrong["no answer"] += 1
            continue
        answer, ask = Answer.parse(run.answers[number]), asked[number].ask
        if answer.code != EXPECTED[ask.act]:
            wrong[answer.code or "no code"] += 1
            continue
        right += 1
        if number % every == 0:
            sampled += 1
            forged += not peer.caller.holds(ask.path(), answer)
    times = sorted(run.times) or [0.0]
    return Leg(
        rate=right / run.seconds,
        p50=statistics.median(times) * 1e3,
        p99=times[min(len(times) - 1, int(0.99 * len(times)))] * 1e3,
        cpu=spent / max(1, len(run.times)) * 1e6,
        signature=signature,
        answers=right,
        wrong=wrong,
        sampled=sampled,
        forged=forged,
    )


def _other(code: str) -> str:
    """Return a code that is certainly wrong: no digit of it is right."""
    return "".join(str((int(digit) + 1) % 10) for digit in code)
