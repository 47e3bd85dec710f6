"""The cost of a request: calls are counted, not timed, so a busy machine fails no test."""

from __future__ import annotations

import hmac
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from itsdangerous import URLSafeTimedSerializer

from flask_otp_mpp.signing.keys import LocalSigner
from flask_otp_mpp.stores import MemoryStore
from tests.codes import wrong_code
from tests.wallet import ACQUIRER, PSP, Wallet, key

VERBS = ("get_answer", "reserve", "settle", "spend", "look_up", "unlock", "forget", "purge")
PARSERS = ("load_pem_private_key", "load_der_private_key", "load_pem_public_key")


class Costs:
    """Count the calls of expensive functions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._counts: Counter[str] = Counter()
        self._counting = False
        self._monkeypatch = monkeypatch

    def watch(self, owner: Any, name: str, cost: str) -> None:
        """Count the calls of a function, wherever it is called as an attribute of its owner."""
        real = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            if self._counting:
                self._counts[cost] += 1
            return real(*args, **kwargs)

        self._monkeypatch.setattr(owner, name, counted)

    @contextmanager
    def counting(self) -> Iterator[Counter[str]]:
        self._counts.clear()
        self._counting = True
        yield self._counts
        self._counting = False


@pytest.fixture
def signer() -> LocalSigner:
    return LocalSigner("1", key("wallet"))


@pytest.fixture
def wallet(signer: LocalSigner, make_wallet: Callable[..., Wallet]) -> Wallet:
    return make_wallet(
        options={"signer": signer, "store": MemoryStore()},
        OTP_MPP_STORE=None,
        OTP_MPP_PRIVATE_KEYS=None,
    )


@pytest.fixture
def costs(wallet: Wallet, signer: LocalSigner, monkeypatch: pytest.MonkeyPatch) -> Costs:
    wallet.sent("tok-first")  # what is done only once is done now
    watched = Costs(monkeypatch)
    watched.watch(signer, "sign", "signatures")
    watched.watch(hmac.HMAC, "digest", "digests")
    watched.watch(json.JSONDecoder, "decode", "bodies parsed")
    watched.watch(json.JSONDecoder, "__init__", "parsers made")
    watched.watch(json.JSONEncoder, "__init__", "writers made")
    watched.watch(re, "compile", "patterns")
    watched.watch(URLSafeTimedSerializer, "__init__", "serializers")
    for parser in PARSERS:
        watched.watch(serialization, parser, "keys parsed")
    for verb in VERBS:
        watched.watch(wallet.state.store, verb, f"store: {verb}")
    limiter: Any = wallet.state.traffic
    watched.watch(limiter._counts._limiter.limiter, "hit", "limits")
    return watched


def signed_before(wallet: Wallet, path: str, fields: dict[str, str]) -> Callable[[], bytes]:
    """Sign a request in advance, so that only the work of the wallet is counted."""
    who = {"acquirerId": ACQUIRER, "pspId": PSP}
    call, _ = wallet.caller.prepare(path, {**who, **fields})
    client = wallet.app.test_client()

    def send() -> bytes:
        answer = client.post(call.uri, data=call.body, headers=dict(call.headers))
        return bytes(answer.data)

    return send


def test_a_send_costs_one_signature_and_one_reservation(wallet: Wallet, costs: Costs) -> None:
    send = signed_before(wallet, "/sendOTP", {"accessToken": "tok-ada"})
    with costs.counting() as counts:
        answer = send()
    assert b'"SUCCESS"' in answer
    assert counts == {
        "signatures": 1,
        "digests": 1,
        "bodies parsed": 1,
        "limits": 2,
        "store: reserve": 1,
        "store: settle": 1,
    }


@pytest.mark.parametrize("right", [True, False])
def test_a_verification_costs_one_attempt(wallet: Wallet, costs: Costs, right: bool) -> None:
    """A1: nothing is looked up before the attempt is counted."""
    request_id, code = wallet.sent("tok-ada")
    guess = code if right else wrong_code(code)
    fields = {"accessToken": "tok-ada", "verifyRequestId": request_id, "otpCode": guess}
    verify = signed_before(wallet, "/verifyOTP", fields)
    with costs.counting() as counts:
        answer = verify()
    assert (b'"SUCCESS"' in answer) is right
    assert counts == {
        "signatures": 1,
        "digests": 1,
        "bodies parsed": 1,
        "limits": 2,
        "store: spend": 1,
    }


def test_a_forged_request_costs_no_statement_and_is_not_parsed(
    wallet: Wallet, costs: Costs
) -> None:
    """R4, G1: and the equal answers of one second share one signature."""
    fields = {"accessToken": "tok-ada"}
    call, _ = wallet.caller.prepare("/sendOTP", fields, tamper="key")
    client = wallet.app.test_client()
    with costs.counting() as counts:
        for _ in range(50):
            sent = client.post(call.uri, data=call.body, headers=dict(call.headers))
            assert b"INVALID_SIGNATURE" in sent.data
    assert counts == {"signatures": 1, "limits": 50}


def test_no_key_is_parsed_while_requests_are_served(wallet: Wallet, costs: Costs) -> None:
    """K1: parsing a private key takes 37 ms, so it is done at the start."""
    requests = [
        signed_before(wallet, "/sendOTP", {"accessToken": f"tok-{name}"}) for name in range(100)
    ]
    with costs.counting() as counts:
        for send in requests:
            assert b'"SUCCESS"' in send()
    assert counts["keys parsed"] == counts["patterns"] == counts["serializers"] == 0
    assert counts["signatures"] == 100
