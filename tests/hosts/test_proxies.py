"""The signed path is the path that was called, with any proxy between the caller and the app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from flask_otp_mpp.callers.transport import over_http, over_wsgi
from tests.codes import wrong_code
from tests.hosts.hostile_hosts import PREFIX, SERVER_KEYS, open_host, sealed
from tests.hosts.ways import raw
from tests.servers import serving
from tests.wallet import Wallet, request_fields

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Wrap = Callable[["WSGIApplication"], "WSGIApplication"]
FORGED = {
    "x-forwarded-prefix": "/forged",
    "x-forwarded-host": "forged.example",
    "x-forwarded-proto": "https",
    "x-forwarded-for": "203.0.113.9",
    "x-original-uri": "/forged/sendOTP",
    "x-rewrite-url": "/forged/sendOTP",
    "x-script-name": "/forged",
}
SPELLINGS = (
    "/%7Enothing", "/~nothing", "/a%2fb", "/a%2Fb", "/%e4", "/%C3%A4", "/%c3%a4", "/%", "/%zz",
    "/a;b=1", "/a//b", "/a%20b", "/a%3Fb", "/a+b", "/a%2Bb", "/%5B%5D", "/[]", "/a?", "/a?x=%41",
    "/a?x=a+b&y=%2f", "/a?x=?", "/a??", "/%2e", "/a%00b",
)  # fmt: skip


def rewriting(old: str, new: str, *, telling: bool) -> Wrap:
    """Stand for a proxy that rewrites paths, and a server that tells the rewritten one or none."""

    def wrap(app: WSGIApplication) -> WSGIApplication:
        def rewrite(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
            environ["PATH_INFO"] = new + environ["PATH_INFO"].removeprefix(old)
            for name in ("REQUEST_URI", "RAW_URI"):
                if telling:
                    environ[name] = new + environ[name].removeprefix(old)
                else:
                    del environ[name]
            return app(environ, start_response)

        return rewrite

    return wrap


def mounted(app: WSGIApplication) -> WSGIApplication:
    def elsewhere(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("404 Not Found", [("content-length", "0")])
        return []

    return DispatcherMiddleware(elsewhere, {"/wallet": app})


# How the app is reached, what the caller calls, and the public prefix that must be set for it.
PROXIES: dict[str, tuple[Wrap, str, str | None]] = {
    "none": (lambda app: app, PREFIX, None),
    "mounted": (mounted, f"/wallet{PREFIX}", f"/wallet{PREFIX}"),
    "stripping": (rewriting("/pay", "", telling=True), f"/pay{PREFIX}", f"/pay{PREFIX}"),
    "stripping-untold": (rewriting("/pay", "", telling=False), f"/pay{PREFIX}", f"/pay{PREFIX}"),
    "adding": (rewriting("/otp", PREFIX, telling=True), "/otp", "/otp"),
    "adding-untold": (rewriting("/otp", PREFIX, telling=False), "/otp", "/otp"),
    "fixed": (lambda app: ProxyFix(app, 1, 1, 1, 1, 1), PREFIX, None),
    "fixed-and-mounted": (
        lambda app: ProxyFix(mounted(app), 1, 1, 1, 1, 0),
        f"/wallet{PREFIX}",
        f"/wallet{PREFIX}",
    ),
}


def caller_behind(name: str) -> tuple[Wallet, AlipayPlusCaller]:
    wrap, called, public = PROXIES[name]
    wallet = open_host(OTP_MPP_ALIPAYPLUS_PUBLIC_PREFIX=public)
    caller = wallet.calling(over_wsgi(wrap(wallet.app)), prefix=called, server_keys=SERVER_KEYS)
    return wallet, caller


@pytest.mark.parametrize("name", PROXIES)
def test_both_operations_work_behind_a_proxy(name: str) -> None:
    """G11: and a path, a query or a body that was changed on the way is found out."""
    wallet, caller = caller_behind(name)
    request_id = caller.send("tok-ada").verify_request_id
    code = wallet.inbox.code
    assert sealed(caller.verify("tok-ada", request_id, wrong_code(code))) == "OTP_VERIFY_UNMATCHED"
    for tamper in ("path", "query", "body"):
        answer = caller.send("tok-bob", tamper=tamper)
        assert sealed(answer) == "INVALID_SIGNATURE", tamper
    assert sealed(caller.verify("tok-ada", request_id, code)) == "SUCCESS"
    assert len(wallet.inbox) == 1


@pytest.mark.parametrize("name", PROXIES)
def test_an_unknown_path_is_signed_as_it_was_called(name: str) -> None:
    """G9, G11: with its query string; and the prefix alone, with its slash and without."""
    _, caller = caller_behind(name)
    for path in ("/nothing", "/nothing?x=1&y=%2F", "/", "/a/b/", "//a", "/%C3%A4%20b"):
        assert sealed(caller.call(path, {})) == "NO_INTERFACE_DEF", path


@pytest.mark.parametrize("name", PROXIES)
def test_forged_headers_move_no_path(name: str) -> None:
    """G11: whoever believes X-Forwarded-Prefix, the signature does not."""
    wallet, caller = caller_behind(name)
    call, _ = caller.prepare("/sendOTP", request_fields())
    forged = replace(call, headers={**call.headers, **FORGED})
    assert sealed(caller.deliver(forged)) == "SUCCESS"
    odd, _ = caller.prepare("/nothing", {})
    forged = replace(odd, headers={**odd.headers, **FORGED})
    assert sealed(caller.deliver(forged)) == "NO_INTERFACE_DEF"
    assert len(wallet.inbox) == 1


def test_with_a_wrong_public_prefix_no_signature_matches() -> None:
    """G11: what is configured counts, so a signature for another path is one for another path."""
    wallet = open_host(OTP_MPP_ALIPAYPLUS_PUBLIC_PREFIX="/elsewhere")
    answer = wallet.send()
    assert (answer.code, answer.verified) == ("INVALID_SIGNATURE", False)
    assert len(wallet.inbox) == 0


def renamed(app: WSGIApplication) -> WSGIApplication:
    """Stand for a middleware that changes what is routed, and not what the server tells."""

    def rename(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        environ["PATH_INFO"] = PREFIX + environ["PATH_INFO"].lstrip("/").removeprefix("otp")
        return app(environ, start_response)

    return rename


@pytest.mark.parametrize(
    ("wrap", "public", "spelt"),
    [
        (mounted, f"/wallet{PREFIX}", f"/wallet/{PREFIX}"),
        (mounted, f"/wallet{PREFIX}", "/w%61llet/aps//api/v1/users"),
        (renamed, "/otp", "//otp"),
        (renamed, "/otp", "/%6ft%70"),
    ],
)
def test_a_public_prefix_is_signed_as_it_was_spelled(wrap: Wrap, public: str, spelt: str) -> None:
    """G11: slashes and escapes in it are the caller's, as long as the server tells them."""
    wallet = open_host(OTP_MPP_ALIPAYPLUS_PUBLIC_PREFIX=public)
    transport = raw(wrap(wallet.app))
    caller = wallet.calling(transport, prefix=spelt, server_keys=SERVER_KEYS)
    assert sealed(caller.send("tok-ada")) == "SUCCESS"
    assert sealed(caller.call("/nothing%2f?x=%41", {})) == "NO_INTERFACE_DEF"
    assert sealed(caller.send("tok-ada", tamper="path")) == "INVALID_SIGNATURE"


def test_odd_spellings_are_signed_as_they_came() -> None:
    """G11: encoding a decoded path anew would sign another one than the caller called."""
    wallet = open_host()
    with serving(wallet.app) as url:
        caller = wallet.calling(over_http(url), server_keys=SERVER_KEYS)
        for spelling in SPELLINGS:
            answer = caller.call(spelling, {})
            assert (answer.code, answer.verified) == ("NO_INTERFACE_DEF", True), spelling


def test_an_operation_under_an_odd_spelling_is_proven_by_that_spelling() -> None:
    """G2, G11: a server decodes the path before us, but what was signed is what was called."""
    wallet = open_host()
    body = request_fields()
    call, _ = wallet.caller.prepare("/send%4FTP", body)
    assert sealed(wallet.caller.deliver(replace(call, uri=f"{PREFIX}/sendOTP"))) == (
        "INVALID_SIGNATURE"
    )
    assert len(wallet.inbox) == 0
    assert sealed(wallet.caller.deliver(call)) == "SUCCESS"
