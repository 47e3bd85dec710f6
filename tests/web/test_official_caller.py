"""Requests and answers in the form of the official Python SDK."""

from __future__ import annotations

import base64
import http.client
import json
from datetime import UTC, datetime
from urllib.parse import unquote_plus, urlsplit

from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import LocalSigner
from tests.servers import serving
from tests.wallet import ACQUIRER, CLIENT, PSP, Wallet, key

PATH = "/aps/api/v1/users/sendOTP"


def call_like_the_sdk(url: str, body: bytes, time: str) -> tuple[dict[str, str], bytes]:
    """Send as the SDK does; return the headers with their names exactly as they came."""
    signed = rsa256.canonical("POST", PATH, CLIENT, time, body)
    headers = {
        "Accept": "text/plain,text/xml,text/javascript,text/html",
        "Cache-Control": "no-cache",
        "Connection": "Keep-Alive",
        "Content-Type": "application/json; charset=UTF-8",
        "User-Agent": "global-alipay-sdk-python",
        "client-id": CLIENT,
        "Request-Time": time,
        "Signature": rsa256.signature_header(LocalSigner("1", key("alipay+")), signed),
        "Agent-Token": "",
    }
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("POST", PATH, body, headers)
        response = connection.getresponse()
        assert response.status == 200
        return dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_the_sdk_is_understood_and_can_read_the_answers(wallet: Wallet) -> None:
    """G6, G9: body indented by 3, lower-case client-id, an Accept without JSON."""
    payload = {"acquirerId": ACQUIRER, "pspId": PSP, "accessToken": "tok-ada"}
    body = json.dumps(payload, indent=3).encode()
    wallet.clock.now = datetime.now(UTC)
    with serving(wallet.app) as url:
        headers, answer = call_like_the_sdk(
            url, body, wallet.clock.now.isoformat(timespec="seconds")
        )
    # The SDK compares names case-sensitively; the signature is the third item, with one "=" in it.
    time, signature = headers["response-time"], headers["signature"]
    third = signature.split(",")[2]
    assert third.count("=") == 1
    name, value = third.split("=")
    assert name == "signature"
    raw = base64.b64decode(unquote_plus(value))
    signed = rsa256.canonical("POST", PATH, headers["client-id"], time, answer)
    assert rsa256.holds(wallet.state.public_keys["1"], raw, signed)
    assert json.loads(answer)["result"]["resultCode"] == "SUCCESS"
    assert len(wallet.inbox) == 1


def test_epoch_milliseconds_are_a_request_time_too(wallet: Wallet) -> None:
    """G7: the older form of the header."""
    payload = {"acquirerId": ACQUIRER, "pspId": PSP, "accessToken": "tok-ada"}
    wallet.clock.now = datetime.now(UTC)
    with serving(wallet.app) as url:
        milliseconds = str(int(wallet.clock.now.timestamp() * 1000))
        _, answer = call_like_the_sdk(url, json.dumps(payload).encode(), milliseconds)
    assert json.loads(answer)["result"]["resultCode"] == "SUCCESS"
