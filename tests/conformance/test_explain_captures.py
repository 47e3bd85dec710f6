"""What is read from captures that are not as they should be, and what is said of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from flask_otp_mpp.conformance.explain import (
    Captured,
    Direction,
    Parts,
    Unreadable,
    read_capture,
    with_parts,
)
from tests.conformance.exchanges import (
    BODY,
    CAPTURES,
    CLIENT,
    HOST,
    RIGHT,
    RIGHT_ANSWER,
    TIME,
    URI,
    Exchange,
    as_curl,
    as_har,
    as_raw,
    explained,
    header,
    ids,
    of_answer,
    sign,
)

EXCHANGE = Exchange(
    signature=header(sign(RIGHT)), answer_signature=header(sign(RIGHT_ANSWER, "mpp"))
)


@pytest.mark.parametrize("kind", CAPTURES)
def test_each_kind_of_capture_says_the_same(kind: str) -> None:
    captured = CAPTURES[kind](EXCHANGE)
    assert captured.request is not None
    assert captured.answer is not None
    assert (captured.method, captured.uri, captured.client, captured.time) == (
        *("POST", URI, CLIENT),
        TIME,
    )
    assert captured.request.body == BODY
    assert captured.answer.body == EXCHANGE.answer
    assert captured.origin.removeprefix("https://") == HOST


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\r\n", b"\n"),
        lambda data: b"\xef\xbb\xbf\r\n" + data,
        lambda data: data.replace(b"Content-Length", b"X").replace(b"HTTP/1.1 2", b"\nHTTP/1.1 2"),
        lambda data: data.replace(b"Signature: ", b"SIGNATURE:"),
        lambda data: data.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nX-Empty:\r\n", 1),
    ],
    ids=["LF", "BOM", "no length", "names in upper case", "an empty header"],
)
def test_a_raw_message_is_read_as_tools_save_it(change: Callable[[bytes], bytes]) -> None:
    captured = read_capture(change(as_raw(EXCHANGE)))
    assert explained(captured).verified
    assert explained(of_answer(captured)).verified


def test_chunks_of_a_body_are_joined() -> None:
    chunked = b"%x\r\n%s\r\n%x;ext\r\n%s\r\n0\r\n\r\n" % (30, BODY[:30], len(BODY) - 30, BODY[30:])
    head = as_raw(EXCHANGE).partition(b"Content-Length")[0]
    captured = read_capture(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked)
    assert explained(captured).verified


@pytest.mark.parametrize(
    "change",
    [lambda data: data.replace(b"\n", b"\r\n"), lambda data: data[:-3]],
    ids=["longer", "shorter"],
)
def test_a_body_of_another_length_than_its_header_says_is_told(
    change: Callable[[bytes], bytes],
) -> None:
    """An editor has changed it; what was sent is not known."""
    head = as_raw(EXCHANGE).partition(BODY)[0]
    captured = read_capture(head + change(BODY))
    assert f"Content-Length says {len(BODY)}" in captured.notes[0]


def test_a_line_end_behind_a_body_without_a_length_is_the_files() -> None:
    head = as_raw(EXCHANGE).partition(b"Content-Length")[0]
    captured = read_capture(head + b"\r\n" + BODY + b"\n")
    assert explained(captured).verified
    assert "no Content-Length" in explained(captured).notes[0]


def test_an_answer_alone_needs_the_uri_of_its_request() -> None:
    """It signs it too, and the method."""
    captured = read_capture(b"HTTP/1.1 200" + as_raw(EXCHANGE).partition(b"HTTP/1.1 200")[2])
    assert captured.direction is Direction.ANSWER
    with pytest.raises(Unreadable, match="give --uri"):
        explained(captured)
    assert explained(with_parts(captured, Parts(uri=URI))).verified
    assert ids(explained(with_parts(captured, Parts(uri=URI, method="PUT")))) == ["method"]


def test_curl_does_not_print_the_body_of_a_request() -> None:
    """It is given beside it; the answer's is there."""
    printed = as_curl(EXCHANGE).partition(b"* Trying")[2]
    captured = read_capture(b"* Trying" + printed)
    with pytest.raises(Unreadable, match="give --body @FILE"):
        explained(captured)
    assert explained(with_parts(captured, Parts(body=BODY))).verified
    assert explained(of_answer(captured)).verified


def test_a_body_that_curl_read_from_a_file_must_be_given() -> None:
    command = f"curl -v https://{HOST}{URI} -d @body.json\n".encode()
    captured = read_capture(command + b"* Trying" + as_curl(EXCHANGE).partition(b"* Trying")[2])
    with pytest.raises(Unreadable, match="give --body @FILE"):
        explained(captured)


def test_the_last_exchange_of_curl_is_read() -> None:
    """After a redirect, and after 100 Continue."""
    first = b"> GET /old HTTP/1.1\n> Host: x\n> \n< HTTP/1.1 302 Found\n< location: /new\n< \n"
    printed = as_curl(EXCHANGE).replace(
        b"< HTTP/1.1 200 OK", b"< HTTP/1.1 100 Continue\n< \n< HTTP/1.1 200 OK"
    )
    captured = with_parts(read_capture(first + printed), Parts(body=BODY))
    assert captured.uri == URI
    assert explained(captured).verified
    assert explained(of_answer(captured)).verified


def test_what_powershell_redirects_is_read() -> None:
    """It writes UTF-16."""
    printed = as_curl(EXCHANGE).decode().encode("utf-16")
    assert explained(read_capture(printed)).verified


def test_an_entry_of_a_har_file_is_chosen() -> None:
    """The signed one, unless there are several."""
    assert explained(read_capture(as_har(EXCHANGE), 2)).verified
    value = json.loads(as_har(EXCHANGE))
    value["log"]["entries"] *= 2
    several = json.dumps(value).encode()
    assert explained(read_capture(several, 5)).verified
    with pytest.raises(Unreadable, match="entries 2, 5 of the HAR are signed; choose --entry"):
        read_capture(several)
    with pytest.raises(Unreadable, match="the HAR has 6 entries, from 1"):
        read_capture(several, 7)
    del value["log"]["entries"][1::3]
    with pytest.raises(Unreadable, match="no entry of the HAR has a Signature header"):
        read_capture(json.dumps(value).encode())


def test_a_body_in_base64_of_a_har_file_is_decoded() -> None:
    value = json.loads(as_har(EXCHANGE))
    posted = value["log"]["entries"][1]["request"]["postData"]
    posted |= {"text": base64.b64encode(BODY).decode(), "encoding": "base64"}
    assert explained(read_capture(json.dumps(value).encode())).verified
    posted["text"] = "not base64!"
    with pytest.raises(Unreadable, match="said to be base64, and is not"):
        read_capture(json.dumps(value).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Dear support, our signature 5281 is refused.",
        b"{}",
        b'{"log": {"entries": [{"request": 5281}]}}',
        b'{"log": {"entries": 5281}}',
        b"> 5281",
        b"POST /path HTTP/1.1\r\nno header 5281\r\n\r\n",
        bytes(range(256)),
    ],
)
def test_what_is_no_capture_is_refused_without_being_repeated(data: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        explained(read_capture(data))
    assert "5281" not in str(refused.value)
    assert len(str(refused.value)) > 20


def test_parts_replace_what_a_capture_says() -> None:
    captured = read_capture(as_raw(Exchange(signature="broken")))
    right = Parts(signature=EXCHANGE.signature)
    assert ids(explained(captured)) == ["signature-unreadable"]
    assert explained(with_parts(captured, right)).verified
    other = Parts(signature=EXCHANGE.signature, client=CLIENT.lower())
    assert ids(explained(with_parts(captured, other))) == ["client-other-header"]


def test_nothing_is_explained_of_a_message_that_is_not_there() -> None:
    captured = Captured("POST", URI, None, None)
    with pytest.raises(Unreadable, match="holds no request"):
        explained(captured)
    with pytest.raises(Unreadable, match="holds no answer"):
        with_parts(captured, Parts(direction=Direction.ANSWER))
