"""``flask otp-mpp simulate google``: calls of Google with each kind of encryption, and faults."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_otp_mpp.callers.google import GoogleCaller
from flask_otp_mpp.callers.google_faults import impersonate
from flask_otp_mpp.callers.transport import Call, Response
from flask_otp_mpp.protocols.google.plain import PlainSealer
from flask_otp_mpp.protocols.google.settings import read_accounts
from tests.commands import run
from tests.protocols.google import sides
from tests.servers import serving
from tests.vectors.google import JOSE
from tests.web.google_wallet import ADA, GoogleWallet, open_google

PLAIN = ("--envelope", "plain")


def files(option: str, *names: str) -> list[str]:
    """Return options that name files of the test vectors."""
    found = [next(JOSE.glob(f"{name}.*")) for name in names]
    return [part for path in found for part in (option, str(path))]


SEALED = [
    *files("--key", "google-sig-1.private", "google-enc-1.private"),
    *files("--server-key", "integrator-enc-1.public", "integrator-sig-1.public"),
]


def now(wallet: GoogleWallet) -> GoogleWallet:
    """Set the wallet's clock to the caller's, which is the system's."""
    wallet.clock.now = datetime.now(UTC)
    return wallet


def simulate(wallet: GoogleWallet, *arguments: str) -> dict[str, Any]:
    """Run a command and return its JSON."""
    done = run(wallet.app, "simulate", "google", *arguments, "--json")
    assert done.exit_code == 0, done.output
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_simulate_google_sends_verifies_and_echoes_inside_the_app() -> None:
    """G9: the output shows the payloads and the encrypted bodies."""
    wallet = now(open_google(accounts={"gpay": sides.jose_wallet()}, testing=False))
    sent = simulate(wallet, "send", *SEALED, "--phone", ADA, "--request-id", "one")
    assert sent["answer"]["payload"]["result"] == "SUCCESS"
    assert sent["request"]["payload"]["accountPhoneNumber"] == ADA
    assert ADA not in sent["request"]["body"]
    assert sent["answer_opens"] is True
    code = wallet.inbox.code
    verified = simulate(wallet, "verify", *SEALED, "--sent", "one", "--code", code)
    assert verified["answer"]["payload"]["result"] == "SUCCESS"
    echoed = run(wallet.app, "simulate", "google", "echo", *SEALED, "--message", "good day")
    assert echoed.exit_code == 0
    for part in (
        "POST /google/v1/echo",
        "content-type: application/jose",
        "HTTP 200",
        '"clientMessage":"good day"',
        "The answer opens.",
    ):
        assert part in echoed.output


def test_the_association_and_the_token_are_options() -> None:
    wallet = now(open_google())
    token = "FA+9qCX9VSu"
    options = ("--association", "assoc-ada", "--matching-token", token)
    sent = simulate(wallet, "send", *PLAIN, *options)
    assert sent["answer"]["payload"]["result"] == "SUCCESS"
    assert token in wallet.inbox.received[-1][1].body


@pytest.mark.parametrize(
    ("tamper", "status", "end"),
    [
        ("signature", 401, "The answer has no body."),
        ("encryption", 400, "The answer has no body."),
        ("json", 400, "The answer opens."),
    ],
)
def test_a_fault_is_sent(tamper: str, status: int, end: str) -> None:
    """The exit status is 0, because the wallet's answer is valid."""
    wallet = now(open_google(accounts={"gpay": sides.jose_wallet()}, testing=False))
    done = run(wallet.app, "simulate", "google", "echo", *SEALED, "--tamper", tamper)
    assert done.exit_code == 0
    assert f"HTTP {status}" in done.output
    assert end in done.output


def test_simulate_google_calls_a_running_wallet() -> None:
    """Without the app; only the wallet's public keys are needed."""
    wallet = now(open_google(accounts={"gpay": sides.jose_wallet()}, testing=False))
    other_keys = [
        *files("--key", "google-sig-1.private", "unknown-enc.private"),
        *files("--server-key", "integrator-enc-1.public", "integrator-sig-1.public"),
    ]
    with serving(wallet.app) as url:
        good = run(Flask("elsewhere"), "simulate", "google", "echo", *SEALED, "--url", url)
        unverified = run(
            Flask("elsewhere"), "simulate", "google", "echo", *other_keys, "--url", url
        )
    assert good.exit_code == 0
    assert "The answer opens." in good.output
    assert unverified.exit_code == 1
    assert "The answer DOES NOT OPEN." in unverified.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--envelope", "jose"], "'our_keys'"),
        (["--envelope", "jose", "--key", "/no/such/file"], "names a file that can't be read"),
        ([*SEALED, "--url", "http://127.0.0.1/prefix"], "no http or https URL without a path"),
        ([*PLAIN, "--key", "x"], "'our_keys' is no member"),
        ([*PLAIN, "--tamper", "signature"], "needs an impostor's keys"),
    ],
)
def test_an_unusable_option_is_reported(options: list[str], message: str) -> None:
    result = run(open_google().app, "simulate", "google", "echo", *options)
    assert result.exit_code == 1
    assert message in result.output


def test_only_a_jose_account_can_be_impersonated() -> None:
    """Its keys are named freely; the wallet finds the key by name, and the signature wrong."""
    (jose,) = read_accounts({"a": sides.jose_google()})
    (pgp,) = read_accounts({"a": sides.pgp_google()})
    forged = impersonate(jose)
    assert forged is not None
    sealed, again = (sealer.seal(b"{}") for sealer in (forged, jose.sealer()))
    assert sealed != again
    assert impersonate(pgp) is None


def test_a_caller_rejects_an_answer_that_does_not_decrypt() -> None:
    """A plain body from a wallet that should have encrypted it is no answer."""
    (account,) = read_accounts({"a": sides.jose_google()})
    plain_wallet = GoogleCaller(
        lambda call: Response(200, (), b'{"result":"SUCCESS"}'), account.sealer()
    )
    answer = plain_wallet.deliver(Call("POST", "/", {}, b""))
    assert (answer.result, answer.error, answer.description, answer.verified) == ("", "", "", False)
    plain = GoogleCaller(lambda call: Response(200, (), b'{"result":"SUCCESS"}'), PlainSealer())
    accepted = plain.deliver(Call("POST", "/", {}, b""))
    assert (accepted.result, accepted.code, accepted.verified) == ("SUCCESS", "SUCCESS", True)
    with pytest.raises(ValueError, match="impostor"):
        plain.echo(tamper="signature")


def test_a_page_that_is_no_answer_is_shown() -> None:
    """F2: as any server behind a wrong --url sends it; no traceback."""
    elsewhere = Flask("elsewhere")
    elsewhere.register_error_handler(404, lambda _: (b"<p>\xff", 404))
    with serving(elsewhere) as url:
        command = ["simulate", "google", "echo", *PLAIN, "--url", url, "--expect", "SUCCESS"]
        shown = run(elsewhere, *command, "--json")
        printed = run(elsewhere, *command)
    assert json.loads(shown.stdout)["answer"]["body"] == "<p>\ufffd"
    for result in (shown, printed):
        assert result.exit_code == 1
        assert "Expected SUCCESS, and the wallet answered no code." in result.stderr


def test_keygen_generates_the_keys_of_an_account(tmp_path: Path) -> None:
    """G12: only its owner can read the private set; the printed set holds no secret."""
    path = tmp_path / "ours.jwks"
    options = ("--jwks", "wallet-2026", "--out", str(path))
    made = run(Flask("elsewhere"), "keygen", *options)
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    public = json.loads(made.stdout)["keys"]
    assert [key["kid"] for key in public] == ["wallet-2026-sig", "wallet-2026-enc"]
    assert all("d" not in key for key in public)
    account = sides.jose_google(our_keys=str(path), their_keys=made.stdout)
    (read,) = read_accounts({"mirror": account})
    mirror = read.sealer()
    assert mirror.open(mirror.seal(b"{}")).signer == "wallet-2026-sig"
    assert run(Flask("elsewhere"), "keygen", *options).exit_code == 1  # nothing is overwritten
