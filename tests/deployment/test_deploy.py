"""The files in deploy/ serve a wallet as they are, and a restart or a new key fails no request."""

from __future__ import annotations

import re
import runpy
import secrets
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask, request

from example_app import instance
from example_app.demo.__main__ import new_user, signing
from example_app.demo.scenarios import alipayplus_steps, google_steps, merchant_steps
from flask_otp_mpp.callers import (
    AlipayPlusAnswer,
    AlipayPlusCaller,
    AmsCaller,
    Call,
    GoogleCaller,
    SigningOptions,
    Transport,
    over_http,
)
from flask_otp_mpp.signing import load_public_key, one_line, private_pem
from tests.deployment.shipped import (
    DEPLOY,
    Site,
    here,
    named_settings,
    nginx_text,
    proxied,
    under_load,
    unit,
)
from tests.servers import free_port
from tests.services import program
from tests.wallet import key

pytestmark = [pytest.mark.slow, pytest.mark.server]

PATIENCE = 5
"""Seconds that a caller waits for an answer."""
SERVED = {("SUCCESS", True)}


def public_prefix(name: str) -> str:
    return named_settings()[f"FLASK_OTP_MPP_{name}_PUBLIC_PREFIX"]


@dataclass
class Deployed:
    """A site, and how it is reached by callers, who know both of the wallet's keys."""

    site: Site
    url: str
    errors: Path

    def signing(self, client: str, file: str) -> SigningOptions:
        new = load_public_key(one_line(key("another").public_key()))
        signs = signing(self.site.home, client, file)
        return {**signs, "server_keys": {"1": signs["server_keys"]["1"], "2": new}}

    def alipayplus(self) -> AlipayPlusCaller:
        reach, prefix = over_http(self.url, PATIENCE), public_prefix("ALIPAYPLUS")
        signs = self.signing(instance.CLIENT_ID, "alipayplus.pem")
        return AlipayPlusCaller(reach, psp_id=instance.PSP_ID, prefix=prefix, **signs)

    def send(self) -> AlipayPlusAnswer:
        return self.alipayplus().send(f"TRIAL_USER_{secrets.token_hex(8)}")


def list_a_second_key(home: Path) -> None:
    """Begin a rotation: the new key is listed, the old one signs."""
    (home / "wallet-2.pem").write_bytes(private_pem(key("another")))
    config, listed = home / "config.py", 'OTP_MPP_PRIVATE_KEYS = {"1": str(here / "wallet.pem")'
    text = config.read_text()
    assert text.count(listed) == 1
    text = text.replace(listed, f'{listed}, "2": str(here / "wallet-2.pem")')
    config.write_text(f'{text}OTP_MPP_KEY_VERSION = "1"\n')


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    program("nginx")
    site, port = Site(tmp_path_factory.mktemp("deploy")), free_port()
    list_a_second_key(site.home)
    with pytest.MonkeyPatch.context() as patched, closing(site.listener):
        patched.setenv("SSL_CERT_FILE", str(site.folder / "tls.pem"))
        try:
            site.start()
            wait_until(lambda: bool(site.workers()))
            inside(site)(Call("GET", "/", {}, b""))  # it waits in the socket's queue
            with proxied(site, port) as errors:
                yield Deployed(site, f"https://127.0.0.1:{port}", errors)
        finally:
            site.stop()


def inside(site: Site) -> Transport:
    """Return the way to gunicorn past nginx, for the app's own pages."""
    return over_http(f"http://127.0.0.1:{site.port}", 20)


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_callers_of_all_protocols_are_served_below_a_stripped_prefix(deployed: Deployed) -> None:
    """F9, G11: through TLS, nginx, gunicorn and the app, as the files have it."""
    home, reach = deployed.site.home, over_http(deployed.url)
    page = inside(deployed.site)
    guests = [new_user(home, who) for who in (instance.CLIENT_ID, instance.MERCHANT_ID, "google")]
    merchant = AmsCaller(
        reach,
        prefix=public_prefix("AMS_SANDBOX"),
        **deployed.signing(instance.MERCHANT_ID, "merchant.pem"),
    )
    keys = {"our_keys": str(home / "google.jwks"), "their_keys": str(home / "wallet.pub.jwks")}
    account = {"envelope": "jose", **keys}
    google = GoogleCaller.from_account(reach, account, prefix="/pay/google/v1")
    steps = [
        *alipayplus_steps(deployed.alipayplus(), page, guests[0].token, guests[0].phone),
        *merchant_steps(merchant, page, guests[1].token, guests[1].phone),
        *google_steps(google, page, guests[2].association, guests[2].phone),
    ]
    assert [step for step in steps if not step.passed] == []
    assert {step.who for step in steps} == {"Alipay+", "A merchant", "Google"}
    assert len(steps) == 17
    for path in ("/", "/phone.json", "/metrics", "/pay/../phone.json"):
        assert reach(Call("GET", path, {}, b"")).status == 404, path
    assert b"otp_mpp_sends_total" in page(Call("GET", "/metrics", {}, b"")).body


def test_a_reload_with_a_new_key_fails_no_request_under_load(deployed: Deployed) -> None:
    """F9, G9: SIGHUP, as ExecReload has it; the gauges of the worker that ended are forgotten."""
    site = deployed.site
    (old,) = site.workers()
    assert version_of(deployed.send()) == "1"
    with under_load(deployed.alipayplus()) as load:
        with (site.home / "config.py").open("a") as config:
            config.write('OTP_MPP_KEY_VERSION = "2"\n')
        site.reload()
        wait_until(lambda: bool(site.workers()) and old not in site.workers())
        before = len(load.answers)
        wait_until(lambda: len(load.answers) > before + 8)
    assert (load.failures, load.outcomes) == ([], SERVED)
    assert {version_of(answer) for answer in load.answers} == {"1", "2"}
    assert load.slowest < PATIENCE
    live = {path.name for path in site.counts.glob("gauge_live*")}
    assert live
    assert not {name for name in live if name.endswith(f"_{old}.db")}


def test_a_restart_with_another_environment_fails_no_request_under_load(
    deployed: Deployed,
) -> None:
    """F9, G9: the socket unit holds the port, and requests wait in its queue."""
    site = deployed.site
    other = {"1": "2", "2": "1"}[version_of(deployed.send())]
    with under_load(deployed.alipayplus()) as load:
        site.changed["FLASK_OTP_MPP_KEY_VERSION"] = other
        site.restart()
        before = len(load.answers)
        wait_until(lambda: len(load.answers) > before + 8)
    assert (load.failures, load.outcomes) == ([], SERVED)
    assert {version_of(answer) for answer in load.answers} == {"1", "2"}
    assert load.slowest < PATIENCE
    assert deployed.errors.read_text() == ""


def version_of(answer: AlipayPlusAnswer) -> str:
    """Return the version of the key that has signed."""
    (version,) = re.findall(r"keyVersion=(\w+)", dict(answer.response.headers)["signature"])
    return str(version)


def test_the_app_takes_the_address_that_nginx_names(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X1: nginx names one, and what a caller wrote before it is not believed."""
    lines = (DEPLOY / "nginx.conf").read_text().splitlines()
    named = [line.split("#")[0].split() for line in lines if "X-Forwarded-For" in line]
    assert named == [["proxy_set_header", "X-Forwarded-For", "$remote_addr;"]]
    monkeypatch.setenv("WALLET_INSTANCE", str(deployed.site.home))
    app: Flask = runpy.run_path(str(DEPLOY / "wsgi.py"))["app"]
    found: list[str | None] = []
    app.before_request(lambda: found.append(request.remote_addr))
    app.test_client().get("/", headers={"X-Forwarded-For": "192.0.2.1, 203.0.113.9"})
    assert found == ["203.0.113.9"]


def test_the_purge_of_the_unit_deletes_what_is_over(deployed: Deployed) -> None:
    """O3: with its environment and credentials, which hold neither pepper nor keys."""
    name, site = "otp-mpp-purge.service", deployed.site
    assert deployed.send().code == "SUCCESS"
    with closing(sqlite3.connect(site.home / "otp.db", timeout=10)) as db, db:
        over = db.execute("UPDATE otp_mpp_requests SET keep_until = 1").rowcount
    assert over > 0
    assert "pepper" not in str(unit(name))
    done = subprocess.run(
        site.command(name), env=site.environment(name), cwd=here("/opt/wallet"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"{over} rows deleted.\n"), done.stderr


def test_nginx_finds_no_fault_in_the_configuration(deployed: Deployed) -> None:
    """F9: not even a warning."""
    folder = deployed.site.folder
    (folder / "wallet.conf").write_text(nginx_text(deployed.site, free_port()))
    main = folder / "test.conf"
    main.write_text(
        f"pid {folder}/t.pid; events {{}} http {{ access_log off; include {folder}/wallet.conf; }}"
    )
    command = [program("nginx"), "-t", "-c", str(main), "-e", str(folder / "test.log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[" not in done.stderr
