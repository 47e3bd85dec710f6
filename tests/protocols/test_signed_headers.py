"""A caller is let in by its signature, checked in one order, and every answer is signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from flask_otp_mpp.core.clock import replay_memory
from flask_otp_mpp.core.reasons import Outcome, Reason
from flask_otp_mpp.protocols.alipay.codes import row
from flask_otp_mpp.protocols.alipay.signed_headers import parse_time
from flask_otp_mpp.protocols.values import Inbound, Outbound, RequestContext
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.rsa256 import SignatureHeader
from flask_otp_mpp.testing import FrozenClock
from tests.protocols.caller import (
    CLIENT,
    CLOCK,
    FRESHNESS,
    inbound,
    refusal,
    signed_headers,
)
from tests.vectors import VECTORS, public_key

ROW = row("CODE", "What it says.")
BODY = b'{"result":{"resultCode":"CODE","resultStatus":"F","resultMessage":"What it says."}}'
STALE = "2020-01-01T00:00:00Z"


def reason(request: Inbound) -> Reason:
    return refusal(signed_headers().open, request).reason


def test_a_signed_request_is_let_in_under_the_name_of_its_client() -> None:
    assert signed_headers().open(inbound()).client == CLIENT
    assert signed_headers().open(inbound(client="OTHER", key="unrelated")).client == "OTHER"


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"method"}, Reason.METHOD_UNSUPPORTED),
        ({"type"}, Reason.MEDIA_TYPE_UNSUPPORTED),
        ({"client"}, Reason.CLIENT_UNKNOWN),
        ({"key"}, Reason.KEY_UNKNOWN),
        ({"signature"}, Reason.SIGNATURE_INVALID),
        ({"stale"}, Reason.REQUEST_STALE),
    ],
)
def test_the_first_check_that_fails_is_the_one_that_answers(
    faults: set[str], expected: Reason
) -> None:
    """G1: an unsigned stale request is told about its signature, and so on along the order."""
    order = ["method", "type", "client", "key", "signature", "stale"]
    later = set(order[order.index(next(iter(faults))) :])
    for chosen in (faults, later):
        request = inbound(
            b"not JSON",
            method="PUT" if "method" in chosen else "POST",
            time=STALE if "stale" in chosen else CLOCK.now.isoformat(),
            key="unrelated" if "signature" in chosen else "alipayplus",
            version="9" if "key" in chosen else "1",
            client="NOBODY" if "client" in chosen else CLIENT,
            headers={"content-type": "text/plain"} if "type" in chosen else None,
        )
        assert reason(request) is expected


def test_a_body_is_not_read_before_its_signature_holds() -> None:
    """G1: bad JSON with a bad signature is a bad signature; with a good one it is let in."""
    assert reason(inbound(b"{", key="unrelated")) is Reason.SIGNATURE_INVALID
    assert signed_headers().open(inbound(b"{")).client == CLIENT


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"client-id": None}, Reason.CLIENT_UNKNOWN),
        ({"client-id": ""}, Reason.CLIENT_UNKNOWN),
        ({"client-id": f"{CLIENT},{CLIENT}"}, Reason.CLIENT_UNKNOWN),
        ({"client-id": f"{CLIENT}, {CLIENT}"}, Reason.CLIENT_UNKNOWN),
        ({"client-id": CLIENT + "é"}, Reason.CLIENT_UNKNOWN),
        ({"client-id": "C" * 129}, Reason.CLIENT_UNKNOWN),
        ({"client-id": "OTHER"}, Reason.SIGNATURE_INVALID),
        ({"signature": None}, Reason.SIGNATURE_INVALID),
        ({"signature": ""}, Reason.SIGNATURE_INVALID),
        ({"signature": "testing_signature"}, Reason.SIGNATURE_INVALID),
        (
            {"signature": "algorithm=RSA256,keyVersion=1,signature=testing_signature"},
            Reason.SIGNATURE_INVALID,
        ),
        ({"request-time": None}, Reason.SIGNATURE_INVALID),
        ({"request-time": STALE}, Reason.SIGNATURE_INVALID),
    ],
)
def test_a_header_that_is_missing_or_changed_lets_nobody_in(
    headers: Mapping[str, str | None], expected: Reason
) -> None:
    """G2, G3, G5: the client is judged first, then its key, then its signature."""
    assert reason(inbound(headers=headers)) is expected


@pytest.mark.parametrize("name", ["signature", "client-id", "request-time"])
@pytest.mark.parametrize("comma", [",", ", "])
def test_a_header_that_is_repeated_lets_nobody_in(name: str, comma: str) -> None:
    """G5: WSGI joins repeated headers with a comma, even when both say the same."""
    once = inbound()
    twice = comma.join([once.headers[name]] * 2)
    refused = reason(replace(once, headers={**once.headers, name: twice}))
    expected = Reason.CLIENT_UNKNOWN if name == "client-id" else Reason.SIGNATURE_INVALID
    assert refused is expected


def test_a_time_that_was_signed_twice_is_no_time() -> None:
    """G5: a caller that signs the joined header is told so."""
    assert reason(inbound(time=f"{CLOCK.now.isoformat()},{STALE}")) is Reason.REQUEST_STALE


def test_an_unknown_client_is_told_so_before_its_malformed_signature() -> None:
    request = inbound(client="NOBODY", headers={"signature": "rubbish"})
    assert reason(request) is Reason.CLIENT_UNKNOWN


def test_a_malformed_signature_names_its_rule() -> None:
    refused = refusal(signed_headers().open, inbound(headers={"signature": "rubbish"}))
    assert refused.detail.startswith(
        "Signature header: must hold algorithm, keyVersion and signature"
    )
    assert "rubbish" not in refused.detail


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        "application/json",
        " application/json ",
        "application/json;charset=UTF-8",
        "application/json; charset=utf-8",
        'Application/JSON ; Charset="UTF-8"',
        "application/json;",
        "application/json; charset=UTF-8;",
        "application/json; charset=utf8",
        "application/json;\tcharset=utf-8",
        "\tapplication/json\t",
        "application/json; version=1",
        'application/json; profile="a,b;c"; charset=utf-8',
        "application/json,application/json",
        "application/json; charset=UTF-8, application/json; charset=UTF-8",
    ],
)
def test_json_is_json_however_it_is_announced(media_type: str | None) -> None:
    """G7: a media type is read by RFC 9110; a server has joined it if it came twice."""
    assert signed_headers().open(inbound(headers={"content-type": media_type})).client == CLIENT


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/json; charset=latin-1",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "application/json, text/plain",
        "text/plain, application/json",
        "application/json; charset=UTF-8, application/json; charset=latin-1",
        "application/json; charset=none",
        "application/json; charset=utf-16",
        "application/problem+json",
        "json",
        ";",
        "application/json;" + " " * 300,
    ],
)
def test_what_is_not_json_in_utf_8_is_not_read(media_type: str) -> None:
    refused = reason(inbound(headers={"content-type": media_type}))
    assert refused is Reason.MEDIA_TYPE_UNSUPPORTED


def test_what_the_official_client_sends_beside_is_of_no_account() -> None:
    """Its Accept header names everything but JSON."""
    extra = {
        "accept": "text/plain,text/xml,text/javascript,text/html",
        "agent-token": "x",
        "tracerid": "y",
        "user-agent": "global-open-sdk",
    }
    assert signed_headers().open(inbound(headers=extra)).client == CLIENT


def test_equal_requests_have_one_key_and_others_another() -> None:
    """S10: a repeat is what was signed for the same time, byte for byte, and nothing else."""
    later = CLOCK.now.replace(second=1).isoformat()
    requests: list[dict[str, Any]] = [
        {},
        {"payload": {"a": "c"}},
        {"path": "/verifyOTP"},
        {"time": later},
        {"client": "OTHER", "key": "unrelated"},
    ]
    keys = [signed_headers().open(inbound(**request)).request for request in requests]
    again = [signed_headers().open(inbound(**request)).request for request in requests]
    assert keys == again
    assert len({key.value for key in keys}) == len(requests)
    for key in keys:
        assert len(key.value) == 64
        assert key.ttl == replay_memory(FRESHNESS)
    assert max(keys, key=lambda key: key.value) == keys[3]  # so that databases add in one place


def answer(request: Inbound, reason: Reason | None = None) -> Outbound:
    return signed_headers().answer(RequestContext(request), Outcome(reason=reason), ROW)


def test_an_answer_is_sealed_for_the_fussiest_client() -> None:
    """G9: lower-case names, the client's name back, the time to the second with its offset."""
    sealed = answer(inbound())
    headers = dict(sealed.headers)
    assert list(headers) == [name.lower() for name in headers]
    assert len(headers) == len(sealed.headers)
    signature = headers.pop("signature")
    assert headers == {
        "content-type": "application/json; charset=UTF-8",
        "content-length": str(len(BODY)),
        "client-id": CLIENT,
        "response-time": "2026-01-01T00:00:00+00:00",
        "cache-control": "no-store",
    }
    assert (sealed.status, sealed.body) == (200, BODY)
    assert signature.startswith("algorithm=RSA256,keyVersion=3,signature=")
    assert signature.split(",")[2].count("=") == 1
    data = b"POST /aps/api/v1/users/sendOTP\n" + (
        f"{CLIENT}.{headers['response-time']}.".encode() + sealed.body
    )
    parsed = SignatureHeader.parse(signature)
    assert rsa256.holds(public_key("mpp"), parsed.signature, data)


@pytest.mark.parametrize("client", [None, "a,b", "a\r\nset-cookie: b", "", "NOBODY"])
def test_an_answer_to_nobody_is_signed_as_well(client: str | None) -> None:
    """G9, X2: a client that is missing, malformed or not registered is not echoed into a header."""
    request = replace(inbound(headers={"client-id": client}), method="GET", uri="/x?y=z")
    sealed = answer(request, Reason.CLIENT_UNKNOWN)
    headers = dict(sealed.headers)
    assert headers["client-id"] == ""
    data = b"GET /x?y=z\n." + headers["response-time"].encode() + b"." + sealed.body
    signature = SignatureHeader.parse(headers["signature"]).signature
    assert rsa256.holds(public_key("mpp"), signature, data)


def test_the_requests_of_the_official_sdk_are_let_in_at_their_time() -> None:
    """The vectors, as whole requests, in every form that a caller writes its time in."""
    valid = [v for v in VECTORS if v.name.startswith("req_") and "keyVersion=1" in v.header]
    for found in valid:
        headers = {
            "client-id": found.client,
            "request-time": found.time,
            "signature": found.header,
        }
        request = Inbound(found.method, found.uri, "/", headers, found.body)
        moment = parse_time(found.time)
        assert moment is not None
        opened = signed_headers(FrozenClock(moment)).open(request)
        assert opened.client == found.client == CLIENT
        assert reason(request) is Reason.REQUEST_STALE
    assert len(valid) == 8
