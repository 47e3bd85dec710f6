"""Google under attack: bare statuses for strangers, no secret in a log, bounded cost."""

from __future__ import annotations

import json
import logging
import time
import tracemalloc
from itertools import product
from typing import Any

import pytest

from flask_otp_mpp import AlipayPlus, Ams, state_of
from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from flask_otp_mpp.callers.ams import AmsCaller
from flask_otp_mpp.callers.google import GoogleCaller
from flask_otp_mpp.callers.google_faults import Tamper
from flask_otp_mpp.callers.transport import Call, over_wsgi
from flask_otp_mpp.protocols.google.jose.sealer import JoseSealer
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.signing.keys import one_line
from tests.codes import LONG_CODE
from tests.protocols.google import sides
from tests.vectors.google import jwk
from tests.wallet import ACQUIRER, CLIENT, PSP, key
from tests.web.google_wallet import ADA, GoogleWallet, open_google
from tests.web.test_google import assert_bare

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def jose_wallet() -> tuple[GoogleWallet, GoogleCaller]:
    """Open a wallet whose account uses JOSE, and callers with right and wrong keys."""
    wallet = open_google(accounts={"gpay": sides.jose_wallet()}, testing=False)
    untrusted = wallet.calling(
        sides.jose_google(our_keys=[jwk("unknown-sig.private"), jwk("google-enc-1.private")])
    )
    google = wallet.calling(sides.jose_google(), impostor=untrusted._sealer)
    return wallet, google


@pytest.mark.parametrize("_round", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_echo_answers_the_probes_of_google(
    jose_wallet: tuple[GoogleWallet, GoogleCaller], _round: int
) -> None:
    """Valid and wrong signatures, bad JSON and bad bodies, in turn, several times a minute."""
    _, google = jose_wallet
    expected: dict[Tamper | None, tuple[int, str]] = {
        None: (200, ""),
        "signature": (401, ""),
        "encryption": (400, ""),
        "unsealed": (400, ""),
        "json": (400, "INVALID_DECRYPTED_REQUEST"),
        "duplicate": (400, "INVALID_DECRYPTED_REQUEST"),
        "stale": (400, "REQUEST_TIMESTAMP_OUT_OF_RANGE"),
    }
    for first, second in product(expected, repeat=2):
        for tamper in (first, second):
            answer = google.echo("probe", tamper=tamper)
            assert (answer.status, answer.error) == expected[tamper]
            assert answer.verified
            if tamper is None:
                assert answer.json["clientMessage"] == "probe"


@pytest.mark.parametrize("tamper", ["signature", "encryption", "unsealed"])
@pytest.mark.parametrize("method", ["sendOtp", "verifyOtp", "echo", "nothing"])
def test_an_unauthenticated_caller_gets_a_status_without_a_body(
    jose_wallet: tuple[GoogleWallet, GoogleCaller], method: str, tamper: Tamper
) -> None:
    """Nothing is signed or encrypted for it, and all broken bodies get the same answer."""
    wallet, google = jose_wallet
    answer = google.call(method, {"clientMessage": "hello"}, tamper=tamper)
    status = 404 if method == "nothing" else 401 if tamper == "signature" else 400
    assert_bare(answer, status)
    assert len(wallet.inbox) == 0


def test_no_answer_is_sealed_for_a_stranger(
    jose_wallet: tuple[GoogleWallet, GoogleCaller], monkeypatch: pytest.MonkeyPatch
) -> None:
    """X2: whatever it varies, above a traffic limit and after a crash as well."""
    wallet, google = jose_wallet
    sealed: list[bytes] = []
    seal = JoseSealer.seal

    def counted(sealer: JoseSealer, payload: bytes) -> bytes:
        sealed.append(payload)
        return seal(sealer, payload)

    monkeypatch.setattr(JoseSealer, "seal", counted)
    client = wallet.app.test_client()
    prefix = wallet.protocol.mounts[0].prefix
    for number, path in product(range(5), ("echo", "sendOtp", "verifyOtp", f"no/{id(sealed)}", "")):
        for verb, body in product(("POST", "GET", "BREW"), (b"", b"a.b.c", b"x" * 20_000)):
            uri = f"{prefix}/{path}?n={number}"
            assert client.open(uri, method=verb, data=body).get_data() == b""
    for tamper in ("signature", "encryption", "unsealed"):
        google.echo("probe", tamper=tamper)  # its caller's own sealer is of this class
    assert len(sealed) == 2
    google.echo("probe")
    assert len(sealed) == 4


def test_an_account_does_not_accept_the_keys_of_another() -> None:
    """A body for one account does not decrypt on another's path."""
    other = sides.jose_wallet(
        paths="/other",
        our_keys=[jwk("unknown-enc.private"), jwk("integrator-sig-1.private")],
        their_keys=[jwk("unknown-sig.public"), jwk("google-enc-1.public")],
    )
    wallet = open_google(accounts={"one": sides.jose_wallet(), "two": other}, testing=False)
    google = wallet.calling(sides.jose_google())
    call, asked = google.prepare("echo", {"clientMessage": "hello"})
    assert google.deliver(call, asked).status == 200
    moved = Call(call.method, "/google/other/echo", call.headers, call.body)
    assert_bare(google.deliver(moved, asked), 400)


@pytest.mark.parametrize("name", ["lists", "objects", "text", "digits", "keys", "blanks"])
@pytest.mark.parametrize("limit", [16384, MEGABYTE])
def test_a_hostile_body_takes_little_time_and_memory(name: str, limit: int) -> None:
    """Over HTTP, at the usual length limit and at the largest one."""
    hostile = {
        "lists": b"[" * 10_000 + b"]" * 10_000,
        "objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "text": b'{"clientMessage":"' + b"a" * (MEGABYTE - 100) + b'"}',
        "digits": b'{"a":' + b"1" * (MEGABYTE - 100) + b"}",
        "keys": json.dumps({str(n): 0 for n in range(5_000)}).encode(),
        "blanks": b" " * (MEGABYTE - 1) + b"x",
    }[name]
    wallet = open_google(OTP_MPP_BODY_LIMIT=limit)
    started = time.process_time()
    answer = wallet.google.call("echo", hostile)
    spent = time.process_time() - started
    assert answer.status in {400, 413}
    tracemalloc.start()
    try:
        wallet.google.call("echo", hostile)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent < 2.0, spent
    assert peak < 32 * MEGABYTE, peak
    assert wallet.google.echo().status == 200


THREE = (AlipayPlus, Ams, GoogleStandardPayments)
MERCHANT = "SANDBOX_A_MERCHANT"


def three_protocols(**how: Any) -> tuple[GoogleWallet, AlipayPlusCaller, AmsCaller]:
    """Open a wallet with all protocols, and the callers of the other two; all have one key."""
    clients = {MERCHANT: {"1": one_line(key("alipay+").public_key())}}
    wallet = open_google(protocols=THREE, OTP_MPP_AMS_CLIENTS=clients, **how)
    signing: dict[str, Any] = {
        "key": key("alipay+"),
        "server_keys": state_of(wallet.app).public_keys,
        "clock": wallet.clock,
    }
    here = over_wsgi(wallet.app)
    alipay = AlipayPlusCaller(here, client_id=CLIENT, psp_id=PSP, acquirer_id=ACQUIRER, **signing)
    return wallet, alipay, AmsCaller(here, client_id=MERCHANT, **signing)


def test_a_request_of_another_protocol_is_refused() -> None:
    """G13: on the paths of each of the others."""
    wallet, alipay, ams = three_protocols(accounts={"gpay": sides.jose_wallet()})
    google = wallet.calling(sides.jose_google())
    good = {
        "/aps/api/v1/users/sendOTP": alipay.prepare("/sendOTP", {"accessToken": "tok-ada"})[0],
        "/ams/sandbox/api/v1/users/initAuthentication": ams.prepare(
            "/initAuthentication", {"authenticationType": "OTP"}
        )[0],
        "/google/v1/sendOtp": google.prepare("sendOtp", {"accountPhoneNumber": ADA})[0],
        "/google/v1/echo": google.prepare("echo", {"clientMessage": "hello"})[0],
    }
    for place, there in product(good, good.values()):
        of_google = "google" in place, "google" in there.uri
        if of_google == (True, True) or place == there.uri:
            continue
        call = Call(there.method, place, there.headers, there.body)
        response = over_wsgi(wallet.app)(call)
        if of_google[0]:
            assert (response.status, response.body) == (400, b"")
        else:
            refused = json.loads(response.body)["result"]["resultCode"]
            assert refused not in {"SUCCESS", "PARAM_ILLEGAL"}  # it comes before the fields
    assert len(wallet.inbox) == 0


def test_a_challenge_of_another_protocol_is_unknown() -> None:
    """G13: its id means nothing to the others, and no try is counted."""
    wallet, alipay, ams = three_protocols()
    sent = wallet.google.send(ADA, request_id="one")
    code = wallet.inbox.code
    theirs = sent.json["paymentIntegratorSendOtpId"]
    for _ in range(6):
        assert alipay.verify("tok-ada", theirs, code).code == "VERIFY_REQUEST_ID_INVALID"
        for name in ("one", theirs):
            assert ams.verify(name, code).code == "AUTHENTICATION_REQUEST_ID_INVALID"
        wallet.clock.forward(seconds=1)
    assert wallet.google.verify("one", code).result == "SUCCESS"
    wallet.clock.forward(seconds=61)
    other = alipay.send("tok-ada")
    assert wallet.google.verify(other.verify_request_id, wallet.inbox.code).status == 404
    wallet.clock.forward(seconds=61)
    assert ams.init("tok-ada", "one").code == "SUCCESS"  # the name is free for each of them
    assert wallet.google.verify("one", wallet.inbox.code).result == "OTP_NOT_MATCHED"
    assert ams.verify("one", wallet.inbox.code).code == "SUCCESS"


def test_who_types_a_phone_number_at_google_locks_nobody_out_of_the_others() -> None:
    """C2, C3: wrong codes and sends at one protocol lock and delay the user there only."""
    wallet, alipay, ams = three_protocols()
    for _ in range(2):
        sent, _ = wallet.sent()
        for _ in range(5):
            assert wallet.google.verify(sent, "x").result == "OTP_NOT_MATCHED"
    assert alipay.send("tok-ada").code == "SUCCESS"
    assert ams.init("tok-ada", "one").code == "SUCCESS"
    wallet.clock.forward(seconds=61)
    assert wallet.google.send(ADA).error == "PRECONDITION_VIOLATION"
    wallet.clock.forward(minutes=16)
    assert wallet.google.send(ADA).result == "SUCCESS"


def test_nothing_secret_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No numbers, codes, tokens, messages and associations, also when something fails."""
    caplog.set_level(logging.DEBUG)
    crash: list[str] = []

    def sender(user: Any, message: Any) -> None:
        crash.append(message.code)
        if len(crash) == 2:
            raise RuntimeError(f"{user} {message.code} {message.body}")

    wallet = open_google(
        accounts={"gpay": sides.jose_wallet()},
        sender=sender,
        testing=False,
        OTP_MPP_CODE_DIGITS=LONG_CODE,
    )
    google = wallet.calling(sides.jose_google())
    sent = google.send(ADA, smsMatchingToken="SeCrEtToKeN")
    wrong = google.verify(sent.request_id, "654321x")
    google.verify(sent.request_id, crash[0])
    google.echo("a secret message")
    wallet.clock.forward(seconds=61)
    assert google.send(ADA).status == 503
    error = google.send(associationId="secret-association")
    reference = error.json["paymentIntegratorErrorIdentifier"]
    log = "\n".join([caplog.text, *(str(record.__dict__) for record in caplog.records)])
    for secret in (
        ADA,
        ADA[1:],
        crash[0],
        crash[1],
        "654321x",
        "SeCrEtToKeN",
        "a secret message",
        "secret-association",
    ):
        assert secret not in log
    assert f"INVALID_IDENTIFIER reference={reference}" in log
    assert "google verify: SUCCESS client=gpay" in log
    assert wrong.result == "OTP_NOT_MATCHED"
