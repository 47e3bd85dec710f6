"""Strangers cost a few signatures, whatever they send; genuine callers get signed answers."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_otp_mpp import AlipayPlus, Ams, OtpMpp
from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer, AlipayPlusCaller
from flask_otp_mpp.callers.signed_faults import Tamper
from flask_otp_mpp.callers.transport import Call
from flask_otp_mpp.signing.keys import LocalSigner, one_line
from flask_otp_mpp.web.limiter import TrafficMemory
from tests.wallet import CLIENT, Wallet, key, request_fields

MakeWallet = Callable[..., Wallet]
AMS = "/ams/api/v1/users"
LIMITED = "REQUEST_TRAFFIC_EXCEED_LIMIT"
AT_ONCE, A_SECOND = 25, 5
HOME = "198.51.100.1"
"""The address of the genuine caller; strangers have others."""


class CountingSigner:
    """Sign as the wallet does, and count."""

    version = "1"

    def __init__(self) -> None:
        self.count = 0
        self._signer = LocalSigner("1", key("wallet"))

    def sign(self, data: bytes) -> bytes:
        self.count += 1
        return self._signer.sign(data)


def behind_a_proxy(app: Flask, _otp: OtpMpp) -> None:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)  # type: ignore[method-assign]


class House:
    """A wallet behind a proxy, which counts its signatures; its genuine caller, and strangers."""

    def __init__(self, make_wallet: MakeWallet, **how: Any) -> None:
        self.signer = CountingSigner()
        usual = {
            "options": {"signer": self.signer},
            "OTP_MPP_PRIVATE_KEYS": None,
            "OTP_MPP_ADDRESS_LIMIT": "",
            "prepare": behind_a_proxy,
        }
        self.wallet = make_wallet(**{**usual, **how})
        public = {"1": key("wallet").public_key()}
        self.caller: AlipayPlusCaller = self.wallet.calling(server_keys=public)
        self._neighbours = (f"2001:db8:0:{number:x}::1" for number in itertools.count())

    def deliver(self, call: Call, address: str = "") -> AlipayPlusAnswer:
        """Deliver a request from an address; without one, from an address of its own."""
        headers = {**call.headers, "x-forwarded-for": address or next(self._neighbours)}
        return self.caller.deliver(replace(call, headers=headers))

    def genuine(
        self, path: str = "/sendOTP", *, tamper: Tamper | None = None, **how: Any
    ) -> AlipayPlusAnswer:
        payload = how.pop("payload", request_fields())
        call, _ = self.caller.prepare(path, payload, tamper=tamper, **how)
        return self.deliver(call, HOME)

    def flood(self, count: int, address: str = "") -> Counter[int]:
        """Send bad requests that differ in path, client, time, body, method and headers."""
        statuses: Counter[int] = Counter()
        for number in range(count):
            self.wallet.clock.forward(seconds=1 if number % 7 == 0 else 0)
            statuses[self.deliver(varied(number), address).response.status] += 1
        return statuses


def varied(number: int) -> Call:
    """Return a request that proves nothing and differs from all others."""
    prefix = AMS if number % 3 == 0 else "/aps/api/v1/users"
    path = ("/sendOTP", "/verifyOTP", f"/no/{number}", f"/sendOTP?n={number}", "/%2E", "//x")
    client = (CLIENT, "MERCHANT_5X00000000000000", f"C{number}", "", "a,b", f"SANDBOX_{number}")
    signature = (
        "algorithm=RSA256,keyVersion=1,signature=" + "QUJD" * (number % 90 + 1),
        f"algorithm=RSA256,keyVersion={number},signature=QUJD",
        "rubbish",
        "",
    )
    media_type = ("application/json", "text/plain")[number % 11 == 0]
    headers = {
        "client-id": client[number // 2 % len(client)],
        "request-time": str(1767225600000 + number),
        "signature": signature[number // 5 % len(signature)],
        "content-type": media_type,
    }
    method = ("POST", "POST", "POST", "GET", "BREW", f"X{number}")[number // 3 % 6]
    body = b" " * 20_000 if number % 13 == 0 else b'{"n": %d}' % number
    return Call(method, prefix + path[number % len(path)], headers, body)


@pytest.mark.parametrize(
    ("limit", "address"),
    [("", ""), ("10 per hour", ""), ("10 per hour", "192.0.2.1")],
    ids=["unlimited", "from-many-addresses", "from-one"],
)
def test_a_thousand_varied_bad_requests_cost_a_few_signatures(
    limit: str, address: str, make_wallet: MakeWallet
) -> None:
    """X2: the rest is a 429 without a body."""
    house = House(
        make_wallet,
        protocols=(AlipayPlus, Ams),
        OTP_MPP_ADDRESS_LIMIT=limit,
        OTP_MPP_AMS_CLIENTS={
            "MERCHANT_5X00000000000000": {"1": one_line(key("alipay+").public_key())}
        },
    )
    begin = time.monotonic()
    statuses = house.flood(1000, address)
    assert house.signer.count <= AT_ONCE + A_SECOND * (time.monotonic() - begin) + 1
    assert set(statuses) == {200, 429}
    assert house.signer.count > 3


def test_during_a_flood_each_answer_to_a_genuine_caller_is_signed(make_wallet: MakeWallet) -> None:
    """X2, G9: one whose signature is valid, whatever else is wrong with its request."""
    house = House(make_wallet)
    house.flood(300)
    answers = {
        "SUCCESS": [house.genuine()],
        "NO_INTERFACE_DEF": [
            house.genuine(path)
            for path in ("/nothing", "/a/b?x=1", "/", *(f"/{number}" for number in range(50)))
        ],
        "METHOD_NOT_SUPPORTED": [house.genuine(method=verb) for verb in ("GET", "PUT", "BREW")],
        "ACCESS_DENIED": [house.genuine(tamper="stale")],
        "PARAM_ILLEGAL": [house.genuine(payload=b"{"), house.genuine(payload={})],
    }
    call, _ = house.caller.prepare("/sendOTP", {})
    plain = replace(call, headers={**call.headers, "content-type": "text/plain"})
    answers["MEDIA_TYPE_NOT_ACCEPTABLE"] = [house.deliver(plain, HOME)]
    for code, seen in answers.items():
        assert [(one.code, one.verified) for one in seen] == [(code, True)] * len(seen)


UNPROVEN: dict[str, Callable[[House], AlipayPlusAnswer]] = {
    "INVALID_SIGNATURE": lambda house: house.genuine(tamper="signature"),
    "KEY_NOT_FOUND": lambda house: house.genuine(tamper="key-version"),
    "PARAM_ILLEGAL": lambda house: house.genuine(payload=b" " * 20_000),
}


@pytest.mark.parametrize("code", UNPROVEN)
def test_during_a_flood_a_bad_signature_of_a_registered_client_is_answered_signed(
    code: str, make_wallet: MakeWallet
) -> None:
    """X2, G9: from an address that is new, too; unknown paths and clients have their own part."""
    house = House(make_wallet)
    for number in range(600):
        house.deliver(replace(varied(number), uri=f"/aps/api/v1/users/no/{number}"))
    answers = [UNPROVEN[code](house) for _ in range(20)]
    assert {(answer.code, answer.verified) for answer in answers} == {(code, True)}
    assert house.signer.count <= AT_ONCE


def test_a_flood_in_the_name_of_all_clients_leaves_a_known_address_its_answers(
    make_wallet: MakeWallet,
) -> None:
    """X2: where a client has proven itself, strangers can't use up its signatures."""
    clients = {f"C{number}": {"1": one_line(key("alipay+").public_key())} for number in range(60)}
    house = House(make_wallet, OTP_MPP_ALIPAYPLUS_CLIENTS=clients)
    public = {"1": key("wallet").public_key()}
    house.caller = house.wallet.calling(server_keys=public, client_id="C7")
    assert house.genuine().code == "SUCCESS"
    bare = Counter[int]()
    for client, path in itertools.product(clients, ("/sendOTP", "/verifyOTP")):
        call, _ = house.caller.prepare(path, {})
        headers = {**call.headers, "client-id": client, "signature": "rubbish"}
        bare[house.deliver(replace(call, headers=headers)).response.status] += 1
    assert bare[429] > 50
    for code, ask in UNPROVEN.items():
        answer = ask(house)
        assert (answer.code, answer.verified) == (code, True)


def test_when_signatures_are_scarce_an_equal_answer_is_given_again_for_a_minute(
    make_wallet: MakeWallet,
) -> None:
    """X2: with the time at which it was signed; half of the budget is left for other answers."""
    house = House(make_wallet)
    for _ in range(40):
        house.wallet.clock.forward(seconds=1)
        answer = house.genuine(tamper="signature")
        assert (answer.code, answer.verified) == ("INVALID_SIGNATURE", True)
    assert house.signer.count < AT_ONCE
    told = dict(answer.response.headers)["response-time"]
    assert told < house.wallet.clock.now.isoformat(timespec="seconds")
    other = house.genuine(tamper="key-version")
    assert (other.code, other.verified) == ("KEY_NOT_FOUND", True)


def test_no_answer_is_given_again_after_a_minute(make_wallet: MakeWallet) -> None:
    """X2: it would be too old to be believed."""
    house = House(make_wallet)
    paths = [f"/no/{number}" for number in range(20)]

    def status(path: str) -> int:
        return house.genuine(path, tamper="signature").response.status

    first = [status(path) for path in paths]
    assert first == [200] * 5 + [429] * 15
    house.wallet.clock.forward(seconds=60)
    assert [status(path) for path in paths[:3]] == [200] * 3
    house.wallet.clock.forward(seconds=1)
    assert [status(path) for path in paths[:3]] != [200] * 3


def test_an_address_above_its_limit_gets_a_signed_answer_on_a_known_path_only(
    make_wallet: MakeWallet,
) -> None:
    """X2, R4: the exception of G9; nothing is signed for an unknown path then."""
    house = House(make_wallet, OTP_MPP_ADDRESS_LIMIT="1 per hour")
    house.genuine()
    limited = [house.genuine() for _ in range(20)]
    assert {(answer.code, answer.verified) for answer in limited} == {(LIMITED, True)}
    signed = house.signer.count
    for path in ("/nothing", "/sendOTP?x=1"):
        response = house.genuine(path).response
        assert (response.status, response.body) == (429, b"")
        assert response.headers == (("content-length", "0"), ("cache-control", "no-store"))
    assert house.signer.count == signed


def test_a_failing_limiter_leaves_genuine_callers_their_signed_answers(
    make_wallet: MakeWallet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """X2, R1: the body is read, so that they can be proven; each answer names a log entry."""

    def broken(*_: object, **__: object) -> None:
        raise ConnectionError("the storage is away")

    house = House(make_wallet, OTP_MPP_ADDRESS_LIMIT="9 per hour")
    monkeypatch.setattr(TrafficMemory, "incr", broken)
    answers = [house.genuine() for _ in range(40)]
    assert {(answer.code, answer.verified) for answer in answers} == {("UNKNOWN_EXCEPTION", True)}
    logged = {record.getMessage().split()[2] for record in caplog.records}
    assert {answer.message.split()[-1].removesuffix(".") for answer in answers} <= logged
    before = house.signer.count
    for _ in range(40):
        house.genuine(tamper="signature")
    assert house.signer.count - before < 10


def test_a_client_of_a_hook_is_known_once_the_hook_has_named_its_key(
    make_wallet: MakeWallet,
) -> None:
    """X2, G9: for a refusal that comes before its key is needed, the hook is not called."""
    asked: list[str] = []

    def prepare(app: Flask, otp: OtpMpp) -> None:
        behind_a_proxy(app, otp)

        @otp.client_key
        def public_key(client: str, _version: str | None) -> Any:
            asked.append(client)
            return key("alipay+").public_key() if client == CLIENT else None

    house = House(make_wallet, prepare=prepare, OTP_MPP_ALIPAYPLUS_CLIENTS=None)
    unknown = house.genuine("/nothing")
    assert (asked, dict(unknown.response.headers)["client-id"]) == ([], "")
    assert house.genuine().code == "SUCCESS"
    house.flood(200)
    asked.clear()
    answers = [house.genuine(f"/{number}") for number in range(30)]
    assert all(answer.verified for answer in answers)
    assert {dict(answer.response.headers)["client-id"] for answer in answers} == {CLIENT}
    assert asked == []


def test_nobody_has_an_invented_name_signed(make_wallet: MakeWallet) -> None:
    """X2: the name of a client that is not registered is not in the answer."""
    house = House(make_wallet)
    house.caller = house.wallet.calling(
        server_keys={"1": key("wallet").public_key()}, client_id="INVENTED"
    )
    answer = house.genuine()
    assert (answer.code, answer.verified) == ("INVALID_CLIENT", True)
    assert dict(answer.response.headers)["client-id"] == ""


def test_an_answer_is_signed_anew_in_each_second_while_there_are_signatures(
    make_wallet: MakeWallet,
) -> None:
    """X2: no answer is older than it must be."""
    house = House(make_wallet)
    for _ in range(3):
        house.wallet.clock.now += timedelta(seconds=20)
        answer = house.genuine(tamper="signature")
        told = dict(answer.response.headers)["response-time"]
        assert told == house.wallet.clock.now.isoformat(timespec="seconds")
