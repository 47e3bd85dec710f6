"""A host's pages are the same, byte for byte, with the extension and without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from flask import Flask, Response, jsonify, redirect, session
from itsdangerous import TimestampSigner
from werkzeug.exceptions import HTTPException

from flask_otp_mpp import Caller
from tests.hosts.hostile_hosts import PREFIX, open_host, sealed
from tests.wallet import load_user

Page = tuple[int, list[tuple[str, str]], bytes]


def boom() -> NoReturn:
    raise RuntimeError("a bug of the host")


def keep_session() -> str:
    session["seen"] = True
    return "kept"


def host(app: Flask) -> None:
    """Give an app pages of each kind."""
    app.secret_key = "a secret of the host"
    app.add_url_rule("/", "home", lambda: "home")
    app.add_url_rule("/form", "form", lambda: "taken", methods=["POST"])
    app.add_url_rule("/folder/", "folder", lambda: "folder")
    app.add_url_rule("/boom", "boom", boom)
    app.add_url_rule("/json", "json", lambda: jsonify(a=1))
    app.add_url_rule("/away", "away", lambda: redirect("/"))
    app.add_url_rule("/session", "session", keep_session)
    app.add_url_rule("/stream", "stream", lambda: Response(iter(["a", "b"])))
    app.add_url_rule("/user/<name>", "user", show_user)
    app.after_request(stamp)


def show_user(name: str) -> str:
    user = load_user(f"tok-{name}", Caller("none", "the host itself"))
    assert user is not None
    return user.id


def stamp(response: Response) -> Response:
    response.headers["X-Host"] = "stamped"
    return response


def page(status: int) -> Callable[[Exception], tuple[str, int]]:
    return lambda error: (f"<h1>{status} {type(error).__name__}</h1>", status)


def by_code(app: Flask) -> None:
    for status in (400, 404, 405, 413, 429, 500):
        app.register_error_handler(status, page(status))


def by_exception(app: Flask) -> None:
    app.register_error_handler(Exception, page(500))


def by_http_exception(app: Flask) -> None:
    app.register_error_handler(HTTPException, page(418))


def one_page(app: Flask) -> None:
    """Answer whatever is not found with the page that finds it in the browser."""
    app.register_error_handler(404, lambda _: ("index", 200))
    app.register_error_handler(405, lambda _: ("index", 200))


def catch_all(app: Flask) -> None:
    methods = ["GET", "POST", "BREW"]
    app.add_url_rule("/<path:rest>", "rest", lambda rest: f"rest {rest}", methods=methods)


def crashing(app: Flask) -> None:
    app.register_error_handler(404, lambda _: boom())
    app.register_error_handler(405, lambda _: boom())


def trapping(app: Flask) -> None:
    app.config.update(TRAP_HTTP_EXCEPTIONS=True)


STYLES = [
    host, by_code, by_exception, by_http_exception, one_page, catch_all, crashing, trapping,
]  # fmt: skip
VISITS = [
    *[("GET", path) for path in ("/", "/json", "/away", "/session", "/stream", "/boom")],
    *[("GET", path) for path in ("/nothing", "/folder", "/folder/", "//", "/user//ada")],
    *[("GET", path) for path in ("/user/ada", "/user/%FF", "/static/none.css", "/form")],
    *[("GET", path) for path in ("/aps", "/aps/api/v1", f"{PREFIX}X/sendOTP", f"/x{PREFIX}")],
    *[("POST", path) for path in ("/", "/form", "/nothing", "/aps/api/v1/sendOTP")],
    *[(method, "/") for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "BREW")],
    *[(method, "/nothing") for method in ("HEAD", "OPTIONS", "BREW")],
]


def visit(app: Flask) -> dict[tuple[str, str], Page]:
    client = app.test_client(use_cookies=False)
    pages = {}
    for method, path in VISITS:
        answer = client.open(path, method=method)
        pages[method, path] = (answer.status_code, sorted(answer.headers), answer.data)
    return pages


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
@pytest.mark.alike(3)
def test_the_hosts_pages_are_the_same_with_us_and_without(
    style: Callable[[Flask], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F3: status, headers and bytes of each page, error pages of every style among them."""
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: 1)  # in the session cookie
    alone = Flask("tests.wallet")
    host(alone)
    if style is not host:
        style(alone)
    golden = visit(alone)
    assert {status for status, _, _ in golden.values()} >= {200}

    def prepare(app: Flask) -> None:
        host(app)
        if style is not host:
            style(app)

    assert visit(open_host(prepare).app) == golden
    assert visit(open_host(finish=prepare).app) == golden


@pytest.mark.parametrize("first", [True, False], ids=["before-us", "after-us"])
@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
@pytest.mark.alike(5)
def test_under_our_prefix_the_hosts_error_pages_are_never_seen(
    style: Callable[[Flask], Any], *, first: bool
) -> None:
    """F3, G9: unknown paths, unknown verbs and odd slashes get a signed answer there."""
    wallet = open_host(style) if first else open_host(finish=style)
    for path in ("", "/", "/nothing", "/sendOTP/", "//sendOTP", "/a//b", "/sendOTP/x"):
        assert sealed(wallet.caller.call(path, {})) == "NO_INTERFACE_DEF", path
    for method in ("GET", "PUT", "OPTIONS", "TRACE", "BREW"):
        answer = wallet.caller.call("/sendOTP", {}, method=method)
        assert sealed(answer) == "METHOD_NOT_SUPPORTED", method
    request_id, code = wallet.sent()
    assert sealed(wallet.caller.verify("tok-ada", request_id, code)) == "SUCCESS"


def test_a_route_of_the_hosts_that_says_more_than_ours_stays_its_own() -> None:
    """F3: under the prefix too, the host may serve a path that it names."""

    def named(app: Flask) -> None:
        app.add_url_rule(f"{PREFIX}/health", "health", lambda: ("well", 203))
        app.add_url_rule(f"{PREFIX}/health/boom", "unwell", boom)

    wallet = open_host(named)
    client = wallet.app.test_client()
    page = client.get(f"{PREFIX}/health")
    assert (page.status_code, page.text, page.mimetype) == (203, "well", "text/html")
    assert "signature" not in page.headers
    broken = client.get(f"{PREFIX}/health/boom")
    assert (broken.status_code, broken.mimetype) == (500, "text/html")
    assert sealed(wallet.caller.call("/health", {})) == "NO_INTERFACE_DEF"
    assert sealed(wallet.caller.call("/healthy", {})) == "NO_INTERFACE_DEF"
