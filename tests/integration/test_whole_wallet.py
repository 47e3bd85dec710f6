"""The whole wallet, deployed: gunicorn behind nginx, PostgreSQL, Redis, Flask's extensions."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from flask_otp_mpp.callers.transport import over_http
from flask_otp_mpp.signing.keys import private_pem
from tests.codes import LONG_CODE, wrong_code
from tests.deployment.processes import ROOT, Deployed, stop, wait_for
from tests.deployment.test_nginx import SERVER, running
from tests.faults.backends import empty_backend
from tests.servers import free_port
from tests.stores.servers import postgresql_url
from tests.wallet import CLIENT, key, request_fields, settings

pytestmark = [pytest.mark.server, pytest.mark.slow]

APP: Final = "tests.integration.wallet_app:create_app()"
CUSTOMERS: Final = 120
CLIENT_LIMIT: Final = 400
LOCATION: Final = """
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
"""


@dataclass
class Whole:
    """The wallet as it runs; callers and browsers reach it through nginx.

    :param environment: of its processes.
    """

    environment: dict[str, str] = field(repr=False)
    database: sa.Engine
    server: Deployed
    port: int
    log: Path
    used: Iterator[int]

    @property
    def caller(self) -> AlipayPlusCaller:
        return self.server.caller(over_http(f"http://127.0.0.1:{self.port}", 30))

    def customer(self) -> str:
        """Return a customer to whom nothing was sent yet."""
        return f"c{next(self.used)}"

    def send(self, customer: str) -> tuple[str, str]:
        """Call sendOTP; return the result code and the id of the challenge."""
        fields = request_fields(f"tok-{customer}", extendInfo=uuid.uuid4().hex)  # no repeats
        call, _ = self.caller.prepare("/sendOTP", fields)
        answer = self.caller.deliver(call)
        assert (answer.response.status, answer.verified) == (200, True)
        return answer.code, answer.verify_request_id

    def verify(self, customer: str, challenge: str, code: str) -> str:
        fields = request_fields(
            f"tok-{customer}",
            verifyRequestId=challenge,
            otpCode=code,
            extendInfo=uuid.uuid4().hex,
        )
        call, _ = self.caller.prepare("/verifyOTP", fields)
        answer = self.caller.deliver(call)
        assert (answer.response.status, answer.verified) == (200, True)
        return answer.code

    def messages(self, customer: str) -> list[str]:
        """Return the codes that the provider was given for a customer."""
        query = sa.text("SELECT code FROM outbox WHERE customer = :name")
        with self.database.connect() as db:
            return list(db.scalars(query, {"name": customer}))

    def flask(self, *arguments: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
        """Run a command of ``flask`` for this app; variables that are None are left out."""
        return run_flask({**self.environment, **environment}, *arguments)

    def page(
        self, method: str, path: str, body: str = "", cookie: str = ""
    ) -> tuple[int, str, str]:
        """Ask for a page of the host; return status, text and cookie."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"content-type": "application/x-www-form-urlencoded", "cookie": cookie}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            given = (answer.getheader("set-cookie") or cookie).partition(";")[0]
            return answer.status, answer.read().decode(), given
        finally:
            connection.close()


def run_flask(
    environment: dict[str, str | None], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", APP, *arguments],
        cwd=ROOT,
        env={name: value for name, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def wallet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    with postgresql_url("whole") as url, empty_backend("redis", folder) as limits:
        yield from _running(folder, url, limits)


def _running(folder: Path, url: str, limits: str) -> Iterator[Whole]:
    """Prepare the database by the host's migrations, then serve."""
    otp = settings(
        url,
        OTP_MPP_COOL_DOWN=0,
        OTP_MPP_CLIENT_LIMIT=f"{CLIENT_LIMIT} per hour",
        OTP_MPP_CODE_DIGITS=LONG_CODE,
    )
    own = {
        "SECRET_KEY": "a secret that only tests use",
        "SQLALCHEMY_DATABASE_URI": url,
        "RATELIMIT_STORAGE_URI": limits,
        "MIGRATIONS": str(folder / "migrations"),
    }
    environment: dict[str, str] = {
        **os.environ,
        **{f"FLASK_{name}": _text(value) for name, value in {**otp, **own}.items()},
        "XDG_RUNTIME_DIR": str(folder),
    }
    for command in ("init", "migrate", "upgrade"):
        done = run_flask({**environment}, "db", command)
        assert done.returncode == 0, done.stderr
    database = sa.create_engine(url)
    with database.begin() as db:
        people = [{"name": f"c{n}", "phone": f"+4470090{n:05}"} for n in range(CUSTOMERS)]
        db.execute(
            sa.text("INSERT INTO customer (name, phone, frozen) VALUES (:name, :phone, false)"),
            people,
        )
    log, port, front = folder / "server.log", free_port(), free_port()
    command_line = [
        sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--worker-tmp-dir", "/dev/shm",
        "--log-level", "warning", "-w", "2", "--threads", "4", APP,
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command_line, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        server = Deployed(port, folder, process)
        try:
            wait_for(server, log, "/login")
            servers = SERVER.format(port=front, locations=LOCATION.format(port=port))
            with running(folder, front, servers):
                yield Whole(environment, database, server, front, log, iter(range(CUSTOMERS)))
        finally:
            stop(process)
            database.dispose()


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_a_code_is_sent_and_verified_through_everything(wallet: Whole) -> None:
    """F9, T1: signatures hold behind nginx, and the hooks use the host's own session."""
    customer = wallet.customer()
    code, challenge = wallet.send(customer)
    [sent] = wallet.messages(customer)
    assert code == "SUCCESS"
    assert wallet.verify(customer, challenge, wrong_code(sent, 1)) == "OTP_VERIFY_UNMATCHED"
    assert wallet.verify(customer, challenge, sent) == "SUCCESS"
    assert wallet.verify(customer, challenge, sent) == "VERIFY_REQUEST_ID_INVALID"


def test_of_right_codes_at_once_one_wins_over_all_workers(wallet: Whole) -> None:
    """L6: through both workers."""
    customer = wallet.customer()
    _, challenge = wallet.send(customer)
    [sent] = wallet.messages(customer)
    with ThreadPoolExecutor(16) as pool:
        found = Counter(pool.map(lambda _: wallet.verify(customer, challenge, sent), range(32)))
    assert found["SUCCESS"] == 1


def test_neither_csrf_nor_the_limits_of_the_host_touch_callers(wallet: Whole) -> None:
    """F4, R3: and both still hold for the host's own pages."""
    with ThreadPoolExecutor(4) as pool:
        found = Counter(pool.map(wallet.send, [wallet.customer() for _ in range(40)]))
    assert {code for code, _ in found} == {"SUCCESS"}
    assert wallet.page("POST", "/login", "name=c1")[0] == 400  # without a token
    _, token, cookie = wallet.page("GET", "/login")
    body = f"name=c1&csrf_token={token}"
    status, text, cookie = wallet.page("POST", "/login", body, cookie)
    assert (status, json.loads(text)) == (200, {"signed_in": True})
    assert json.loads(wallet.page("GET", "/me", cookie=cookie)[1]) == {"name": "c1"}
    pages = Counter(wallet.page("GET", "/login")[0] for _ in range(40))
    assert pages[429] >= 15


def test_a_worker_that_is_killed_costs_at_most_its_own_requests(wallet: Whole) -> None:
    """T4: what was sent can be verified, and the next one is served."""
    customer = wallet.customer()
    _, challenge = wallet.send(customer)
    [sent] = wallet.messages(customer)
    old = wallet.server.workers()
    for worker in old:
        os.kill(worker, signal.SIGKILL)
    end = time.monotonic() + 30
    while (not wallet.server.workers() or wallet.server.workers() & old) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)  # until they listen
    assert wallet.verify(customer, challenge, sent) == "SUCCESS"
    assert wallet.send(wallet.customer())[0] == "SUCCESS"


def test_the_hosts_migrations_agree_with_the_tables(wallet: Whole) -> None:
    """T6: nothing is left to migrate, and nothing is dropped."""
    assert wallet.flask("db", "check").returncode == 0


def test_commands_that_need_no_secret_ask_for_none(wallet: Whole) -> None:
    """F2: the routes can be listed where the keys are not."""
    bare = {name: None for name in wallet.environment if "_OTP_MPP_" in name}
    done = wallet.flask("routes", **bare)
    assert (done.returncode, "OTP_MPP_PEPPER" in done.stderr) == (0, True)
    purge = wallet.flask("otp-mpp", "purge", **bare)
    assert (purge.returncode, "OTP_MPP_STORE" in purge.stderr) == (1, True)


def test_simulate_calls_the_running_wallet(wallet: Whole, tmp_path: Path) -> None:
    """O4: it knows client, pspId and keys from the app."""
    pem = tmp_path / "caller.pem"
    pem.write_bytes(private_pem(key("alipay+")))
    pem.chmod(0o600)
    done = wallet.flask(
        "otp-mpp", "simulate", "send", "--key", str(pem), "--client-id", CLIENT,
        "--token", f"tok-{wallet.customer()}", "--url", f"http://127.0.0.1:{wallet.port}",
        "--expect", "SUCCESS", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_the_client_limit_counts_over_both_workers(wallet: Whole) -> None:
    """R1: in Redis; the last test, for it uses the limit up."""
    customer = wallet.customer()
    with ThreadPoolExecutor(8) as pool:
        found = Counter(code for code, _ in pool.map(wallet.send, [customer] * (CLIENT_LIMIT + 40)))
    assert found["REQUEST_TRAFFIC_EXCEED_LIMIT"] >= 40
    assert found["SUCCESS"] == len(wallet.messages(customer))


def test_each_line_of_the_log_is_json_and_holds_no_secret(wallet: Whole) -> None:
    """P1: not what was sent, nor to whom."""
    lines = wallet.log.read_text().splitlines()
    ours = [json.loads(line) for line in lines if line.startswith("{")]
    assert any(line["logger"] == "flask_otp_mpp" for line in ours)
    assert [line for line in lines if not line.startswith(("{", "["))] == []
    with wallet.database.connect() as db:
        codes = set(db.scalars(sa.text("SELECT code FROM outbox")))
    words: set[str] = set(re.findall(r"\w+", "\n".join(lines)))
    assert not words & codes
    assert "tok" not in words
    assert not [word for word in words if word.startswith("4470090")]
