"""The demo succeeds with the wallet, and fails with anything that answers otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import sqlalchemy as sa
from flask import Flask, Response, request
from werkzeug.serving import make_server

from example_app import create_app
from example_app.demo.server import ROOT, serving
from example_app.records import User, records
from flask_otp_mpp.protocols.google.settings import read_accounts
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.keys import LocalSigner, load_private_key

pytestmark = pytest.mark.slow

STORY = [
    ("SUCCESS", "S"),
    ("OTP_VERIFY_UNMATCHED", "F"),
    ("SUCCESS", "S"),
    ("VERIFY_REQUEST_ID_INVALID", "F"),
    ("INVALID_SIGNATURE", "F"),
    ("NO_INTERFACE_DEF", "F"),
    ("SUCCESS", "S"),
    ("SUCCESS", "S"),
    ("VERIFY_UNMATCHED", "F"),
    ("SUCCESS", "S"),
    ("SUCCESS", "200"),
    ("SUCCESS", "200"),
    ("OTP_NOT_MATCHED", "200"),
    ("SUCCESS", "200"),
    ("OTP_ALREADY_USED", "200"),
    ("", "401"),
    ("PRECONDITION_VIOLATION", "400"),
]
SIGNED = [row for row in STORY if row[1] in {"S", "F"}]


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "example_app.demo", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@contextmanager
def listening(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def granting_everything(key_file: Path) -> Flask:
    """Make what answers SUCCESS to whatever is asked, signed by a key.

    :param key_file: lies beside the keys of the wallet, by which it seals what Google is told.
    """
    app = Flask("impostor")
    home = key_file.parent
    keys = {"our_keys": str(home / "wallet.jwks"), "their_keys": str(home / "google.pub.jwks")}
    (account,) = read_accounts({"google": {"envelope": "jose", **keys}})
    sealer = account.sealer()
    signer = LocalSigner("1", load_private_key(str(key_file)))

    @app.post("/<path:path>")
    def grant(path: str) -> Response:
        if path.startswith("google/") and key_file.name == "wallet.pem":
            return Response(sealer.seal(b'{"result":"SUCCESS"}'))
        result = {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "Success"}
        body = json.dumps({"result": result, "verifyRequestId": "1"}).encode()
        client, time = request.headers["client-id"], "2026-01-01T00:00:00+00:00"
        signed = rsa256.canonical("POST", f"/{path}", client, time, body)
        signature = rsa256.signature_header(signer, signed)
        return Response(
            body, headers={"client-id": client, "response-time": time, "signature": signature}
        )

    return app


def delivering_as_well(app: Flask, home: Path, *, times: int = 1) -> Flask:
    """Let the impostor show a code for whatever user the demo has made in the wallet."""
    wallet = create_app(str(home))

    @app.get("/phone.json")
    def phone() -> list[dict[str, str]]:
        with wallet.app_context(), records() as session:
            guests = session.scalars(sa.select(User.phone).where(User.id.startswith("guest-")))
            found = [{"address": str(guest), "text": "123456 is your code"} for guest in guests]
            return found * times

    return app


def test_the_demo_makes_its_wallet_and_shows_every_signed_answer(tmp_path: Path) -> None:
    done = demo("--instance", str(tmp_path / "new"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(
        "17 of 17 answers were as expected. 16 of 16 with a body were signed by the wallet; "
        "1 had no body, and so no signature.\n"
    )
    for code, status in STORY:
        result = f"{code or 'no code'} ({status})"
        assert f"✓ expected {result}, got {result}" in done.stdout
    assert done.stdout.count("✓ the signature matches") == len(SIGNED)
    assert done.stdout.count("< signature: algorithm=RSA256,keyVersion=1,signature=") == len(SIGNED)
    assert done.stdout.count("✓ the answer decrypts with Google's key") == 6
    assert done.stdout.count("✓ a caller who is not authenticated gets no body") == 1
    assert "> POST /aps/api/v1/users/sendOTP" in done.stdout
    assert "> POST /ams/sandbox/api/v1/users/initAuthentication" in done.stdout
    assert "> POST /google/v1/sendOtp" in done.stdout
    assert done.stdout.count("✓ messages on the phone: expected 1, got 1") == 2
    assert "✗" not in done.stdout
    assert "\x1b" not in done.stdout


def test_the_demo_speaks_to_programs(home: Path) -> None:
    done = demo("--json", "--instance", str(home))
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)
    results = [step["got"] for step in steps]
    assert [(result["resultCode"], result["resultStatus"]) for result in results] == STORY
    assert all(step["asExpected"] for step in steps)
    bodies = [step["answer"]["body"] for step in steps]
    assert bodies.count("") == 1
    assert [step["signatureHolds"] for step in steps] == [True if body else None for body in bodies]


def test_the_demo_plays_against_a_running_wallet_again_and_again(home: Path) -> None:
    with serving(home) as url:
        for _ in range(2):
            done = demo("--url", url, "--instance", str(home))
            assert done.returncode == 0, done.stdout + done.stderr


def test_an_answer_other_than_expected_fails_the_demo(home: Path) -> None:
    impostor = delivering_as_well(granting_everything(home / "wallet.pem"), home)
    with listening(impostor) as url:
        done = demo("--url", url, "--instance", str(home))
    assert done.returncode == 1
    assert "✗ expected OTP_VERIFY_UNMATCHED (F), got SUCCESS (S)" in done.stdout
    assert "8 of 17 answers were as expected. 17 of 17 with a body were signed" in done.stdout


def test_a_message_that_was_sent_twice_fails_the_demo(home: Path) -> None:
    """S10: though the answer to the merchant's repeat is the right one."""
    twice = delivering_as_well(granting_everything(home / "wallet.pem"), home, times=2)
    with listening(twice) as url:
        done = demo("--url", url, "--instance", str(home), "--json")
    assert done.returncode == 1
    repeat = json.loads(done.stdout)[7]
    assert repeat["messages"] == {"got": 2, "expected": 1}
    assert (repeat["signatureHolds"], repeat["asExpected"]) == (True, False)


def test_an_answer_signed_by_another_key_fails_the_demo(home: Path) -> None:
    impostor = delivering_as_well(granting_everything(home / "alipayplus.pem"), home)
    with listening(impostor) as url:
        done = demo("--url", url, "--instance", str(home))
    assert done.returncode == 1
    assert done.stdout.count("✗ the signature does not match the wallet's public key") == 10
    assert "✗ the answer does not decrypt with Google's key" in done.stdout
    assert "no code was sent" in done.stderr


def test_a_wallet_that_delivers_nothing_fails_the_demo(home: Path) -> None:
    with listening(granting_everything(home / "wallet.pem")) as url:
        done = demo("--url", url, "--instance", str(home))
    assert done.returncode == 1
    assert "/phone.json shows no code for +63 918" in done.stderr


def test_a_server_that_is_no_wallet_fails_the_demo(home: Path) -> None:
    with listening(Flask("no wallet")) as url:
        done = demo("--url", url, "--instance", str(home))
    assert done.returncode == 1
    assert "✗ expected SUCCESS (S), got no code (no status)" in done.stdout
    assert "no code was sent" in done.stderr


def test_a_wallet_that_does_not_answer_fails_the_demo(home: Path) -> None:
    with listening(Flask("closed again")) as url:
        pass
    done = demo("--url", url, "--instance", str(home))
    assert done.returncode == 1
    assert f"the wallet at {url} can't be reached" in done.stderr


def test_a_wallet_that_does_not_come_up_is_told_with_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLASK_OTP_MPP_CODE_DIGITS", "3")
    done = demo()
    assert done.returncode == 1
    assert "the wallet stopped with exit status 1" in done.stderr
    assert "'OTP_MPP_CODE_DIGITS': 3 is too small; set it to 6 to 10" in done.stderr


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["--url", "http://127.0.0.1:1", "--instance", "tests"], "name it by --instance"),
    ],
)
def test_a_wrong_use_of_the_demo_is_explained(words: list[str], advice: str) -> None:
    done = demo(*words)
    assert done.returncode == 2
    assert advice in done.stderr


def test_a_url_that_is_none_is_explained(home: Path) -> None:
    done = demo("--url", "nowhere", "--instance", str(home))
    assert done.returncode == 2
    assert "'nowhere' is no http or https URL" in done.stderr


def test_the_help_teaches_the_exit_status() -> None:
    done = demo("--help")
    assert done.returncode == 0
    assert "The exit status is 0 if each answer was the expected one" in done.stdout


def ask_once(home: Path, end: BaseException, urls: list[str]) -> None:
    with serving(home) as url:
        urls.append(f"{url}/phone.json")
        assert fetched(urls[0]) == []
        raise end


def fetched(url: str) -> Any:
    with urlopen(url, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.parametrize("end", [KeyboardInterrupt(), RuntimeError(), SystemExit()], ids=repr)
def test_the_server_is_stopped_however_its_use_ends(home: Path, end: BaseException) -> None:
    urls: list[str] = []
    with pytest.raises(type(end)):
        ask_once(home, end, urls)
    with pytest.raises(URLError):
        fetched(urls[0])
