"""The files in deploy/ for systemd, PostgreSQL, Redis and Compose hold what the pages say."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import STRATEGIES

from flask_otp_mpp import RedisStore, SQLAlchemyStore
from flask_otp_mpp.testing.contract.builders import RIGHT, answer, opened
from tests.deployment.shipped import (
    DEPLOY,
    here,
    unit,
)
from tests.services import program
from tests.stores import servers
from tests.stores.redis_server import PrivateRedis, client, documented_rule
from tests.stores.test_sql_checks import documented_grants, make_tables, schema_of

PROTECTION = "DynamicUser|User|NoNew|Pr(otect|ivate)|Restrict|Lock|Memory|Capab|SystemCall|UMask"


@pytest.mark.server
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


@pytest.mark.server
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


@pytest.mark.server
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
        for url, error in ((anybody, "(?i)authenticat"), (limiter, "permissions")):
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
    assert wallet["network_mode"] == "service:nginx"
    assert [name for name, entry in services.items() if "ports" in entry] == ["nginx"]
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
