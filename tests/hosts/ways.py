"""How apps are made that route in their own ways, and how callers spell what they call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from flask import Blueprint, Flask, Request, abort
from werkzeug.datastructures import Headers
from werkzeug.routing import Rule
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from flask_otp_mpp.callers.transport import Call, Response, Transport
from tests.hosts.hostile_hosts import PREFIX, SERVER_KEYS, open_host
from tests.wallet import Wallet

TELLING = ("REQUEST_URI", "RAW_URI")


def raw(app: Any, told: str | None = "RAW_URI", *, origin: str = "", path: str = "") -> Transport:
    """Return a transport that gives an app each path as a server does that got these very bytes.

    :param told: where the server puts the undecoded target, if it does.
    :param origin: what the target begins with in its absolute form.
    :param path: what the server leaves of it in PATH_INFO.
    """

    def send(call: Call) -> Response:
        called, _, query = call.uri.partition("?")
        environ = EnvironBuilder(
            method=call.method, headers=Headers(call.headers), data=call.body
        ).get_environ()
        if host := call.headers.get("host"):
            environ["HTTP_HOST"] = host
        for name in TELLING:
            environ.pop(name, None)
        if told is not None:
            environ[told] = origin + call.uri
        decoded = unquote_to_bytes(called).decode("latin-1")
        environ |= {"PATH_INFO": path + decoded, "QUERY_STRING": query}
        chunks, status, headers = run_wsgi_app(app, environ, buffered=True)
        return Response(int(status.split()[0]), tuple(headers.items()), b"".join(chunks))

    return send


class ReadOnlyLimit(Request):
    @property  # type: ignore[misc]
    def max_content_length(self) -> int:  # type: ignore[override]
        return 5_000_000


class SmallLimit(Request):
    max_content_length = 10


class FormLimits(Request):
    @property  # type: ignore[misc]
    def max_form_memory_size(self) -> int:  # type: ignore[override]
        return 1

    @property  # type: ignore[misc]
    def max_form_parts(self) -> int:  # type: ignore[override]
        return 1


class OwnData(Request):
    def get_data(self, *_: Any, **__: Any) -> Any:
        return b"nothing that was sent"


class OwnStream(Request):
    @property
    def stream(self) -> IO[bytes]:
        raise OSError("only form data is read here")


class OwnNames(Request):
    """Read method, path and headers as an API gateway would have them."""

    method = "GET"
    path = "/elsewhere"
    full_path = "/elsewhere?"
    query_string = b"x=1"
    headers: Any = None
    content_type = "text/plain"

    def __init__(self, environ: Any, *more: Any, **named: Any) -> None:
        self.environ = environ
        super().__init__(environ, *more, **named)
        vars(self).update(method="GET", path="/elsewhere", headers={}, query_string=b"x=1")


class TrustsAll(Request):
    trusted_hosts = None


class TrustsOurs(Request):
    trusted_hosts = ["localhost"]  # noqa: RUF012 - as Werkzeug documents it


@dataclass(frozen=True)
class Way:
    """How the app is made, and how a caller calls it."""

    prefix: str = PREFIX
    headers: Mapping[str, str] = field(default_factory=dict)
    app: Callable[[], Flask] = lambda: Flask("tests.wallet")
    config: Mapping[str, Any] = field(default_factory=dict)
    target: Mapping[str, str] = field(default_factory=dict)


def with_class(kind: type[Request]) -> Way:
    def make() -> Flask:
        app = Flask("tests.wallet")
        app.request_class = kind
        return app

    return Way(app=make)


def by_host() -> Flask:
    """Make an app that routes by host names, and has a catch-all on one of them."""
    app = Flask("tests.wallet", host_matching=True, static_folder=None)
    app.add_url_rule("/page", "page", lambda: "page", host="<name>")
    app.add_url_rule("/<path:rest>", "rest", abort, host="pages.example", methods=["POST", "GET"])
    return app


def by_subdomain() -> Flask:
    return Flask("tests.wallet", subdomain_matching=True)


class InALanguage(Rule):
    def __init__(self, string: str, *more: Any, **named: Any) -> None:
        super().__init__(f"/<language>{string}", *more, **named)


def by_language() -> Flask:
    """Make an app whose rules all begin with a language."""
    app = Flask("tests.wallet", static_folder=None)
    app.url_rule_class = InALanguage
    return app


def behind_a_login() -> Flask:
    """Make an app whose pages are one blueprint, which takes all paths and has a login."""
    app = Flask("tests.wallet")
    pages = Blueprint("pages", __name__)
    pages.before_request(lambda: abort(401))
    pages.add_url_rule("/<path:rest>", "rest", lambda rest: rest, methods=["GET", "POST"])
    app.register_blueprint(pages)
    return app


WEBSOCKET = {"upgrade": "websocket", "connection": "Upgrade"}
NAMED = {"SERVER_NAME": "wallet.example"}
WAYS: dict[str, Way] = {
    "plain": Way(),
    "slash-above": Way("/" + PREFIX),
    "slashes-above": Way("//" + PREFIX),
    "slash-within": Way("/aps//api/v1/users"),
    "slashes-everywhere": Way("//aps///api//v1//users"),
    "escaped-letter": Way("/aps/api/v1/us%65rs"),
    "escaped-first": Way("/%61ps/api/v1/users"),
    "escaped-slash": Way("/aps%2Fapi/v1%2fusers"),
    "escapes-and-slashes": Way("//aps/%61p%69//v1/users"),
    "absolute-form": Way(target={"origin": "http://wallet.example:80"}),
    "absolute-form-left": Way(
        target={"origin": "HTTP://wallet.example", "path": "HTTP://wallet.example"}
    ),
    "another-host": Way(headers={"host": "elsewhere.example:8443"}),
    "long-host": Way(headers={"host": "x" * 300}),
    "long-label": Way(headers={"host": f"{'x' * 64}.example"}),
    "malformed-host": Way(headers={"host": "a b<>:x:"}),
    "two-dots-host": Way(headers={"host": "wallet..example"}),
    "websocket": Way(headers=WEBSOCKET),
    "host-matching": Way(app=by_host),
    "host-matching-catch-all": Way(app=by_host, headers={"host": "pages.example"}),
    "host-matching-slash": Way("//aps//api/v1/users", app=by_host),
    "host-matching-long-host": Way(app=by_host, headers={"host": "x" * 300}),
    "subdomains": Way(app=by_subdomain, config=NAMED, headers={"host": "wallet.example"}),
    "a-subdomain": Way(app=by_subdomain, config=NAMED, headers={"host": "www.wallet.example"}),
    "no-subdomain": Way(app=by_subdomain, config=NAMED, headers={"host": "elsewhere.example"}),
    "trusted-host": Way(
        config={"TRUSTED_HOSTS": ["wallet.example"]}, headers={"host": "wallet.example"}
    ),
    "own-rule-class": Way(app=by_language),
    "catch-all-with-login": Way(app=behind_a_login),
    "catch-all-with-login-slash": Way("/aps//api/v1/users", app=behind_a_login),
    "catch-all-with-login-websocket": Way(app=behind_a_login, headers=WEBSOCKET),
    **{kind.__name__: with_class(kind) for kind in (
        ReadOnlyLimit, SmallLimit, FormLimits, OwnData, OwnStream, OwnNames, TrustsAll, TrustsOurs,
    )},
}  # fmt: skip


def called(way: Way, told: str | None = "RAW_URI", **how: Any) -> tuple[Wallet, AlipayPlusCaller]:
    """Open a wallet, and a caller who calls it in one way."""
    wallet = open_host(app=way.app(), config=dict(way.config), **how)
    transport = raw(wallet.app, told, **way.target)

    def send(call: Call) -> Response:
        return transport(replace(call, headers={**call.headers, **way.headers}))

    return wallet, wallet.calling(send, prefix=way.prefix, server_keys=SERVER_KEYS)
