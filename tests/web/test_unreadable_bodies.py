"""A body that can't be read is the caller's fault, and its traffic is counted all the same."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_otp_mpp.callers.transport import Response
from tests.wallet import Wallet, request_fields

MakeWallet = Callable[..., Wallet]
LIMITED = "REQUEST_TRAFFIC_EXCEED_LIMIT"
BARE = "429 without a body"


class ServerFault(Exception):
    """Stand for an exception of a server's own, which is no OSError."""


class Unusual(BaseException):
    """Stand for a ``gevent.Timeout`` that a host has set for slow callers."""


class Broken(io.RawIOBase):
    """A body that ends by an exception; counts how often it is read."""

    def __init__(self, fault: BaseException) -> None:
        self.fault = fault
        self.reads = 0

    def readable(self) -> bool:
        return True

    def read(self, _size: int = -1) -> bytes:
        self.reads += 1
        raise self.fault

    def readinto(self, _buffer: Any) -> int:
        self.reads += 1
        raise self.fault


def deliver(wallet: Wallet, body: Broken, method: str = "POST", path: str = "/sendOTP") -> str:
    """Deliver a request with this body, as a server without a length does; return its code."""
    call, _ = wallet.caller.prepare(path, request_fields(), method=method)
    environ = EnvironBuilder(call.uri, method=method, headers=Headers(call.headers)).get_environ()
    environ |= {"wsgi.input": body, "wsgi.input_terminated": True}
    environ.pop("CONTENT_LENGTH", None)
    chunks, status, headers = run_wsgi_app(wallet.app, environ, buffered=True)
    response = Response(int(status.split()[0]), tuple(headers.items()), b"".join(chunks))
    if response.status == 429:
        assert response.body == b""
        return BARE
    answer = wallet.calling(lambda _: response).deliver(call)
    assert answer.verified
    return answer.code


@pytest.mark.parametrize(
    "fault",
    [
        OSError("a bad chunk"),
        ValueError("a bad size"),
        ServerFault("a bad trailer"),
        Unusual("slow"),
    ],
)
def test_it_is_a_fault_of_the_caller_and_one_line_in_the_log(
    fault: BaseException, wallet: Wallet, caplog: pytest.LogCaptureFixture
) -> None:
    """X1: whatever type of exception the server has for it; no traceback."""
    caplog.set_level(logging.INFO)
    assert deliver(wallet, Broken(fault)) == "PARAM_ILLEGAL"
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("alipayplus -: PARAM_ILLEGAL (BODY_UNREADABLE) ms: total ")
    assert caplog.records[0].exc_info is None


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_the_process_is_not_taken_for_a_bad_body(
    end: type[BaseException], wallet: Wallet
) -> None:
    """X1: a worker that is told to stop stops."""
    with pytest.raises(end):
        deliver(wallet, Broken(end()))


def test_a_storage_of_limits_that_times_out_unusually_is_answered(
    wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G9: the caller is told, signed, and the body was read to prove who it is."""

    def time_out(*_: object) -> None:
        raise Unusual

    monkeypatch.setattr(wallet.state.traffic, "check_address", time_out)
    answer = wallet.send()
    assert (answer.code, answer.verified) == ("UNKNOWN_EXCEPTION", True)
    assert len(wallet.inbox) == 0


def test_above_the_limit_of_the_address_no_body_is_read(make_wallet: MakeWallet) -> None:
    """X1, R4: the count comes first."""
    wallet = make_wallet(OTP_MPP_ADDRESS_LIMIT="2 per hour")
    bodies = [Broken(OSError()) for _ in range(5)]
    codes = [deliver(wallet, body) for body in bodies]
    assert codes == ["PARAM_ILLEGAL"] * 2 + [LIMITED] * 3
    assert [bool(body.reads) for body in bodies] == [True, True, False, False, False]


@pytest.mark.parametrize(("method", "path"), [("BREW", "/sendOTP"), ("POST", ""), ("POST", "//x")])
def test_what_flask_would_redirect_or_does_not_know_counts_as_well(
    method: str, path: str, make_wallet: MakeWallet
) -> None:
    """X1: where it reaches no view, too."""
    wallet = make_wallet(OTP_MPP_ADDRESS_LIMIT="2 per hour")
    bodies = [Broken(OSError()) for _ in range(4)]
    codes = [deliver(wallet, body, method, path) for body in bodies]
    assert codes == ["PARAM_ILLEGAL"] * 2 + [BARE] * 2
    assert [bool(body.reads) for body in bodies] == [True, True, False, False]


def test_a_path_of_the_host_is_not_counted(make_wallet: MakeWallet) -> None:
    """X1, F3: only what is below the prefix is."""

    def page(app: Flask) -> None:
        app.add_url_rule("/page", "page", lambda: "page")

    wallet = make_wallet(OTP_MPP_ADDRESS_LIMIT="1 per hour", finish=page)
    assert {wallet.app.test_client().get("/page").text for _ in range(3)} == {"page"}
    assert wallet.send().code == "SUCCESS"
