"""The table of servers in the documentation says what each of them makes of odd requests."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flask_otp_mpp.callers.alipayplus import PREFIX, AlipayPlusAnswer
from flask_otp_mpp.callers.transport import Call, Response
from tests.deployment.processes import MODULE, ROOT, Deployed, deployed
from tests.deployment.test_real_clients import LISTENING
from tests.deployment.test_servers import someone
from tests.deployment.test_slow_callers import documented
from tests.deployment.wire import request_bytes, talk
from tests.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.server]

PYWSGI = """
from gevent import monkey
monkey.patch_all()
from gevent.pywsgi import WSGIServer
from {module} import app
WSGIServer(("127.0.0.1", {port}), app).serve_forever()
"""
ALL_SERVERS: dict[str, Callable[[int], list[str]]] = {
    **LISTENING,
    "gevent's pywsgi": lambda port: [
        sys.executable, "-c", PYWSGI.format(module=MODULE.partition(":")[0], port=port),
    ],
}  # fmt: skip
PROXIED = ("gunicorn-gthread", "waitress")
DOCUMENTATION = (ROOT / "docs/operations.md").read_text()
# What is odd in the table's columns: the prefix that is called, what the target begins with, and
# headers behind the usual ones.
COLUMNS: list[tuple[str, str, list[tuple[str, str]]]] = [
    (PREFIX, "", [("Content-Type", "application/json")]),  # as the official SDK in Go sends it
    (PREFIX, "http://wallet.example", []),  # as that in Python does
    ("/" + PREFIX, "", []),
    ("/aps//api/v1/users", "", []),
    ("/aps/api/v1/us%65rs", "", []),
]


def documented_rows() -> dict[str, list[str]]:
    """Return the cells of the table by the name of the server."""
    section = DOCUMENTATION.partition("## Servers")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|(.+)\|$", section.replace("`", ""), re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}


def called(server: Deployed, port: int, prefix: str, origin: str, more: Any) -> AlipayPlusAnswer:
    """Call sendOTP of a server, byte by byte."""

    def send(call: Call) -> Response:
        (response,) = talk(port, request_bytes(replace(call, uri=origin + call.uri), *more))
        return response

    return server.caller(send, prefix=prefix).send(f"tok-{someone()}")


def cell(answer: AlipayPlusAnswer) -> str:
    if answer.response.status != 200:
        assert "signature" not in {name.lower() for name, _ in answer.response.headers}
        return f"{answer.response.status}, unsigned"
    if answer.code == "SUCCESS":
        assert answer.verified
        return "served"
    return answer.code


def names_of(answer: AlipayPlusAnswer) -> str:
    """Tell how the names are written that the caller looks up."""
    names = {name for name, _ in answer.response.headers}
    if {"client-id", "response-time", "signature"} <= names:
        return "lower case"
    assert {"Client-Id", "Response-Time", "Signature"} <= names
    return "capitals"


def row(server: Deployed, port: int) -> list[str]:
    answers = [called(server, port, *column) for column in COLUMNS]
    return [*map(cell, answers), names_of(answers[-1])]


@pytest.fixture(params=ALL_SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployed]:
    name, port = str(request.param), free_port()
    with deployed(tmp_path, ALL_SERVERS[name](port), port) as running:
        running.name = name
        yield running


def test_each_server_does_with_odd_requests_what_its_row_says(
    server: Deployed, tmp_path: Path
) -> None:
    """F9, F10, G11: the requests of the official SDKs, and odd spellings of the prefix."""
    rows = documented_rows()
    assert row(server, server.port) == rows[server.name]
    found = server.page("http://wallet.example/pid").isdecimal()
    assert found is (server.name != "gevent's pywsgi")
    if server.name in PROXIED:
        with documented(tmp_path, server.port) as port:
            assert row(server, port) == rows[f"{server.name} behind nginx"]
    if server.name == "waitress":
        (lines,) = re.findall(r"```nginx\n(.*?)```", DOCUMENTATION, re.DOTALL)
        with documented(tmp_path / "renaming", server.port, lines) as port:
            answer = called(server, port, PREFIX, "", [])
            assert (cell(answer), names_of(answer)) == ("served", "lower case")


def test_the_table_has_a_row_for_each_server_and_no_other() -> None:
    """F9: none is left out, and none is there that is not run."""
    assert set(documented_rows()) - {"server", "---"} == {
        *ALL_SERVERS,
        *(f"{name} behind nginx" for name in PROXIED),
    }
