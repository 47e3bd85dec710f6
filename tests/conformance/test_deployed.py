"""The kit over HTTP: against wallets of four workers, the example wallet, and one in Node.js."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization

from flask_otp_mpp.conformance.case import Group, Severity, Wire
from flask_otp_mpp.conformance.registry import cases_of
from flask_otp_mpp.conformance.run import Run, Status, Verdict, run
from flask_otp_mpp.conformance.target import read_target
from flask_otp_mpp.signing.keys import private_pem
from tests.conformance.endpoints import (
    CLIENTS,
    KEYS,
    USERS,
    kit_file,
    wallet_settings,
)
from tests.conformance.node_wallet import node_wallet
from tests.conformance.wallet_app import NO_EMAIL, SECOND
from tests.deployment.processes import ROOT, Deployed, stop, wait_for
from tests.faults.backends import empty_backend
from tests.servers import free_port
from tests.wallet import PSP, key

STATEFUL: Final = {Group.CODES, Group.LIFE, Group.REPEATS, Group.RACES, Group.ISOLATION}
"""The groups whose cases depend on the store."""
DEPLOYED: Final = (
    pytest.param("sqlite", Wire.AMS, set(Group), id="sqlite"),
    *(
        pytest.param(store, Wire.ALIPAYPLUS, groups, id=store, marks=pytest.mark.server)
        for store, groups in (
            ("postgresql", set(Group)),
            ("mariadb", STATEFUL),
            ("redis", STATEFUL),
        )
    ),
)
RARE: Final = {"codes.leading-zeros", "answers.signed-unknown"}
"""Cases that are skipped where chance does not give what they need."""
FORMS_THAT_NODE_DOES_NOT_READ: Final = {
    *("headers.sdk-php", "headers.sdk-go"),
    *("time.compact-offset", "time.nanoseconds", "time.minute"),
}
"""Recommended cases: no document demands these forms, which some client libraries write."""

pytestmark = pytest.mark.slow


def failed(done: Run, severity: Severity | None = None) -> Mapping[str, str]:
    """Return what was found wrong, by case."""
    return {
        one.case.id: one.said
        for one in done.results
        if one.status is Status.FAILED and severity in (None, one.case.severity)
    }


@contextmanager
def four_workers(wire: Wire, folder: Path, store: str) -> Iterator[Path]:
    """Serve the wallet by gunicorn; give the kit's file for it."""
    config, port = folder / "wallet.json", free_port()
    settings = wallet_settings(wire, folder, store)
    # Four workers count traffic apart, so each may sign its share for those who prove nothing.
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "4"]
    command += ["--threads", "8", "--worker-tmp-dir", "/dev/shm", "--log-level", "warning"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "tests.conformance.wallet_app:app"],
            cwd=ROOT,
            env={**os.environ, "OTP_MPP_CONFORMANCE_WALLET": str(config)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(Deployed(port, folder, process), folder / "server.log")
        yield kit_file(wire, folder, f"http://127.0.0.1:{port}")
    finally:
        stop(process)


@pytest.mark.parametrize(("store", "wire", "groups"), DEPLOYED)
def test_a_wallet_of_four_workers_conforms_on_every_store(
    store: str, wire: Wire, groups: set[Group], tmp_path: Path
) -> None:
    cases = [case for case in cases_of(wire) if case.group in groups]
    with empty_backend(store, tmp_path) as url, four_workers(wire, tmp_path, url) as file:
        done = run(read_target(file), cases)
    assert failed(done) == {}
    assert done.verdict is Verdict.CONFORMS
    if groups == set(Group):
        skipped = {one.case.id for one in done.results if one.status is Status.SKIPPED}
        assert skipped <= RARE


@pytest.mark.parametrize(
    ("options", "played"),
    [
        (["--protocol", "alipayplus", "--key", "alipayplus.pem"], 300),
        (
            [
                "--protocol",
                "google-jose",
                "--google-keys",
                "google.jwks",
                "--only",
                "life",
                "--only",
                "codes",
            ],
            15,
        ),
    ],
    ids=["alipayplus", "google"],
)
def test_the_example_wallet_conforms_as_its_own_command_finds(
    options: list[str], played: int, tmp_path: Path
) -> None:
    app = f"example_app:create_app({str(tmp_path / 'instance')!r})"
    flask = [sys.executable, "-m", "flask", "--app", app]
    subprocess.run([*flask, "wallet", "setup"], cwd=ROOT, check=True, capture_output=True)
    keys = [
        str(tmp_path / "instance" / one) if one.endswith((".pem", ".jwks")) else one
        for one in options
    ]
    done = subprocess.run(
        [*flask, "otp-mpp", "conformance", *keys, "--json", "-"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == Verdict.CONFORMS
    assert report["counts"]["passed"] >= played


@pytest.mark.server
def test_a_wallet_in_node_js_passes_all_required_cases(tmp_path: Path) -> None:
    """Only the documents are between that wallet and the kit."""
    with node_wallet(_node_config()) as url:
        place = {"url": f"{url}/inbox?token={{user}}", "pointer": "/messages/-"}
        inbox = {"kind": "json", **place}
        done = run(
            read_target(kit_file(Wire.ALIPAYPLUS, tmp_path, url, inbox=inbox, clock=None)),
            cases_of(Wire.ALIPAYPLUS),
        )
    assert failed(done, Severity.REQUIRED) == {}
    assert set(failed(done)) <= FORMS_THAT_NODE_DOES_NOT_READ
    assert done.count(Status.PASSED) > 350


def _node_config() -> dict[str, Any]:
    """Return the configuration of the Node.js wallet, with the users of the kit's file."""
    first, second = CLIENTS[Wire.ALIPAYPLUS]
    users: dict[str, Any] = {
        "expired": {"state": "expired"},
        "unscoped": {"state": "no_scope"},
        "frozen": {"state": "frozen"},
        "gone": {"state": "no_user"},
        NO_EMAIL: {"email": None},
        **{f"tok-user{number}": {} for number in range(1, USERS + 1)},
    }
    usual = {"phone": "+8613012345678", "email": "user@users.example"}
    tokens = {
        token: {"id": token, "client": first, **usual, **more} for token, more in users.items()
    }
    tokens |= {
        f"{SECOND}{token}": {**user, "client": second}
        for token, user in tokens.items()
        if token.startswith("tok-user")
    }
    tokens[f"{SECOND}tok-shared"] = {"id": "tok-shared", "client": second, **usual}
    clients = {
        name: {"publicKey": _pem(label), "pspIds": [PSP]}
        for name, label in zip((first, second), KEYS, strict=True)
    }
    many = {"requests_per_minute": 100_000, "requests_per_minute_by_address": 100_000}
    return {
        "clients": clients,
        "privateKey": private_pem(key("wallet")).decode(),
        "users": tokens,
        "policy": {**many, "resend_interval_s": 60},
    }


def _pem(label: str) -> str:
    public = key(label).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()
