"""The files in deploy/ serve a wallet as they are, and a restart or a new key fails no request."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import STRATEGIES

from example_app import instance
from example_app.demo.__main__ import new_user, signing
from example_app.demo.scenarios import alipayplus_steps, google_steps, merchant_steps
from flask_otp_mpp import RedisStore, SQLAlchemyStore
from flask_otp_mpp.callers import AlipayPlusCaller, AmsCaller, Call, GoogleCaller, over_http
from flask_otp_mpp.signing import load_public_key, one_line, private_pem
from flask_otp_mpp.testing.contract.builders import RIGHT, answer, opened
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
from tests.stores import servers
from tests.stores.redis_server import PrivateRedis, client, documented_rule
from tests.stores.test_sql_checks import documented_grants, make_tables, schema_of
from tests.wallet import key

pytestmark = [pytest.mark.slow, pytest.mark.server]

PATIENCE = 5
"""Seconds that a caller waits for an answer."""
SERVED = {("SUCCESS", True)}


def public_prefix(name: str) -> str:
    return named_settings()[f"FLASK_OTP_MPP_{name}_PUBLIC_PREFIX"]


@dataclass
class Deployed:
    """A site, and how it is reached by callers."""

    site: Site
    url: str
    errors: Path

    def alipayplus(self, **changed: Any) -> AlipayPlusCaller:
        who = {**signing(self.site.home, instance.CLIENT_ID, "alipayplus.pem"), **changed}
        reach, prefix = over_http(self.url, PATIENCE), public_prefix("ALIPAYPLUS")
        return AlipayPlusCaller(reach, psp_id=instance.PSP_ID, prefix=prefix, **who)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    program("nginx")
    site, port = Site(tmp_path_factory.mktemp("deploy")), free_port()
    with pytest.MonkeyPatch.context() as patched, closing(site.listener):
        patched.setenv("SSL_CERT_FILE", str(site.folder / "tls.pem"))
        try:
            site.start()
            with proxied(site, port) as errors:
                yield Deployed(site, f"https://127.0.0.1:{port}", errors)
        finally:
            site.stop()


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_callers_of_all_protocols_are_served_below_a_stripped_prefix(deployed: Deployed) -> None:
    """F9, G11: through TLS, nginx, gunicorn and the app, as the files have it."""
    home, reach = deployed.site.home, over_http(deployed.url)
    inside = over_http(f"http://127.0.0.1:{deployed.site.port}", 20)
    guests = [new_user(home, who) for who in (instance.CLIENT_ID, instance.MERCHANT_ID, "google")]
    merchant = AmsCaller(
        reach,
        prefix=public_prefix("AMS_SANDBOX"),
        **signing(home, instance.MERCHANT_ID, "merchant.pem"),
    )
    keys = {"our_keys": str(home / "google.jwks"), "their_keys": str(home / "wallet.pub.jwks")}
    account = {"envelope": "jose", **keys}
    google = GoogleCaller.from_account(reach, account, prefix="/pay/google/v1")
    steps = [
        *alipayplus_steps(deployed.alipayplus(), inside, guests[0].token, guests[0].phone),
        *merchant_steps(merchant, inside, guests[1].token, guests[1].phone),
        *google_steps(google, inside, guests[2].association, guests[2].phone),
    ]
    assert [step for step in steps if not step.passed] == []
    assert {step.who for step in steps} == {"Alipay+", "A merchant", "Google"}
    assert len(steps) == 17
    for path in ("/", "/phone.json", "/metrics", "/pay/../phone.json"):
        assert reach(Call("GET", path, {}, b"")).status == 404, path
    assert b"otp_mpp_sends_total" in inside(Call("GET", "/metrics", {}, b"")).body


def test_a_reload_under_load_fails_no_request(deployed: Deployed) -> None:
    """F9: SIGHUP, as ExecReload has it; the gauges of the worker that ended are forgotten."""
    site = deployed.site
    (old,) = site.workers()
    with under_load(deployed.alipayplus()) as load:
        site.reload()
        wait_until(lambda: bool(site.workers()) and old not in site.workers())
        before = len(load.answers)
        wait_until(lambda: len(load.answers) > before + 4)
    assert (load.failures, load.outcomes) == ([], SERVED)
    assert load.slowest < PATIENCE
    assert len(load.answers) > 30
    live = {path.name for path in site.counts.glob("gauge_live*")}
    assert live
    assert not {name for name in live if name.endswith(f"_{old}.db")}


def test_a_new_key_and_a_restart_under_load_fail_no_answer(deployed: Deployed) -> None:
    """F9, G9: the socket unit holds the port; callers know both keys, the old one stays listed."""
    site, new = deployed.site, key("another")
    (site.home / "wallet-2.pem").write_bytes(private_pem(new))
    config = site.home / "config.py"
    text = config.read_text()
    listed = 'OTP_MPP_PRIVATE_KEYS = {"1": str(here / "wallet.pem")'
    assert text.count(listed) == 1
    config.write_text(
        text.replace(listed, f'{listed}, "2": str(here / "wallet-2.pem")')
        + 'OTP_MPP_KEY_VERSION = "2"\n'
    )
    old = load_public_key(str(site.home / "wallet.pub"))
    keys = {"1": old, "2": load_public_key(one_line(new.public_key()))}
    with under_load(deployed.alipayplus(server_keys=keys)) as load:
        site.restart()
        before = len(load.answers)
        wait_until(lambda: len(load.answers) > before + 8)
    assert (load.failures, load.outcomes) == ([], SERVED)
    assert load.key_versions == {"1", "2"}
    assert load.slowest < PATIENCE
    assert deployed.errors.read_text() == ""


def test_the_purge_of_the_unit_deletes_what_is_over(deployed: Deployed) -> None:
    """O3: with its environment and credentials, which hold neither pepper nor keys."""
    name, site = "otp-mpp-purge.service", deployed.site
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


def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    """O3: and the purge is confined as the service is."""
    confined = [
        {key: values for key, values in unit(name).items() if re.match(PROTECTION, key)}
        for name in ("otp-mpp.service", "otp-mpp-purge.service")
    ]
    assert confined[0] == confined[1]
    assert len(confined[0]) > 20
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for path in DEPLOY.glob("otp-mpp*"):
        (tmp_path / path.name).write_text(here(path.read_text()))
    command = ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "otp-mpp" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


PROTECTION = "DynamicUser|User|NoNew|Pr(otect|ivate)|Restrict|Lock|Memory|Capab|SystemCall|UMask"


def test_the_role_of_the_sql_serves_by_the_documented_privileges(tmp_path: Path) -> None:
    """F2: the file grants what the page lists and nothing else, and may run again."""
    text = (DEPLOY / "postgresql.sql").read_text()
    granted = re.findall(r"^(GRANT .*);$", text, re.MULTILINE)
    assert granted[0] == "GRANT USAGE ON SCHEMA public TO otp"
    documented = documented_grants("otp", "public")
    assert [line.replace(" otp_mpp_", " public.otp_mpp_") for line in granted[1:]] == documented
    role = f"otp_{secrets.token_hex(4)}"
    (tmp_path / "password").write_text("hunter2\n")
    with servers.postgresql_url("deploy") as at:
        make_tables(at)
        file, url = tmp_path / "role.sql", sa.make_url(at)
        text = re.sub(r"\botp\b", role, text.replace("SCHEMA public", f"SCHEMA {schema_of(at)}"))
        file.write_text(text)
        plain = url.set(drivername="postgresql", query={}).render_as_string(hide_password=False)
        named = ["-v", "ON_ERROR_STOP=1", "-v", f"password_file={tmp_path / 'password'}"]
        for _ in range(2):
            subprocess.run(
                [program("psql"), "-d", plain, *named, "-f", str(file)],
                env={**os.environ, "PGOPTIONS": str(url.query["options"])},
                check=True,
                capture_output=True,
            )
        try:
            serving = url.set(username=role, password="hunter2")
            store = SQLAlchemyStore(serving.render_as_string(hide_password=False))
            assert store.check().endswith(", tables present")
            assert answer(store, opened(store), RIGHT) is None
            with (
                store.engine.connect() as db,
                pytest.raises(sa.exc.ProgrammingError, match="permission denied"),
            ):
                db.exec_driver_sql("CREATE TABLE mine (id int)")
            store.engine.dispose()
        finally:
            servers.run(servers.POSTGRESQL, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_the_users_of_the_redis_serve_by_the_documented_rights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F2, O4: the store's user has the rights of the page; the other one counts traffic alone."""
    lines = (DEPLOY / "redis.conf").read_text().splitlines()
    (rule,) = [line.split()[2:] for line in lines if line.startswith("user otp ")]
    assert [word.replace(">password", ">secret") for word in rule] == documented_rule()
    server = PrivateRedis(tmp_path)
    server.first = (str(DEPLOY / "redis.conf"),)
    anybody = server.url
    server.url = anybody.replace("//", "//otp:password@")
    try:
        server.start()
        store = RedisStore(server.url)
        store.check()
        assert answer(store, opened(store), RIGHT) is None
        assert caplog.records == []
        store.close()
        limiter = anybody.replace("//", "//limiter:password@")
        traffic = storage_from_string(limiter)
        assert traffic.check()
        for name, strategy in STRATEGIES.items():
            counting, limit = strategy(traffic), parse("1/minute")
            assert [counting.hit(limit, name), counting.hit(limit, name)] == [True, False]
            assert counting.get_window_stats(limit, name).remaining == 0
        for url, error in ((anybody, "Authentication"), (limiter, "permissions")):
            with client(url) as aside, pytest.raises(redis.RedisError, match=error):
                aside.get("otp_mpp:{a}:limits")
    finally:
        server.stop()


def test_the_containers_run_what_the_units_run() -> None:
    """O3: with the same command and secrets, and files that are there."""
    services = (compose := load_yaml())["services"]
    wallet, service = services["wallet"], unit("otp-mpp.service")
    assert " ".join(wallet["command"]) in service["ExecStart"][0].replace("/opt/wallet/", "")
    purge = unit("otp-mpp-purge.service")["ExecStart"][0].removeprefix("/opt/wallet/.venv/bin/")
    assert purge in services["purge"]["command"][-1]
    named = {line.partition("=")[0] for line in service["Environment"]}
    assert set(wallet["environment"]) == named
    assert services["nginx"]["network_mode"] == "service:wallet"
    pages = (DEPLOY / "README.md").read_text()
    for name, entry in services.items():
        assert set(entry.get("depends_on", ())) < set(services), name
        for secret in entry.get("secrets", ()):
            assert f"`{secret}`" in pages
            assert compose["secrets"][secret] == {"file": f"secrets/{secret}"}
        for volume in entry.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).exists() or source.startswith("./secrets/tls."), source
            else:
                assert source in compose["volumes"], source


def load_yaml() -> Any:
    return pytest.importorskip("yaml").safe_load((DEPLOY / "compose.yaml").read_text())
