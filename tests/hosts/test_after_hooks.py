"""A signed answer is sent as it was signed, whatever a host does to the response."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import (
    Flask,
    Response,
    after_this_request,
    make_response,
    redirect,
    session,
)
from flask_compress import Compress

from tests.codes import wrong_code
from tests.hosts.hostile_hosts import SWITCHES, Switch, altering, case, open_host, sealed

Change = Callable[[Response], Any]


def rewritten(response: Response) -> Response:
    response.set_data(response.get_data().replace(b"SUCCESS", b"FAILURE"))
    return response


def relabelled(response: Response) -> Response:
    response.status_code = 500
    response.headers.clear()
    response.headers["X-Frame-Options"] = "DENY"
    return response


def with_cookies(response: Response) -> Response:
    response.set_cookie("seen", "1")
    response.vary.add("Cookie")
    return response


def with_session(response: Response) -> Response:
    session.permanent = True
    session["seen"] = True
    return response


def streamed(response: Response) -> Response:
    response.response = (chunk for chunk in [b"a", b"b"])
    return response


def cached(response: Response) -> Response:
    response.add_etag()
    response.freeze()
    response.cache_control.max_age = 60
    return response


def replaced_after_all(response: Response) -> Response:
    after_this_request(lambda _: Response("replaced"))
    return response


CHANGES: dict[str, Change] = {
    "rewrites": rewritten,
    "relabels": relabelled,
    "sets-cookies": with_cookies,
    "keeps-a-session": with_session,
    "streams": streamed,
    "caches": cached,
    "zips": lambda response: Response(gzip.compress(response.data), 200),
    "replaces": lambda _: Response("replaced", 200),
    "copies": lambda response: make_response(response.get_data(), 200),
    "redirects": lambda _: redirect("/login"),
    "forbids": lambda _: Response("no", 403),
}


@pytest.mark.parametrize("switches", [case(switches=name) for name in SWITCHES])
@pytest.mark.parametrize("first", [True, False], ids=["before-us", "after-us"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.alike(15)
def test_a_hook_that_changes_the_answer_changes_nothing_that_leaves(
    change: str, switches: str, *, first: bool
) -> None:
    """G10, F5, F10: on grants and refusals; no cookie, no other header, no other byte."""
    wallet, switch = altering(CHANGES[change], first=first, config=SWITCHES[switches])
    switch.on = True
    request_id, code = wallet.sent()
    assert sealed(wallet.send("nobody")) == "INVALID_TOKEN"
    assert sealed(wallet.caller.call("/nothing", {})) == "NO_INTERFACE_DEF"
    assert sealed(wallet.caller.call("/sendOTP", {}, method="BREW")) == "METHOD_NOT_SUPPORTED"
    unmatched = wallet.caller.verify("tok-ada", request_id, wrong_code(code))
    assert sealed(unmatched) == "OTP_VERIFY_UNMATCHED"
    assert sealed(wallet.caller.verify("tok-ada", request_id, code)) == "SUCCESS"
    assert switch.hits == 6


def test_the_hooks_of_one_request_can_change_nothing_either() -> None:
    """G10: Flask's after_this_request runs before the answer is restored, too."""
    wallet, switch = altering(replaced_after_all)
    switch.on = True
    before = Switch(on=True)

    @wallet.app.before_request
    def replace_later() -> None:
        if before:
            after_this_request(lambda _: Response("replaced"))

    assert sealed(wallet.send()) == "SUCCESS"
    assert before.hits == 1


def test_a_response_that_a_hook_has_replaced_is_still_closed() -> None:
    """F5: what a host wanted done at the end of its response is done."""
    closed: list[str] = []

    def note(response: Response) -> Response:
        response.call_on_close(lambda: closed.append("first"))
        other = Response("replaced")
        other.call_on_close(lambda: closed.append("second"))
        return other

    wallet, switch = altering(note)
    switch.on = True
    assert sealed(wallet.send()) == "SUCCESS"
    assert closed == ["second"]


def test_an_old_answer_that_a_hook_brings_again_is_not_believed() -> None:
    """G10: a host that caches responses by path can't replay a sealed one to another request."""
    kept: list[Response] = []

    def replay(response: Response) -> Response:
        kept.append(response)
        return kept[0]

    wallet, switch = altering(replay)
    switch.on = True
    request_id, code = wallet.sent()
    unmatched = wallet.caller.verify("tok-ada", request_id, wrong_code(code))
    assert sealed(unmatched) == "OTP_VERIFY_UNMATCHED"


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
def test_a_response_class_of_the_hosts_own_changes_nothing(switches: dict[str, Any]) -> None:
    """F5: Flask makes each response an instance of it; ours are answered as ever."""

    class Branded(Response):
        default_mimetype = "application/vnd.host"

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.headers["X-Brand"] = "the host"

    wallet, _ = altering(rewritten, config=switches)
    wallet.app.response_class = Branded
    request_id, code = wallet.sent()
    assert sealed(wallet.caller.verify("tok-ada", request_id, code)) == "SUCCESS"
    assert sealed(wallet.caller.call("/nothing", {})) == "NO_INTERFACE_DEF"
    assert wallet.app.test_client().get("/").headers["X-Brand"] == "the host"


@pytest.mark.parametrize("first", [True, False], ids=["before-us", "after-us"])
def test_compression_leaves_signed_bytes_alone_and_zips_the_hosts(*, first: bool) -> None:
    """G10: Flask-Compress, told to zip everything, zips what is the host's."""

    def zipping(app: Flask) -> None:
        app.config.update(COMPRESS_MIN_SIZE=1, COMPRESS_MIMETYPES=["text/plain"])
        app.config["COMPRESS_MIMETYPES"] += ["application/json"]
        Compress(app)
        app.add_url_rule("/page", "page", lambda: Response("page " * 99, mimetype="text/plain"))

    wallet = open_host(zipping) if first else open_host(finish=zipping)
    call, _ = wallet.caller.prepare("/nothing", {})
    asking = replace(call, headers={**call.headers, "accept-encoding": "gzip"})
    assert sealed(wallet.caller.deliver(asking)) == "NO_INTERFACE_DEF"
    page = wallet.app.test_client().get("/page", headers={"Accept-Encoding": "gzip"})
    assert page.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(page.data) == b"page " * 99
