"""The wallet in Node.js does what the documents of Alipay+ require.

The client here is written from the documents too: it uses `cryptography` alone, and nothing of the
package.
"""

from __future__ import annotations

import base64
import http.client
import json
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.codes import wrong_code
from tests.conformance.node_wallet import node_wallet
from tests.vectors import KEYS, RESULT_CODES, VECTORS, Vector, private_key, public_key

pytestmark = pytest.mark.server

CLIENT: Final = "SANDBOX_5Y00000000000000"  # of the vectors
OTHER_CLIENT: Final = "OTHER"
SEND: Final = "/aps/api/v1/users/sendOTP"
VERIFY: Final = "/aps/api/v1/users/verifyOTP"
SEEN_VECTORS: Final = [
    vector
    for vector in VECTORS
    if vector.name.startswith(("req_", "bad_", "enc_"))
    and vector.uri.startswith("/aps/")
    and vector.client == CLIENT
    and vector.verifier == "alipayplus"
    and vector.seen_method == "POST"
    and vector.expected is not None
]


@dataclass(frozen=True)
class Answer:
    """An answer, with all that its signature covers."""

    request_line: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def result(self) -> dict[str, str]:
        result: dict[str, str] = json.loads(self.body)["result"]
        return result

    @property
    def code(self) -> str:
        return self.result["resultCode"]

    def check_signature(self) -> None:
        """Verify it, reading the header as the official Java client does.

        :raises InvalidSignature: if it is not the wallet's.
        """
        algorithm, version, signature = self.headers["signature"].split(",")
        assert (algorithm, version) == ("algorithm=RSA256", "keyVersion=7")
        raw = base64.b64decode(urllib.parse.unquote(signature.removeprefix("signature=")))
        assert "." not in self.headers["client-id"]  # else the text could be read in two ways
        named = f"{self.headers['client-id']}.{self.headers['response-time']}."
        text = f"{self.request_line}\n{named}".encode() + self.body
        public_key("mpp").verify(raw, text, PKCS1v15(), SHA256())


@dataclass(frozen=True)
class Request:
    """A request that is signed when it is made, and can be changed afterwards."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"

    def changed(self, **headers: str | None) -> Request:
        """Return it with headers replaced (``Client_Id="..."``), or left out by None."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {**self.headers, **named}
        return replace(self, headers={k: v for k, v in kept.items() if v is not None})


def signed(
    path: str,
    body: bytes,
    *,
    client: str = CLIENT,
    time: str | None = None,
    key: str = "alipayplus",
) -> Request:
    time = datetime.now(UTC).isoformat() if time is None else time
    text = f"POST {path}\n{client}.{time}.".encode() + body
    raw = base64.b64encode(private_key(key).sign(text, PKCS1v15(), SHA256())).decode()
    signature = f"algorithm=RSA256, keyVersion=1, signature={urllib.parse.quote_plus(raw)}"
    headers = {"Client-Id": client, "Request-Time": time, "Signature": signature}
    return Request(path, body, {**headers, "Content-Type": "application/json; charset=UTF-8"})


def fields(user: str, **more: Any) -> dict[str, Any]:
    return {"acquirerId": "acquirer", "pspId": "psp", "accessToken": f"token-{user}", **more}


def send(user: str, **more: Any) -> Request:
    return signed(SEND, json.dumps(fields(user, **more)).encode())


def verify(user: str, request_id: str, code: str, **more: Any) -> Request:
    body = fields(user, verifyRequestId=request_id, otpCode=code, **more)
    return signed(VERIFY, json.dumps(body, indent=3).encode())


@dataclass(frozen=True)
class NodeWallet:
    """The running wallet; checks that each answer is HTTP 200 and signed."""

    url: str

    def call(self, request: Request) -> Answer:
        answer = self._call(request)
        answer.check_signature()
        return answer

    def inbox(self, user: str) -> list[dict[str, str]]:
        found = self._call(Request(f"/inbox?user={user}", b"", {}, "GET"))
        messages: list[dict[str, str]] = json.loads(found.body)["messages"]
        return messages

    def message(self, user: str) -> tuple[str, str]:
        """Send a code; return its verifyRequestId and the code."""
        assert self.call(send(user)).code == "SUCCESS"
        newest = self.inbox(user)[-1]
        return newest["id"], newest["code"]

    def _call(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=5)
        try:
            connection.request(request.method, request.path, request.body, dict(request.headers))
            response = connection.getresponse()
            assert response.status == 200
            line = f"{request.method} {request.path}"
            return Answer(line, dict(response.getheaders()), response.read())
        finally:
            connection.close()


def user(name: str, state: str = "valid", **more: Any) -> dict[str, Any]:
    known = {"id": name, "phone": "+390600000000", "email": None, "client": CLIENT}
    return {f"token-{name}": {**known, "state": state, **more}}


@pytest.fixture(scope="module")
def wallet() -> Iterator[NodeWallet]:
    key = KEYS["alipayplus"]["public_spki_pem"]
    config = {
        "clients": {
            CLIENT: {"publicKeys": {"1": key, "2": key}, "acquirers": ["acquirer"]},
            OTHER_CLIENT: {"publicKey": KEYS["unrelated"]["public_spki_pem"]},
            "NO_KEY": {"publicKeys": {}},
        },
        "privateKey": KEYS["mpp"]["private_pkcs8_pem"],
        "keyVersion": 7,
        "users": user("alice")
        | user("bob")
        | user("carol")
        | user("dave")
        | user("expired", "expired")
        | user("no-scope", "no_scope")
        | user("gone", "no_user")
        | user("frozen", "frozen")
        | user("broken", "lookup_fails")
        | user("unreachable", delivery="refused")
        | user("others", client=OTHER_CLIENT),
        "policy": {"resend_interval_s": 0, "sends_per_hour": 5},
    }
    with node_wallet(config) as url:
        yield NodeWallet(url)


def test_a_code_opens_once_and_an_identical_request_is_answered_again(wallet: NodeWallet) -> None:
    sending = send("alice")
    first, again = wallet.call(sending), wallet.call(sending)
    assert first.body == again.body
    [message] = wallet.inbox("alice")
    assert json.loads(first.body)["verifyRequestId"] == message["id"]

    verifying = verify("alice", message["id"], message["code"])
    assert [wallet.call(verifying).code for _ in range(2)] == ["SUCCESS"] * 2
    later = verify("alice", message["id"], message["code"])
    assert wallet.call(later).code == "VERIFY_REQUEST_ID_INVALID"


def test_tries_and_sends_are_bounded_and_a_new_code_replaces_the_old(wallet: NodeWallet) -> None:
    old = wallet.message("bob")
    new = wallet.message("bob")
    assert wallet.call(verify("bob", *old)).code == "VERIFY_REQUEST_ID_INVALID"
    wrong = wrong_code(new[1])
    codes = [wallet.call(verify("bob", new[0], wrong)).code for _ in range(5)]
    assert codes == ["OTP_VERIFY_UNMATCHED"] * 4 + ["OTP_VERIFY_TIMES_EXCEED_LIMIT"]
    assert wallet.call(verify("bob", *new)).code == "OTP_VERIFY_TIMES_EXCEED_LIMIT"

    codes = [wallet.call(send("bob")).code for _ in range(4)]
    assert codes == ["SUCCESS"] * 3 + ["OTP_SEND_TIMES_EXCEED_LIMIT"]
    assert len(wallet.inbox("bob")) == 5


def test_one_of_sixteen_parallel_right_codes_succeeds(wallet: NodeWallet) -> None:
    message = wallet.message("carol")
    with ThreadPoolExecutor(16) as pool:
        requests = [verify("carol", *message) for _ in range(16)]
        codes = sorted(answer.code for answer in pool.map(wallet.call, requests))
    assert codes == ["SUCCESS"] + ["VERIFY_REQUEST_ID_INVALID"] * 15


def test_a_code_belongs_to_its_user(wallet: NodeWallet) -> None:
    message = wallet.message("dave")
    assert wallet.call(verify("carol", *message)).code == "VERIFY_REQUEST_ID_INVALID"
    assert wallet.call(verify("dave", *message)).code == "SUCCESS"


@pytest.mark.parametrize("vector", SEEN_VECTORS, ids=lambda vector: vector.name)
def test_signatures_of_the_official_sdk_are_told_apart(wallet: NodeWallet, vector: Vector) -> None:
    headers = {
        "Client-Id": vector.client,
        "Request-Time": vector.time,
        "Signature": vector.header,
        "Content-Type": "application/json",
    }
    answer = wallet.call(Request(vector.uri, vector.seen_body, headers))
    # What is signed well is then refused for its time, which is of another year.
    assert answer.code == ("ACCESS_DENIED" if vector.expected else "INVALID_SIGNATURE")


LONG: Final = "x" * 129
BODIES: Final = {
    "missing": (json.dumps({"acquirerId": "acquirer", "pspId": "psp"}), "accessToken is missing."),
    "null": (json.dumps(fields("alice", accessToken=None)), "accessToken is missing."),
    "empty": (json.dumps(fields("alice", pspId="")), "pspId is not a text or is empty."),
    "number": (json.dumps(fields("alice", pspId=1)), "pspId is not a text or is empty."),
    "long": (json.dumps(fields("alice", accessToken=LONG)), "accessToken is longer than 128"),
    "unknown type": (json.dumps(fields("alice", verifyType="mobile")), "verifyType"),
    "no address": (json.dumps(fields("alice", verifyType="EMAIL")), "verifyType"),
    "repeated": (json.dumps(fields("alice"))[:-1] + ', "\\u0070spId": "psp"}', "repeats a key"),
    "list": (json.dumps([fields("alice")]), "not an object"),
    "too large": (json.dumps(fields("alice", more=LONG * 128)), "longer than 16384 bytes"),
}


@pytest.mark.parametrize(("body", "detail"), BODIES.values(), ids=BODIES)
def test_a_body_that_breaks_the_rules_is_refused(
    wallet: NodeWallet, body: str, detail: str
) -> None:
    answer = wallet.call(signed(SEND, body.encode()))
    assert answer.code == "PARAM_ILLEGAL"
    assert detail in answer.result["resultMessage"]
    assert LONG not in answer.body.decode()


GOOD: Final = json.dumps(fields("alice")).encode()
# Requests are signed when their test runs: one that was signed at collection may be too old then.
REFUSALS: Final[Mapping[str, tuple[Callable[[], Request], str]]] = {
    "changed body": (lambda: replace(send("alice"), body=GOOD + b" "), "INVALID_SIGNATURE"),
    "other key": (lambda: signed(SEND, GOOD, key="unrelated"), "INVALID_SIGNATURE"),
    "no signature": (lambda: send("alice").changed(Signature=None), "INVALID_SIGNATURE"),
    "no client": (lambda: send("alice").changed(Client_Id=None), "INVALID_CLIENT"),
    "unknown client": (lambda: signed(SEND, GOOD, client="UNKNOWN"), "INVALID_CLIENT"),
    "dotted client": (lambda: signed(SEND, GOOD, client="A.B"), "INVALID_CLIENT"),
    "no key": (lambda: signed(SEND, GOOD, client="NO_KEY"), "KEY_NOT_FOUND"),
    "stale": (lambda: signed(SEND, GOOD, time="2025-02-20T08:51:49.09Z"), "ACCESS_DENIED"),
    "other acquirer": (lambda: send("alice", acquirerId="other"), "ACCESS_DENIED"),
    "method": (lambda: replace(send("alice"), method="GET"), "METHOD_NOT_SUPPORTED"),
    "path": (lambda: signed("/aps/api/v1/users/other", GOOD), "NO_INTERFACE_DEF"),
    "media": (
        lambda: send("alice").changed(Content_Type="text/plain"),
        "MEDIA_TYPE_NOT_ACCEPTABLE",
    ),
    "unknown token": (lambda: send("nobody"), "INVALID_TOKEN"),
    "other client's token": (lambda: send("others"), "INVALID_TOKEN"),
    "scope": (lambda: send("no-scope"), "INVALID_TOKEN"),
    "expired": (lambda: send("expired"), "EXPIRED_ACCESS_TOKEN"),
    "user": (lambda: send("gone"), "USER_NOT_EXIST"),
    "frozen": (lambda: send("frozen"), "USER_STATUS_ABNORMAL"),
    "delivery": (lambda: send("unreachable"), "PROCESS_FAIL"),
    "lookup": (lambda: send("broken"), "UNKNOWN_EXCEPTION"),
    "code": (lambda: verify("alice", "x", "12345\u0666"), "PARAM_ILLEGAL"),
}


@pytest.mark.parametrize(("make_request", "code"), REFUSALS.values(), ids=REFUSALS)
def test_each_cause_has_its_code_in_a_signed_answer(
    wallet: NodeWallet, make_request: Callable[[], Request], code: str
) -> None:
    answer = wallet.call(make_request())
    assert answer.code == code
    rows = [*RESULT_CODES["sendOTP"], *RESULT_CODES["verifyOTP"]]
    message, status = next((row["message"], row["status"]) for row in rows if row["code"] == code)
    assert answer.result["resultMessage"].startswith(message)
    assert answer.result["resultStatus"] == status


def test_a_changed_answer_does_not_verify(wallet: NodeWallet) -> None:
    answer = wallet.call(send("nobody"))
    forged = replace(answer, body=answer.body.replace(b'"F"', b'"S"'))
    assert forged.result["resultStatus"] == "S"
    with pytest.raises(InvalidSignature):
        forged.check_signature()


def test_a_configuration_that_breaks_the_rules_is_refused_with_all_its_faults() -> None:
    with (
        pytest.raises(RuntimeError, match=r"privateKey(.|\n)*policy.expiry_s: use .* 600"),
        node_wallet({"policy": {"expiry_s": 601}}),
    ):
        pass
