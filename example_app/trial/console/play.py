"""Play what a button asks for: make the requests, send them, and note what became of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from flask import Flask

from example_app.trial.console.choices import OPERATIONS, Choice
from example_app.trial.console.credentials import make_credential
from example_app.trial.console.exchange import Exchange, event_pairs, newest_codes
from example_app.trial.console.faults import Fault, Manner
from example_app.trial.console.link import Link, limited_app
from example_app.trial.console.meaning import meaning_of
from example_app.trial.console.players import Answer, Player, open_player
from example_app.trial.console.runs import Round, Run
from flask_otp_mpp import Operation, Reason, state_of

BURST: Final = 60
"""The requests of a burst, if none is refused."""


def new_run(choice: Choice) -> Run:
    """Begin a run: make the credential and the caller's id."""
    return Run(choice, make_credential(choice), f"TRIAL-{secrets.token_hex(8)}")


def play_send(run: Run, fault: Fault, app: Flask) -> None:
    """Ask for a code, and add what was seen to the run."""
    if fault.manner is Manner.BURST:
        with limited_app(app) as second:
            Stage(run, fault, Operation.SEND, second).play_burst()
    else:
        Stage(run, fault, Operation.SEND, app).play_send()


def play_verify(run: Run, code: str, fault: Fault, app: Flask) -> None:
    """Present a code, and add what was seen to the run."""
    Stage(run, fault, Operation.VERIFY, app).play_verify(code)


class Stage:
    """Where one round of a run is played.

    :param app: the wallet.
    """

    def __init__(self, run: Run, fault: Fault, operation: Operation, app: Flask) -> None:
        self._run = run
        self._fault = fault
        self._operation = operation
        self._link = Link(app)
        self._player: Player = open_player(run, fault, self._link, Path(app.instance_path))
        self._call = OPERATIONS[run.choice.protocol][operation is Operation.VERIFY]

    def play_send(self) -> None:
        """Send as the fault says, and keep the id of the code."""
        answer = self._player.send(self._run, self._fault)
        if answer.code == "SUCCESS":
            self._run.reference = self._player.reference(self._run)
        self._keep(self._once_or_twice(answer))

    def play_burst(self) -> None:
        """Send until the traffic limit is reached."""
        self._keep(self._burst())

    def play_verify(self, code: str) -> None:
        """Verify as the fault says."""
        if self._fault.manner is Manner.WRONG_CODES:
            self._keep(self._wrong_codes(code))
            return
        answer = self._player.verify(self._run, code, self._fault)
        self._keep(self._once_or_twice(answer))

    def _once_or_twice(self, answer: Answer) -> Iterator[Exchange]:
        yield self._note(answer, "First request")
        if self._fault.manner is Manner.TWICE:
            yield self._note(self._player.repeat(), "Repeat")

    def _wrong_codes(self, code: str) -> Iterator[Exchange]:
        for wrong in wrong_codes(code, state_of().policy.tries):
            answer = self._player.verify(self._run, wrong, self._fault)
            yield self._note(answer, f"Code {wrong}, wrong")
        answer = self._player.verify(self._run, code, self._fault)
        yield self._note(answer, f"Code {code}, as you typed it")

    def _burst(self) -> Iterator[Exchange]:
        """Send for nobody until the limit is reached; only the first and the last one are kept."""
        for number in range(1, BURST + 1):
            nobody = replace(
                self._run,
                choice=replace(self._run.choice, credential="garbage"),
                credential=secrets.token_hex(8),
                request_id=f"{self._run.request_id}-{number}",
            )
            answer = self._player.send(nobody, self._fault)
            event = self._link.last.event
            limited = event is not None and event.reason is Reason.TRAFFIC_EXCEEDED
            last = limited or number == BURST
            if number == 1 or last:
                yield self._note(answer, f"Request {number} of the burst")
            if last:
                return

    def _keep(self, exchanges: Iterator[Exchange]) -> None:
        why = self._fault.reason(self._run.choice.protocol)
        self._run.rounds.append(Round(self._call, self._fault, why, list(exchanges)))

    def _note(self, answer: Answer, title: str) -> Exchange:
        request, answered, proof, told = self._player.seen()
        passage, choice = self._link.last, self._run.choice
        support = state_of().support
        return Exchange(
            title,
            request,
            answered,
            proof,
            passage.seconds,
            answer.code or answered.first,
            str(answer.status),
            told,
            meaning_of(choice.protocol, self._operation, passage.event),
            passage.messages,
            event_pairs(passage.event),
            newest_codes(support.in_words(support.show(choice.user))),
        )


def wrong_codes(code: str, count: int) -> list[str]:
    """Return codes of the same length that differ from a code and from each other."""
    digits = code if code.isascii() and code.isdigit() else "000000"
    size = len(digits)
    return [f"{(int(digits) + step) % 10**size:0{size}}" for step in range(1, count + 1)]
