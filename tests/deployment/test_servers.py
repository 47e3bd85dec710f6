"""Under each supported WSGI server the answers are right, down to the bytes on the wire."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest

from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer
from flask_otp_mpp.callers.transport import Call, Response
from tests.codes import wrong_code
from tests.deployment.processes import MODULE, Deployed, deployed, gunicorn
from tests.deployment.wire import chunked_bytes, request_bytes, talk
from tests.servers import free_port
from tests.wallet import request_fields

pytestmark = pytest.mark.slow

OURS = {
    "content-type", "content-length", "client-id", "response-time", "signature", "cache-control",
}  # fmt: skip
SERVERS: dict[str, Callable[[int], list[str]]] = {
    "gunicorn-sync": lambda port: gunicorn(port, "-k", "sync", "-w", "2"),
    "gunicorn-gthread": lambda port: gunicorn(port, "-k", "gthread", "-w", "2", "--threads", "4"),
    "gunicorn-gevent": lambda port: gunicorn(port, "-k", "gevent", "-w", "2"),
    "waitress": lambda port: [
        sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", "--threads=4", MODULE,
    ],
    "granian": lambda port: [
        sys.executable, "-m", "granian", "--interface=wsgi", "--host=127.0.0.1", f"--port={port}",
        "--workers=2", "--blocking-threads=4", "--log-level=warning",
        "--workers-kill-timeout=1", MODULE,
    ],
}  # fmt: skip
KEEPS_ALIVE = {"gunicorn-gthread", "gunicorn-gevent", "waitress", "granian"}
TELLS_RAW_URI = set(SERVERS) - {"granian"}
_users = count()


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """Start each server once."""
    name, port = str(request.param), free_port()
    with deployed(tmp_path_factory.mktemp(name), SERVERS[name](port), port) as running:
        running.name = name
        yield running


def someone() -> str:
    """Name a user who has no cool-down yet."""
    return f"u{next(_users)}"


def prepared(server: Deployed, user: str, path: str = "/sendOTP") -> Call:
    caller = server.caller()
    return caller.prepare(path, request_fields(f"tok-{user}"))[0]


def read(server: Deployed, call: Call, response: Response) -> AlipayPlusAnswer:
    """Check what came over the wire as the caller would."""
    return server.caller(lambda _: response).deliver(call)


def sealed(answer: AlipayPlusAnswer) -> str:
    """Return the code of an answer that is HTTP 200, signed, and has no header of a browser's."""
    assert (answer.response.status, answer.verified) == (200, True), answer.response
    names = [name.lower() for name, _ in answer.response.headers]
    assert set(names) >= OURS
    assert set(names) - OURS <= {"date", "server", "connection", "via", "keep-alive"}
    assert len(names) == len(set(names))
    return answer.code


def test_a_code_is_sent_tried_used_and_used_up(server: Deployed) -> None:
    """F9, L5: send, wrong, right, right once more; whichever worker gets which."""
    caller, user = server.caller(), someone()
    sent = caller.send(f"tok-{user}")
    assert sealed(sent) == "SUCCESS"
    (code,) = server.outbox(user)
    wrong = wrong_code(code)
    tries = [
        caller.verify(f"tok-{user}", sent.verify_request_id, tried) for tried in (wrong, code, code)
    ]
    assert [sealed(answer) for answer in tries] == [
        "OTP_VERIFY_UNMATCHED",
        "SUCCESS",
        "VERIFY_REQUEST_ID_INVALID",
    ]


def test_forged_and_lost_requests_are_answered_signed(server: Deployed) -> None:
    """F9, G9: what is not the caller's, and what names no API."""
    caller, user = server.caller(), someone()
    assert sealed(caller.send(f"tok-{user}", tamper="body")) == "INVALID_SIGNATURE"
    assert sealed(caller.send(f"tok-{user}", tamper="query")) == "INVALID_SIGNATURE"
    for path in ("/nothing", "", "/", "//sendOTP", "/a/b?x=%2F&y=a+b", "/%C3%A4"):
        assert sealed(caller.call(path, {})) == "NO_INTERFACE_DEF", path
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "BREW"):
        answer = caller.call("/sendOTP", {}, method=method)
        assert sealed(answer) == "METHOD_NOT_SUPPORTED", method
    assert server.outbox(user) == []


def test_header_names_leave_in_lower_case(server: Deployed) -> None:
    """F10, F9: as they were sealed, but for waitress, which writes names its own way."""
    names = {name for name, _ in server.caller().call("/nothing", {}).response.headers}
    ours = {name.title() for name in OURS} if server.name == "waitress" else OURS
    assert names >= ours


def test_head_has_headers_and_no_body(server: Deployed) -> None:
    """G2, G9: the length is that of the body that is left out."""
    seen = server.caller().call("/sendOTP", {}, method="GET").response
    answer = server.caller().call("/sendOTP", {}, method="HEAD")
    assert answer.response.body == b""
    headers = {name.lower(): value for name, value in answer.response.headers}
    assert headers["content-length"] == str(len(seen.body))
    full = replace(answer.response, body=seen.body)
    assert sealed(read(server, answer.call, full)) == "METHOD_NOT_SUPPORTED"


def test_an_odd_spelling_is_signed_as_it_came(server: Deployed) -> None:
    """G11: where the server tells it; where it does not, the usual spelling is signed."""
    for path in ("/%7Enothing", "/a%2fb", "/a?", "/%e4", "/[]"):
        answer = server.caller().call(path, {})
        while answer.response.status == 429:  # not proven here, so few such answers are signed
            time.sleep(0.5)
            answer = server.caller().call(path, {})
        assert answer.code == "NO_INTERFACE_DEF"
        assert answer.verified is (server.name in TELLS_RAW_URI), path


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Client-Id", "INVALID_CLIENT"),
        ("Signature", "INVALID_SIGNATURE"),
        ("Request-Time", "INVALID_SIGNATURE"),
    ],
)
@pytest.mark.parametrize("other", [True, False], ids=["another-value", "the-same-value"])
def test_a_repeated_header_is_refused(
    server: Deployed, name: str, code: str, *, other: bool
) -> None:
    """G5: no server lets one of the two pass for both."""
    user = someone()
    call = prepared(server, user)
    value = "another" if other else call.headers[name.lower()]
    (response,) = talk(server.port, request_bytes(call, (name, value)))
    if name == "Client-Id":  # which of the two it answers is not said
        call = replace(call, headers={**call.headers, "client-id": ""})
    assert sealed(read(server, call, response)) == code
    assert server.outbox(user) == []


def test_a_chunked_body_is_read_like_any_other(server: Deployed) -> None:
    """F9: a body without a length is proven and worked on."""
    user = someone()
    call = prepared(server, user)
    (response,) = talk(server.port, chunked_bytes(call, [1, 20, 7]))
    assert sealed(read(server, call, response)) == "SUCCESS"
    assert len(server.outbox(user)) == 1


@pytest.mark.parametrize("chunked", [False, True], ids=["with-length", "chunked"])
@pytest.mark.parametrize("size", [16_385, 200_000])
def test_an_oversize_body_is_refused(server: Deployed, size: int, *, chunked: bool) -> None:
    """F7: whether its length is told or found out."""
    user = someone()
    call = prepared(server, user)
    body = call.body + b" " * (size - len(call.body))
    call = replace(call, body=body)
    data = chunked_bytes(call, [4096] * (size // 4096)) if chunked else request_bytes(call)
    (response,) = talk(server.port, data)
    assert sealed(read(server, call, response)) == "PARAM_ILLEGAL"
    assert json.loads(response.body)["result"]["resultMessage"].endswith(
        " body: is longer than is read here."
    )
    assert server.outbox(user) == []


def test_nothing_can_be_added_to_a_body_that_was_signed(server: Deployed) -> None:
    """G2, F7: not even behind the last byte that is read of a body without a length."""
    user, caller = someone(), server.caller()
    body = json.dumps(request_fields(f"tok-{user}")).encode().ljust(16_384)
    call, _ = caller.prepare("/sendOTP", body)
    longer = replace(call, body=body + b"more")
    (response,) = talk(server.port, chunked_bytes(longer, [4096] * 4))
    assert sealed(read(server, call, response)) == "PARAM_ILLEGAL"
    assert server.outbox(user) == []
    (response,) = talk(server.port, chunked_bytes(call, [4096] * 3))
    assert sealed(read(server, call, response)) == "SUCCESS"


def test_requests_that_come_in_one_go_are_answered_in_order(server: Deployed) -> None:
    """F9: on a connection that is kept alive; a server that keeps none answers the first."""
    users = [someone() for _ in range(3)]
    calls = [prepared(server, user) for user in users]
    data = b"".join(
        request_bytes(call, close=place == len(calls)) for place, call in enumerate(calls, 1)
    )
    responses = talk(server.port, data)
    assert len(responses) == (len(calls) if server.name in KEEPS_ALIVE else 1)
    for call, user, response in zip(calls, users, responses, strict=False):
        assert sealed(read(server, call, response)) == "SUCCESS"
        assert len(server.outbox(user)) == 1
