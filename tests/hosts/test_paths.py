"""What is called under our prefix is ours: on any host, in any spelling, with any Request class."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest
from flask import Flask, Request, request, request_started
from flask.sessions import SecureCookieSessionInterface

from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer, AlipayPlusCaller
from flask_otp_mpp.callers.google import GoogleCaller
from flask_otp_mpp.callers.transport import Call, Response
from flask_otp_mpp.protocols.google.plain import PlainSealer
from tests.hosts.hostile_hosts import PREFIX, SERVER_KEYS, open_host, sealed
from tests.hosts.ways import WAYS, WEBSOCKET, OwnStream, ReadOnlyLimit, SmallLimit, Way, called, raw
from tests.web.google_wallet import ADA, open_google


def with_header(caller: AlipayPlusCaller, name: str, value: str) -> AlipayPlusAnswer:
    call, _ = caller.prepare("/sendOTP", {})
    return caller.deliver(replace(call, headers={**call.headers, name: value}))


BAD: dict[str, Callable[[AlipayPlusCaller], AlipayPlusAnswer]] = {
    "INVALID_SIGNATURE": lambda caller: caller.send("tok-bob", tamper="body"),
    "INVALID_CLIENT": lambda caller: with_header(caller, "client-id", "of two words"),
    "METHOD_NOT_SUPPORTED": lambda caller: caller.call("/sendOTP", {}, method="GET"),
    "NO_INTERFACE_DEF": lambda caller: caller.call("/nothing", {}),
    "MEDIA_TYPE_NOT_ACCEPTABLE": lambda caller: with_header(caller, "content-type", "text/plain"),
    "PARAM_ILLEGAL": lambda caller: caller.call("/sendOTP", b" " * 16_385),
    "INVALID_TOKEN": lambda caller: caller.send("nobody"),
    "VERIFY_REQUEST_ID_INVALID": lambda caller: caller.verify("tok-bob", "unheard-of", "123456"),
}


@pytest.mark.filterwarnings("ignore:Current server name")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.alike(6)
def test_what_is_under_the_prefix_gets_our_answer_from_its_real_cause(way: str) -> None:
    """G9, G11: a genuine request is granted, a bad one refused for what is bad; all is signed."""
    wallet, caller = called(WAYS[way])
    sent = caller.send("tok-ada")
    assert sealed(sent) == "SUCCESS"
    for code, bad in BAD.items():
        assert sealed(bad(caller)) == code
    verified = caller.verify("tok-ada", sent.verify_request_id, wallet.inbox.code)
    assert sealed(verified) == "SUCCESS"
    assert len(wallet.inbox) == 1


@pytest.mark.filterwarnings("ignore:Current server name")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.alike(6)
def test_hooks_of_the_host_see_our_route(way: str) -> None:
    """F5: whatever Flask's routing has made of the request, they run once and know whose it is."""
    wallet, caller = called(WAYS[way])
    seen: list[tuple[str | None, int]] = []
    wallet.app.before_request(lambda: seen.append((request.endpoint, len(request.view_args or {}))))

    @wallet.app.after_request
    def look(response: Any) -> Any:
        seen.append((request.blueprint, 0))
        return response

    caller.send("tok-ada")
    caller.call("//nothing", {})
    name = "otp_mpp_alipayplus"
    assert seen == [(f"{name}.send", 0), (name, 0), (f"{name}.unknown", 0), (name, 0)]


@pytest.mark.parametrize("way", ["plain", "slash-above", "escaped-slash", "absolute-form"])
def test_the_spelling_is_read_where_either_kind_of_server_tells_it(way: str) -> None:
    """G11: RAW_URI is gunicorn's name for it, REQUEST_URI that of others."""
    _, caller = called(WAYS[way], "REQUEST_URI")
    assert sealed(caller.send("tok-ada")) == "SUCCESS"


@pytest.mark.parametrize("prefix", ["/" + PREFIX, "/aps//api/v1/users"])
def test_a_server_that_tells_no_spelling_loses_escapes_and_no_slashes(prefix: str) -> None:
    """G9, G11: the answer is from its real cause all the same, signed for the usual spelling."""
    wallet, caller = called(Way(prefix), None)
    assert sealed(caller.send("tok-ada")) == "SUCCESS"
    assert sealed(caller.call("/nothing", {})) == "NO_INTERFACE_DEF"
    _, escaping = called(Way("/aps/api/v1/us%65rs"), None)
    answer = escaping.send("tok-ada")
    assert (answer.code, answer.verified) == ("INVALID_SIGNATURE", False)
    assert len(wallet.inbox) == 1


@pytest.mark.parametrize("host", ["elsewhere.example", "x" * 300, "a b<>", "wallet..example"])
@pytest.mark.parametrize("trusting", ["setting", "class"])
def test_a_host_name_that_the_host_does_not_trust_is_the_only_one_that_is_refused(
    trusting: str, host: str
) -> None:
    """F5, G9: it refuses such requests itself, and that is the cause."""
    way = WAYS["TrustsOurs"] if trusting == "class" else WAYS["trusted-host"]
    wallet, caller = called(replace(way, headers={"host": host}))
    assert sealed(caller.send("tok-ada")) == "ACCESS_DENIED"
    assert sealed(caller.call("/nothing", {})) == "ACCESS_DENIED"
    assert len(wallet.inbox) == 0


# How the host's pages are called where a request of ours would be claimed.
NEIGHBOURS: list[tuple[str, dict[str, str]]] = [
    *[(path, {}) for path in ("/page", "/aps//api", "//aps/api/v1", "/aps%2Fapi", "/folder//x")],
    *[(path, {}) for path in (f"{PREFIX}X/sendOTP", f"/x{PREFIX}", f"/x/{PREFIX}/sendOTP")],
    *[(path, {}) for path in (PREFIX.upper(), "/%2561ps/api/v1/users/sendOTP", f"{PREFIX}%0A")],
    *[("/page", headers) for headers in (WEBSOCKET, {"host": "x" * 300}, {"host": "a b"})],
    ("/page", {"host": "pages.example"}),
]


def pages(app: Flask) -> None:
    app.add_url_rule("/folder/x", "folder", lambda: "folder")
    if not app.url_map.host_matching:
        app.add_url_rule("/page", "page", lambda: "page")


@pytest.mark.parametrize("way", ["plain", "host-matching", "catch-all-with-login", "OwnNames"])
def test_outside_the_prefix_the_host_answers_as_without_us(way: str) -> None:
    """F3: status, headers and bytes, also where slashes, escapes, hosts and upgrades are odd."""

    def answers(app: Flask) -> list[Response]:
        visit = raw(app)
        return [visit(Call("GET", path, headers, b"")) for path, headers in NEIGHBOURS]

    alone = WAYS[way].app()
    pages(alone)
    golden = answers(alone)
    assert len({answer.status for answer in golden}) > 1
    assert answers(open_host(pages, app=WAYS[way].app()).app) == golden


class Early(SecureCookieSessionInterface):
    """Read of the request before Flask has routed it."""

    def __init__(self, read: Callable[[], object]) -> None:
        self._read = read

    def open_session(self, *_: Any) -> None:
        self._read()


def deaf(_app: Flask, **_: Any) -> NoReturn:
    raise RuntimeError("a receiver of the host is broken")


@pytest.mark.parametrize("kind", [Request, ReadOnlyLimit, SmallLimit, OwnStream])
def test_the_hosts_hooks_can_read_the_body_after_us(kind: type[Request]) -> None:
    """F5, F7: whatever their limits are, and whatever their class does."""
    read: list[Any] = []

    def prepare(app: Flask) -> None:
        app.request_class = kind
        app.config["MAX_CONTENT_LENGTH"] = 10

        @app.before_request
        def look() -> None:
            raw_input = request.environ["wsgi.input"]
            read.append(raw_input.read() if kind is OwnStream else request.get_data())

    wallet = open_host(prepare)
    answer = wallet.send()
    assert sealed(answer) == "SUCCESS"
    assert read == [answer.call.body]
    assert sealed(wallet.caller.call("/sendOTP", b" " * 20_000)) == "PARAM_ILLEGAL"


@pytest.mark.parametrize(
    "read", [
        lambda: request.get_data(cache=True),
        lambda: request.form,
        lambda: request.get_json(cache=True),
    ],
    ids=["data", "form", "json"],
)  # fmt: skip
def test_what_was_read_before_us_is_not_lost(read: Callable[[], object]) -> None:
    """F5: a session interface, for example, reads before anything of ours can run."""
    wallet = open_host()
    wallet.app.session_interface = Early(read)
    seen: list[Any] = []
    wallet.app.before_request(lambda: seen.append(json.loads(request.get_data())))
    assert sealed(wallet.send()) == "SUCCESS"
    assert sealed(wallet.send(tamper="body")) == "INVALID_SIGNATURE"
    assert [body["accessToken"] for body in seen] == ["tok-ada", "tok-ada"]


@pytest.mark.parametrize("way", ["plain", "slash-within", "host-matching", "catch-all-with-login"])
def test_a_broken_receiver_of_the_hosts_leaves_the_answer_ours(way: str) -> None:
    """G9: also if it runs before the request was found to be ours."""
    wallet, caller = called(WAYS[way])
    with request_started.connected_to(deaf, wallet.app), request_started.muted():
        assert sealed(caller.send("tok-ada")) == "SUCCESS"
    with request_started.connected_to(deaf, wallet.app):
        answer = caller.call("/nothing", {})
        assert (answer.response.status, answer.code) == (200, "UNKNOWN_EXCEPTION")


def test_the_traffic_of_each_spelling_is_counted() -> None:
    """X1: a spelling is no way around the limit."""
    wallet = open_host(OTP_MPP_ADDRESS_LIMIT="3 per hour")
    prefixes = ("/" + PREFIX, "/aps//api/v1/users", "/%61ps/api/v1/users", PREFIX)
    callers = [
        wallet.calling(raw(wallet.app), prefix=prefix, server_keys=SERVER_KEYS)
        for prefix in prefixes
    ]
    codes = [sealed(caller.send("nobody")) for caller in callers]
    assert codes == ["INVALID_TOKEN"] * 3 + ["REQUEST_TRAFFIC_EXCEED_LIMIT"]


def test_strangers_gain_no_signatures_by_spellings() -> None:
    """X2: there are as many spellings as slashes, and they share one budget."""
    wallet = open_host(OTP_MPP_ADDRESS_LIMIT="")
    answers = []
    start = time.monotonic()
    for slashes in range(60):
        caller = wallet.calling(raw(wallet.app), prefix="/" * slashes + PREFIX)
        answers.append(caller.send("tok-ada", tamper="key"))
    assert {answer.response.status for answer in answers} == {200, 429}
    signed = sum(answer.response.status == 200 for answer in answers)
    assert signed <= 25 + 5 * (time.monotonic() - start) + 1


@pytest.mark.parametrize("way", ["slash-within", "host-matching", "websocket", "ReadOnlyLimit"])
def test_google_is_served_under_its_prefix_in_the_same_ways(way: str) -> None:
    """G9: it is the path that decides, for each protocol."""

    def prepare(app: Flask, _otp: object) -> None:
        made = WAYS[way].app()
        app.request_class, app.url_map.host_matching = (
            made.request_class,
            made.url_map.host_matching,
        )

    wallet = open_google(prepare=prepare)
    transport = raw(wallet.app)
    doubled = "//google//v1" if way == "slash-within" else "/google/v1"

    def send(call: Call) -> Response:
        uri = call.uri.replace("/google/v1", doubled)
        return transport(replace(call, uri=uri, headers={**call.headers, **WAYS[way].headers}))

    caller = GoogleCaller(send, PlainSealer(), clock=wallet.clock)
    assert caller.send(ADA).result == "SUCCESS"
    assert caller.call("/nothing", {}).response.status == 404
