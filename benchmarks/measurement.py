"""Measurements: requests of one load to the servers of peers; only right answers count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

from benchmarks.driver import drive
from benchmarks.peers import Peer
from benchmarks.processes import Server
from benchmarks.turns import Driven, in_turn
from benchmarks.wire import EXPECTED, Answer, Request, RequestKind, UnsignedRequest

LOADS: Final[dict[str, tuple[RequestKind, ...]]] = {
    "send": (RequestKind.SEND,),
    "right": (RequestKind.RIGHT,),
    "wrong": (RequestKind.WRONG,),
    "mix": (RequestKind.SEND, RequestKind.RIGHT),
    "forged": (RequestKind.FORGED,),
}
SAMPLE: Final = 20
"""How many answers of a measurement have their signature verified."""
_ALONGSIDE: Final = 16
"""Connections for the sends before the verifies that are measured."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one measurement.

    :param rate: right answers per second.
    :param p50: median, in milliseconds.
    :param p99: 99th percentile, in milliseconds.
    :param cpu: microseconds of processor time of the server's processes per answer.
    :param wrong: answers with an unexpected code, by code, and requests without an answer.
    :param sampled: answers whose signature was verified.
    :param forged: those of them whose signature is wrong.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    answers: int
    wrong: Counter[str]
    sampled: int
    forged: int


def requests(
    peer: Peer,
    kinds: Sequence[RequestKind],
    count: int,
    send: Callable[[list[Request]], list[Answer]],
) -> list[Request]:
    """Sign requests, each for a new user; the kinds alternate.

    :param count: how many.
    :param send: calls the peer; used to have the codes sent that are to be verified.
    """
    chosen = list(islice(cycle(kinds), count))
    tokens = peer.users.add(count)
    pairs = list(zip(chosen, tokens, strict=True))
    waiting = [token for kind, token in pairs if kind in (RequestKind.RIGHT, RequestKind.WRONG)]
    sent = send(peer.caller.sign_all(UnsignedRequest(RequestKind.SEND, token) for token in waiting))
    challenges = dict(zip(waiting, (answer.challenge for answer in sent), strict=True))
    codes = peer.users.codes(waiting)
    unsigned = []
    for kind, token in pairs:
        if kind in (RequestKind.SEND, RequestKind.FORGED):
            unsigned.append(UnsignedRequest(kind, token))
        else:
            # A code that was not sent is tried all the same: its answer counts as wrong.
            code = codes.get(token, "000000")
            tried = code if kind is RequestKind.RIGHT else _other(code)
            unsigned.append(UnsignedRequest(kind, token, challenges[token] or "none", tried))
    return peer.caller.sign_all(unsigned)


def over_http(server: Server) -> Callable[[list[Request]], list[Answer]]:
    """Return a function that calls a server, without a time limit."""

    def send(signed: list[Request]) -> list[Answer]:
        lines = [request.over_http() for request in signed]
        run = drive(server.ports, lines, _ALONGSIDE, 600)
        return [Answer.parse(raw) for raw in run.answers]

    return send


class Prepared:
    """Signed requests of a load to one peer; the codes that they need are sent.

    :param count: how many there are.
    """

    def __init__(
        self,
        peer: Peer,
        server: Server,
        kinds: Sequence[RequestKind],
        *,
        connections: int,
        count: int,
    ) -> None:
        self.peer = peer
        self.signed = requests(peer, kinds, count, over_http(server))
        self.driven = Driven(server, [request.over_http() for request in self.signed], connections)

    def measurement(self) -> Measurement:
        """Return the figures of what was sent so far."""
        run = self.driven.run
        wrong: Counter[str] = Counter()
        right = sampled = forged = 0
        every = max(1, run.sent // SAMPLE)
        for number in range(run.sent):
            if not run.answers[number]:
                wrong["no answer"] += 1
                continue
            answer, unsigned = Answer.parse(run.answers[number]), self.signed[number].unsigned
            if answer.code != EXPECTED[unsigned.kind]:
                wrong[answer.code or "no code"] += 1
                continue
            right += 1
            if number % every == 0:
                sampled += 1
                forged += not self.peer.caller.holds(unsigned.path(), answer)
        return Measurement(
            rate=right / run.seconds,
            p50=self.driven.milliseconds(0.5),
            p99=self.driven.milliseconds(0.99),
            cpu=self.driven.cpu_us,
            answers=right,
            wrong=wrong,
            sampled=sampled,
            forged=forged,
        )


def measure(prepared: Sequence[Prepared], seconds: float) -> list[Measurement]:
    """Measure peers in turn, each for ``seconds``, or until its requests are sent."""
    in_turn([one.driven for one in prepared], seconds)
    return [one.measurement() for one in prepared]


def _other(code: str) -> str:
    """Return a code of which every digit is wrong."""
    return "".join(str((int(digit) + 1) % 10) for digit in code)
