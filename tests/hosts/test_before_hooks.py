"""A host's hook before a request hides nothing from us, or its refusal becomes a signed answer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from flask import Flask, Response, abort, got_request_exception, redirect, request, session
from werkzeug.exceptions import HTTPException

from flask_otp_mpp import Reason, refuse
from tests.hosts.hostile_hosts import PREFIX, SWITCHES, Switch, case, open_host, sealed
from tests.wallet import Wallet

READERS: dict[str, Callable[[], object]] = {
    "stream": lambda: request.stream.read(-1),
    "half-the-stream": lambda: request.stream.read(20),
    "raw-input": lambda: request.environ["wsgi.input"].read(-1),
    "data-uncached": lambda: request.get_data(cache=False),
    "data-as-form": lambda: request.get_data(parse_form_data=True),
    "form": lambda: request.form.to_dict(flat=False),
    "values": lambda: request.values.to_dict(flat=False),
    "files": lambda: request.files.to_dict(flat=False),
    "json": lambda: request.get_json(force=True),
    "session": lambda: session.update(seen=True),
}


class PaymentRequired(HTTPException):
    code = 402


class Unheard(HTTPException):
    code = 499
    description = "a code of the host's own"


def crash() -> None:
    raise RuntimeError("the host's hook is broken")


# What a hook of the host does instead of letting the request pass, and what it means here.
REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "redirects-to-login": (lambda: redirect("/login"), "ACCESS_DENIED"),
    "returns-200": (lambda: "down for maintenance", "UNKNOWN_EXCEPTION"),
    "returns-401": (lambda: ("log in", 401), "ACCESS_DENIED"),
    "returns-403": (lambda: Response("no", 403), "ACCESS_DENIED"),
    "returns-429": (lambda: ("slow down", 429), "REQUEST_TRAFFIC_EXCEED_LIMIT"),
    "returns-503": (lambda: ({"error": "down"}, 503), "UNKNOWN_EXCEPTION"),
    "returns-nonsense": (object, "UNKNOWN_EXCEPTION"),
    "raises": (crash, "UNKNOWN_EXCEPTION"),
    "aborts-400": (lambda: abort(400), "ACCESS_DENIED"),
    "aborts-401": (lambda: abort(401), "ACCESS_DENIED"),
    "aborts-404": (lambda: abort(404), "NO_INTERFACE_DEF"),
    "aborts-405": (lambda: abort(405), "METHOD_NOT_SUPPORTED"),
    "aborts-413": (lambda: abort(413), "PARAM_ILLEGAL"),
    "aborts-415": (lambda: abort(415), "MEDIA_TYPE_NOT_ACCEPTABLE"),
    "aborts-429": (lambda: abort(429), "REQUEST_TRAFFIC_EXCEED_LIMIT"),
    "aborts-500": (lambda: abort(500), "UNKNOWN_EXCEPTION"),
    "aborts-with-a-response": (lambda: abort(Response("no", 403)), "ACCESS_DENIED"),
    "raises-402": (lambda: abort_with(PaymentRequired()), "ACCESS_DENIED"),
    "raises-499": (lambda: abort_with(Unheard()), "ACCESS_DENIED"),
    "refuses-by-a-reason": (lambda: refuse(Reason.USER_ABNORMAL), "USER_STATUS_ABNORMAL"),
}


def abort_with(error: HTTPException) -> None:
    raise error


def before_request(app: Flask, switch: Switch, act: Callable[[], Any]) -> None:
    app.before_request(lambda: act() if switch else None)


def preprocessor(app: Flask, switch: Switch, act: Callable[[], Any]) -> None:
    app.url_value_preprocessor(lambda _endpoint, _values: act() if switch else None)


PLACES = {"before_request": before_request, "preprocessor": preprocessor}
RETURNING = [name for name in REFUSALS if name.startswith(("redirects", "returns"))]
PROPAGATING = ("testing", "debug", "propagating")


@pytest.mark.parametrize("after_us", [False, True], ids=["registered-first", "registered-last"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.alike(6)
def test_a_hook_that_reads_the_body_takes_nothing_from_us(
    reader: str, place: str, after_us: bool
) -> None:
    """F5: the bytes were kept before any hook ran."""
    switch = Switch(on=True)

    def install(app: Flask) -> None:
        app.secret_key = "a secret of the host"
        PLACES[place](app, switch, read)

    def read() -> None:
        READERS[reader]()

    wallet = open_host(finish=install) if after_us else open_host(prepare=install)
    request_id, code = wallet.sent()
    assert sealed(wallet.caller.verify("tok-ada", request_id, code)) == "SUCCESS"
    assert sealed(wallet.send(tamper="body")) == "INVALID_SIGNATURE"
    assert switch.hits == 3
    assert len(wallet.inbox) == 1


def open_refusing(refusal: str, place: str, switches: dict[str, Any]) -> tuple[Wallet, Switch]:
    switch = Switch()

    def install(app: Flask) -> None:
        PLACES[place](app, switch, REFUSALS[refusal][0])

    return open_host(finish=install, config=switches), switch


@pytest.mark.parametrize(
    ("refusal", "place", "switches"),
    [
        case(refusal, place, switches=switches)
        for refusal, place, switches in product(REFUSALS, PLACES, SWITCHES)
        if not (refusal in RETURNING and place == "preprocessor")  # what it returns is not read
        and not (refusal == "returns-nonsense" and switches in PROPAGATING)  # crashes in Flask
    ],
)
@pytest.mark.alike(5)
def test_a_hook_that_stops_a_request_is_answered_by_its_meaning(
    refusal: str, place: str, switches: str
) -> None:
    """F5, G9: on both operations, signed; nothing was done, and the code is not spent."""
    wallet, switch = open_refusing(refusal, place, SWITCHES[switches])
    request_id, code = wallet.sent()
    switch.on = True
    assert sealed(wallet.send("tok-bob")) == REFUSALS[refusal][1]
    assert sealed(wallet.caller.verify("tok-ada", request_id, code)) == REFUSALS[refusal][1]
    assert len(wallet.inbox) == 1
    switch.on = False
    assert sealed(wallet.caller.verify("tok-ada", request_id, code)) == "SUCCESS"


@pytest.mark.parametrize("first", [True, False], ids=["before-us", "after-us"])
@pytest.mark.parametrize("refusal", [name for name in REFUSALS if name.startswith("aborts-4")])
def test_an_error_page_of_the_host_does_not_hide_what_a_hook_meant(
    refusal: str, *, first: bool
) -> None:
    """F5, F3: a handler that the host has for the code is not even asked under our prefix."""
    asked: list[Exception] = []

    def page(error: Exception) -> str:
        asked.append(error)
        return "index"

    def install(app: Flask) -> None:
        for status in (400, 401, 403, 404, 405, 413, 415, 429):
            app.register_error_handler(status, page)
        before_request(app, Switch(on=True), REFUSALS[refusal][0])

    wallet = open_host(install) if first else open_host(finish=install)
    assert sealed(wallet.send()) == REFUSALS[refusal][1]
    assert asked == []


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
def test_a_hook_that_crashes_is_reported_to_the_host_once(switches: dict[str, Any]) -> None:
    """F5: Flask's signal for crashes is sent once, as for any other crash of the app."""
    wallet, switch = open_refusing("raises", "before_request", switches)
    switch.on = True
    heard: list[BaseException] = []

    def hear(_app: Flask, exception: BaseException) -> None:
        heard.append(exception)

    with got_request_exception.connected_to(hear, wallet.app):
        answer = wallet.send()
    assert sealed(answer) == "UNKNOWN_EXCEPTION"
    assert [str(error) for error in heard] == ["the host's hook is broken"]
    assert "broken" not in answer.message


def test_a_hook_that_refuses_is_not_reported_as_a_crash() -> None:
    """F5: a refusal is an answer; HTTP errors that Flask has no class for are refusals too."""
    for refusal in ("refuses-by-a-reason", "raises-402", "raises-499", "aborts-400"):
        wallet, switch = open_refusing(refusal, "before_request", {})
        switch.on = True
        heard: list[object] = []

        def hear(_app: Flask, heard: list[object] = heard, **about: object) -> None:
            heard.append(about)

        with got_request_exception.connected_to(hear, wallet.app):
            wallet.send()
        assert heard == [], refusal


def test_a_hook_that_refuses_hides_no_path_from_the_signature() -> None:
    """G9: a request that both routing and a hook refuse is signed as well."""
    wallet, switch = open_refusing("redirects-to-login", "before_request", {})
    switch.on = True
    for method, path in product(["POST", "BREW"], ["", "/", "/nothing", "//sendOTP"]):
        assert sealed(wallet.caller.call(path, {}, method=method)) in {
            "ACCESS_DENIED",
            "METHOD_NOT_SUPPORTED",
            "NO_INTERFACE_DEF",
        }


def test_a_hook_answers_the_hosts_own_pages_as_before() -> None:
    """F3: outside the prefix a redirect stays a redirect."""
    wallet, switch = open_refusing("redirects-to-login", "before_request", {})
    switch.on = True
    page = wallet.app.test_client().get(PREFIX.removesuffix("users"))
    assert (page.status_code, page.location) == (302, "/login")
    assert "signature" not in page.headers
