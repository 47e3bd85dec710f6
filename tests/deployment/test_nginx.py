"""Behind an nginx that adds, strips or keeps prefixes, the path that was called is signed."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flask_otp_mpp.callers.alipayplus import PREFIX, AlipayPlusCaller
from flask_otp_mpp.callers.transport import over_http
from tests.deployment.processes import stop
from tests.deployment.wire import chunked_bytes, talk
from tests.servers import free_port, serving
from tests.services import program
from tests.wallet import Wallet, open_wallet, request_fields

pytestmark = pytest.mark.server

# How nginx passes a location on, what the caller calls, and what the app must be told of it.
LOCATIONS = {
    "as-it-is": (f"{PREFIX}/", "{url}", PREFIX, None),
    "stripped": ("/pay/", "{url}/", f"/pay{PREFIX}", f"/pay{PREFIX}"),
    "added": ("/otp/", f"{{url}}{PREFIX}/", "/otp", "/otp"),
    "renamed": ("/v2/users/", f"{{url}}{PREFIX}/", "/v2/users", "/v2/users"),
}
CONFIG = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""
SERVER = """
    server {{
        listen 127.0.0.1:{port};
        merge_slashes off;
        {locations}
    }}
"""
LOCATION = """
        location {path} {{
            proxy_pass {to};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-Prefix /forged;
        }}
"""


@dataclass(frozen=True)
class Behind:
    """A wallet, and the caller that reaches it through nginx."""

    wallet: Wallet
    caller: AlipayPlusCaller
    port: int


@contextmanager
def proxied(folder: Path, locations: str) -> Iterator[int]:
    """Run nginx with these locations; give its port."""
    port = free_port()
    with running(folder, port, SERVER.format(port=port, locations=locations)):
        yield port


@contextmanager
def running(folder: Path, port: int, servers: str) -> Iterator[None]:
    """Run nginx with these servers, one of which listens on the port."""
    command = program("nginx")
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(user=user, folder=folder, servers=servers))
    arguments = ["-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [command, *arguments], stdout=output, stderr=output, start_new_session=True
        )
        try:
            wait_for(port, process, folder)
            yield
        finally:
            stop(process)


def wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"nginx did not start: {(folder / 'output').read_text()}")


@pytest.fixture(scope="module")
def all_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Behind]]:
    """Serve a wallet for each location, and one nginx before them."""
    program("nginx")
    wallets, texts = {}, []
    with ExitStack() as stack:
        for name, (path, to, _, public) in LOCATIONS.items():
            wallet = open_wallet(OTP_MPP_ALIPAYPLUS_PUBLIC_PREFIX=public)
            url = stack.enter_context(serving(wallet.app))
            wallets[name] = wallet
            texts.append(LOCATION.format(path=path, to=to.format(url=url)))
        port = stack.enter_context(proxied(tmp_path_factory.mktemp("nginx"), "".join(texts)))
        transport = over_http(f"http://127.0.0.1:{port}")
        yield {
            name: Behind(wallet, wallet.calling(transport, prefix=LOCATIONS[name][2]), port)
            for name, wallet in wallets.items()
        }


@pytest.fixture(params=LOCATIONS)
def behind(request: pytest.FixtureRequest, all_behind: dict[str, Behind]) -> Behind:
    found = all_behind[str(request.param)]
    found.wallet.clock.forward(seconds=61)
    found.wallet.inbox.received.clear()
    return found


def test_both_operations_work_through_nginx(behind: Behind) -> None:
    """G11: and what was changed on the way is found out."""
    sent = behind.caller.send("tok-ada")
    assert (sent.code, sent.verified) == ("SUCCESS", True)
    code = behind.wallet.inbox.code
    for tamper in ("path", "query", "body"):
        forged = behind.caller.send("tok-bob", tamper=tamper)
        assert (forged.code, forged.verified) == ("INVALID_SIGNATURE", True), tamper
    answer = behind.caller.verify("tok-ada", sent.verify_request_id, code)
    assert (answer.code, answer.verified) == ("SUCCESS", True)
    assert len(behind.wallet.inbox) == 1


@pytest.mark.parametrize("path", ["/nothing", "/nothing?x=%2F&y=a+b", "/a//b", "/", "/%20a"])
def test_an_unknown_path_is_signed_as_it_was_called(behind: Behind, path: str) -> None:
    """G9, G11: with its query string."""
    answer = behind.caller.call(path, {})
    assert (answer.code, answer.verified) == ("NO_INTERFACE_DEF", True)


def test_every_verb_is_answered_through_nginx(behind: Behind) -> None:
    """G9: as far as nginx itself lets it pass."""
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = behind.caller.call("/sendOTP", {}, method=method)
        assert (answer.code, answer.verified) == ("METHOD_NOT_SUPPORTED", True), method


def test_an_odd_spelling_survives_an_nginx_that_passes_it_on(
    all_behind: dict[str, Behind],
) -> None:
    """G11: where nginx rewrites the path it spells it anew, and only the usual spelling holds."""
    for path in ("/%7Enothing", "/a%2Fb", "/%e4"):
        answer = all_behind["as-it-is"].caller.call(path, {})
        assert (answer.code, answer.verified) == ("NO_INTERFACE_DEF", True), path
        for name in ("stripped", "added", "renamed"):
            answer = all_behind[name].caller.call(path, {})
            assert (answer.response.status, answer.code) == (200, "NO_INTERFACE_DEF")


def test_a_chunked_body_comes_through_nginx(behind: Behind) -> None:
    """G11, F9: nginx gives it a length; the bytes are the same."""
    call, _ = behind.caller.prepare("/sendOTP", request_fields())
    (response,) = talk(behind.port, chunked_bytes(call, [7, 30]))
    assert behind.wallet.calling(lambda _: response).deliver(call).verified
    assert len(behind.wallet.inbox) == 1


def test_a_repeated_client_id_does_not_come_through_nginx_as_one(behind: Behind) -> None:
    """G5: nginx hands both on."""
    call, _ = behind.caller.prepare("/sendOTP", request_fields())
    head, blank, body = chunked_bytes(call, []).partition(b"\r\n\r\n")
    (response,) = talk(behind.port, head + b"\r\nclient-id: another" + blank + body)
    assert b"INVALID_CLIENT" in response.body
    assert len(behind.wallet.inbox) == 0
