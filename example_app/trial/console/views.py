"""The page of the console."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from example_app.trial.console.choices import (
    CHANNELS,
    CREDENTIALS,
    OPERATIONS,
    PROTOCOLS,
    clients,
    label_of,
    read_choice,
    users,
)
from example_app.trial.console.faults import fault_named, faults_at
from example_app.trial.console.meaning import GUIDE
from example_app.trial.console.play import new_run, play_send, play_verify
from example_app.trial.console.runs import Run, Runs
from example_app.trial.guard import guarded
from flask_otp_mpp import Operation, state_of

pages = guarded(Blueprint("console", __name__))
_RUNS = "trial.runs"


@pages.get("/console")
def console() -> str:
    """Show the console, with the run that the query names."""
    name = request.args.get("run", "")
    run = _runs().get(name)
    choice = read_choice(request.args) if run is None else run.choice
    protocol = choice.protocol
    return render_template(
        "console.html",
        run=run,
        forgotten=bool(name) and run is None,
        reset="reset" in request.args,
        choice=choice,
        protocols=PROTOCOLS,
        protocol_name=label_of(protocol, PROTOCOLS),
        calls=OPERATIONS[protocol],
        clients=clients(protocol),
        users=users(),
        credentials=CREDENTIALS[protocol],
        channels=CHANNELS[protocol],
        send_faults=faults_at(protocol, Operation.SEND),
        verify_faults=faults_at(protocol, Operation.VERIFY),
        guide=GUIDE,
    )


@pages.post("/console/send")
def send() -> Response:
    """Begin a run by a send."""
    choice = read_choice(request.form)
    if not choice.client:
        return redirect(url_for("console.console", protocol=choice.protocol), 303)
    run = new_run(choice)
    fault = fault_named(request.form.get("fault", ""), run.choice.protocol, Operation.SEND)
    play_send(run, fault, _app())
    _runs().add(run)
    return _show(run)


@pages.post("/console/verify")
def verify() -> Response:
    """Verify a code in a run."""
    run = _runs().get(request.form.get("run", ""))
    if run is None or not run.reference:
        return redirect(url_for("console.console", run=request.form.get("run", "")), 303)
    fault = fault_named(request.form.get("fault", ""), run.choice.protocol, Operation.VERIFY)
    play_verify(run, request.form.get("code", "").strip(), fault, _app())
    return _show(run)


@pages.post("/console/reset")
def reset() -> Response:
    """Forget what the store counts of a user: locks, wrong codes and sends."""
    choice = read_choice(request.form)
    state_of().support.unlock(choice.user, quota=True)
    return redirect(url_for("console.console", **asdict(choice), reset="1", _anchor="last"), 303)


def _show(run: Run) -> Response:
    return redirect(url_for("console.console", run=run.id, _anchor="last"), 303)


def _runs() -> Runs:
    return cast(Runs, current_app.extensions.setdefault(_RUNS, Runs()))


def _app() -> Flask:
    """Return the app itself: the proxy leads nowhere in the wallet's own request."""
    return cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined] # noqa: SLF001
