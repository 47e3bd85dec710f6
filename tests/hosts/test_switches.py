"""The host's configuration changes its own pages, and none of our answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, request, session

from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer, AlipayPlusCaller
from flask_otp_mpp.callers.transport import Response
from tests.hosts.hostile_hosts import HEADERS, SERVER_KEYS, SWITCHES, open_host, sealed
from tests.wallet import ACQUIRER, PSP, Wallet

VERBS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")
NOWHERE = ("", "/", "//", "/nothing", "/sendOTP/", "//sendOTP", "/sendOTP//", "/./sendOTP", "/a/b")


def padded(size: int, token: str) -> bytes:
    """Write a good request whose body has just that many bytes."""
    body = json.dumps({"acquirerId": ACQUIRER, "pspId": PSP, "accessToken": token}).encode()
    return body + b" " * (size - len(body))


def reading(wallet: Wallet, response: Response) -> AlipayPlusCaller:
    """Return a caller who receives this response, whatever it sends."""
    return wallet.calling(lambda _: response, server_keys=SERVER_KEYS)


def with_body(wallet: Wallet, answer: AlipayPlusAnswer) -> AlipayPlusAnswer:
    """Check an answer to HEAD as if it had the body whose length it states."""
    seen = wallet.caller.call("/sendOTP", {}, method="GET").response.body
    full = replace(answer.response, body=seen)
    return reading(wallet, full).deliver(answer.call)


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
def test_every_verb_but_post_gets_a_signed_refusal(switches: dict[str, Any]) -> None:
    """G9: Flask's own OPTIONS, and verbs that it never heard of; routed or not."""
    wallet = open_host(config=switches)
    for verb in VERBS:
        answer = wallet.caller.call("/sendOTP", {}, method=verb)
        if verb == "HEAD":
            assert answer.response.body == b""
            answer = with_body(wallet, answer)
        assert sealed(answer) == "METHOD_NOT_SUPPORTED", verb


def test_head_has_the_headers_of_get_and_no_body() -> None:
    """G2, G9: the length is that of the body which is left out; the signature covers that body."""
    wallet = open_host()
    for path in ("/sendOTP", "/verifyOTP", "/nothing", ""):
        got = wallet.caller.call(path, {}, method="GET").response
        head = wallet.caller.call(path, {}, method="HEAD")
        assert head.response.body == b""
        kept = {"content-type", "content-length", "client-id", "response-time", "cache-control"}
        assert {n: v for n, v in head.response.headers if n in kept} == {
            n: v for n, v in got.headers if n in kept
        }
        full = replace(head.response, body=got.body)
        assert reading(wallet, full).deliver(head.call).verified


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lax"])
@pytest.mark.parametrize("merge", [True, False], ids=["merging", "plain"])
@pytest.mark.alike(5)
def test_odd_slashes_lead_nowhere_and_are_never_redirected(
    switches: dict[str, Any], *, strict: bool, merge: bool
) -> None:
    """G9: a redirect would be unsigned, and would change the path that the caller signed."""

    def slashes(app: Flask) -> None:
        app.url_map.strict_slashes = strict
        app.url_map.merge_slashes = merge

    wallet = open_host(slashes, config=switches)
    for path in NOWHERE:
        if not strict and path in {"/sendOTP/", "/sendOTP//"}:
            continue
        assert sealed(wallet.caller.call(path, {})) == "NO_INTERFACE_DEF", path
    request_id, code = wallet.sent()
    assert sealed(wallet.caller.verify("tok-ada", request_id, code)) == "SUCCESS"


@pytest.mark.parametrize("switches", ["plain", "testing", "debug", "propagating"])
def test_an_untrusted_host_name_gets_a_signed_refusal(switches: str) -> None:
    """F5, G9: TRUSTED_HOSTS fails before routing; the host's own page stays what it was."""
    wallet = open_host(config={"TRUSTED_HOSTS": ["wallet.example"], **SWITCHES[switches]})
    assert sealed(wallet.send()) == "ACCESS_DENIED"
    assert len(wallet.inbox) == 0
    page = wallet.app.test_client().get("/")
    assert (page.status_code, page.mimetype) == (400, "text/html")
    call, _ = wallet.caller.prepare("/nothing", {})
    trusted = replace(call, headers={**call.headers, "host": "wallet.example"})
    assert sealed(wallet.caller.deliver(trusted)) == "NO_INTERFACE_DEF"


def test_a_host_on_other_names_answers_for_us_there_too() -> None:
    """G9: with subdomain matching, a name that has no routes is answered under the prefix."""
    app_of_names = {"SERVER_NAME": "wallet.example"}

    def naming(app: Flask) -> None:
        app.subdomain_matching = True
        app.url_map.subdomain_matching = True  # type: ignore[attr-defined]

    wallet = open_host(naming, config=app_of_names)
    call, _ = wallet.caller.prepare("/sendOTP", {})
    for name in ("wallet.example", "www.wallet.example"):
        there = replace(call, headers={**call.headers, "host": name})
        assert sealed(wallet.caller.deliver(there)) == "PARAM_ILLEGAL"


@pytest.mark.parametrize("cap", [None, 10, 16_384, 10_000_000])
def test_our_body_limit_holds_whatever_the_hosts_is(cap: int | None) -> None:
    """F7: 16 KiB pass, one byte more does not; the host's own routes keep the host's limit."""

    def counting(app: Flask) -> None:
        app.add_url_rule("/size", "size", lambda: str(len(request.data)), methods=["POST"])

    wallet = open_host(counting, config={"MAX_CONTENT_LENGTH": cap})
    assert sealed(wallet.caller.call("/sendOTP", padded(16_384, "tok-ada"))) == "SUCCESS"
    answer = wallet.caller.call("/sendOTP", padded(16_385, "tok-bob"))
    assert (sealed(answer), "body: " in answer.message) == ("PARAM_ILLEGAL", True)
    page = wallet.app.test_client().post("/size", data=b"x" * 20_000)
    assert page.status_code == (200 if cap is None or cap > 20_000 else 413)


def test_our_body_limit_is_the_one_that_is_set() -> None:
    """F7: in both directions."""
    wallet = open_host(OTP_MPP_BODY_LIMIT=40_000, config={"MAX_CONTENT_LENGTH": 2_000})
    assert sealed(wallet.caller.call("/sendOTP", padded(40_000, "tok-ada"))) == "SUCCESS"
    assert sealed(wallet.caller.call("/sendOTP", padded(40_001, "tok-bob"))) == "PARAM_ILLEGAL"


def test_no_header_of_a_browsers_world_is_on_our_answers() -> None:
    """F10: no session cookie, no Vary, nothing to cache, though the host keeps sessions."""

    def sessions(app: Flask) -> None:
        app.secret_key = "a secret of the host"

        @app.before_request
        def put_answer() -> None:
            session.permanent = True
            session["visits"] = session.get("visits", 0) + 1

        app.add_url_rule("/page", "page", lambda: "page")

    wallet = open_host(sessions)
    for answer in (wallet.send(), wallet.send("nobody"), wallet.caller.call("/nothing", {})):
        sealed(answer)
        assert not {"set-cookie", "vary"} & {name for name, _ in answer.response.headers}
    page = wallet.app.test_client().get("/page")
    assert "session=" in page.headers["Set-Cookie"]
    assert page.headers["Vary"] == "Cookie"


def test_header_names_leave_in_lower_case() -> None:
    """F10: the Python SDK of Alipay+ looks them up like that."""
    wallet = open_host()
    app = wallet.app.wsgi_app
    seen: list[str] = []

    def watch(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            seen.extend(name for name, _ in headers)
            return start_response(status, headers, *rest)

        return app(environ, start)

    wallet.app.wsgi_app = watch  # type: ignore[method-assign]
    assert sealed(wallet.send()) == "SUCCESS"
    assert seen == list(HEADERS)
