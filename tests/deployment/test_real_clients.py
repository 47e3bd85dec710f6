"""What client libraries of others send is understood behind every server, and they can read it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from flask_otp_mpp.callers.transport import Call, Response
from flask_otp_mpp.protocols.google.accounts import open_sealers
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.protocols.google.settings import read_accounts
from flask_otp_mpp.signing.keys import LocalSigner
from tests.deployment.processes import MODULE, ROOT, Deployed, deployed
from tests.deployment.test_servers import SERVERS
from tests.deployment.wire import ask, request_bytes
from tests.protocols.google import sides
from tests.servers import free_port
from tests.vectors.google import JOSE, PGP, jose, manifest, pgp
from tests.vectors.sdk_requests import SDK_REQUESTS, SdkRequest
from tests.wallet import ACQUIRER, CLIENT, PSP, key
from tests.web.test_google_envelopes import SAMPLE_TIME

pytestmark = [pytest.mark.slow, pytest.mark.server]

PATH: Final = "/aps/api/v1/users/sendOTP"
LISTENING: Final[dict[str, Callable[[int], list[str]]]] = {
    **SERVERS,
    "development": lambda port: [
        sys.executable, "-m", "flask", "--app", MODULE, "run", f"--port={port}",
    ],
}  # fmt: skip


def of_each_library(kind: Path) -> list[str]:
    """Return one message of each library; tests without a server open the others too."""
    rows = manifest(kind).items()
    return list({row["made_by"]: name for name, row in rows if "made_by" in row}.values())


GOOGLE_JOSE: Final = of_each_library(JOSE)
GOOGLE_PGP: Final = of_each_library(PGP)
_users = count()


@pytest.fixture(scope="module", params=LISTENING)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """Start each server once; the wallet's time is that of Google's samples."""
    name, port = str(request.param), free_port()
    accounts = {
        "jose": sides.jose_wallet(),
        "pgp": {**sides.pgp_wallet(), "paths": "/pgp"},
    }
    folder = tmp_path_factory.mktemp(name)
    with deployed(
        folder,
        LISTENING[name](port),
        port,
        CLOCK=SAMPLE_TIME.isoformat(),
        OTP_MPP_GOOGLE_ACCOUNTS=accounts,
    ) as running:
        running.name = name
        yield running


def asked(server: Deployed, sdk: SdkRequest, user: str) -> Response:
    data = sdk.write(
        path=PATH,
        client=CLIENT,
        signer=LocalSigner("1", key("alipay+")),
        now=SAMPLE_TIME,
        acquirer=ACQUIRER,
        psp=PSP,
        token=f"tok-{user}",
    )
    return ask(server.port, data)


@pytest.mark.parametrize("sdk", SDK_REQUESTS, ids=lambda sdk: sdk.client)
def test_a_request_of_an_official_sdk_is_served(server: Deployed, sdk: SdkRequest) -> None:
    """F9, G9: unless the server itself refuses what a proxy before it would mend."""
    user = f"sdk{next(_users)}"
    response = asked(server, sdk, user)
    if sdk.client.endswith("-go") and server.name.startswith("gunicorn"):
        # It refuses a Content-Type that comes twice, before the app learns of it.
        assert (response.status, server.outbox(user)) == (400, [])
        return
    assert response.status == 200, response
    assert b'"resultCode":"SUCCESS"' in response.body, response.body
    assert len(server.outbox(user)) == 1
    if server.name == "waitress":  # it writes the names of headers in its own way
        response = replace(response, headers=tuple((n.lower(), v) for n, v in response.headers))
    assert sdk.accepts(response, PATH, key("wallet").public_key())


@pytest.fixture(scope="module")
def sealers(gnupg: None) -> Iterator[dict[str, Sealer]]:
    """Open Google's side of both accounts."""
    sides_of = {"jose": sides.jose_google(), "pgp": sides.pgp_google()}
    opened = {
        name: open_sealers(read_accounts({name: side}))[name] for name, side in sides_of.items()
    }
    yield opened
    for sealer in opened.values():
        sealer.close()


@pytest.mark.parametrize("name", [*GOOGLE_JOSE, *GOOGLE_PGP])
def test_a_message_of_a_library_that_google_may_use_is_served(
    server: Deployed, name: str, sealers: dict[str, Sealer]
) -> None:
    """F9: it opens, and names a send that never was; Google can open the answer."""
    is_jose = name in GOOGLE_JOSE
    path, body = ("v1", jose(name)) if is_jose else ("pgp", pgp(name))
    kind = "application/jose" if is_jose else "application/octet-stream"
    call = Call("POST", f"/google/{path}/verifyOtp", {"content-type": kind}, body)
    response = ask(server.port, request_bytes(call))
    headers = {name.lower(): value for name, value in response.headers}
    assert (response.status, headers["content-type"].partition(";")[0]) == (404, kind)
    answer = json.loads(sealers["jose" if is_jose else "pgp"].open(response.body).payload)
    assert answer["errorResponseCode"] == "INVALID_IDENTIFIER"


def test_the_libraries_are_those_that_callers_use() -> None:
    """F9: five ways of the official SDKs, and what makes JOSE and OpenPGP elsewhere."""
    assert len(SDK_REQUESTS) == 5
    assert len(GOOGLE_JOSE) == 3
    assert len(GOOGLE_PGP) == 5
    page = (ROOT / "docs/operations.md").read_text()
    section = page.partition("## Clients of others")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `(.+?)` \|", section, re.MULTILINE)
    makers = [
        row["made_by"]
        for kind, names in ((JOSE, GOOGLE_JOSE), (PGP, GOOGLE_PGP))
        for row in map(manifest(kind).__getitem__, names)
    ]
    assert documented == [*(sdk.client for sdk in SDK_REQUESTS), *makers]
