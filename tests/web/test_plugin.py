"""A host tests its wallet as it stands: hooks of the module, an app for each test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from flask import Flask

from flask_otp_mpp import (
    AlipayPlus,
    Ams,
    Channel,
    ConfigurationError,
    OtpMpp,
    state_of,
)
from flask_otp_mpp.callers import AlipayPlusCaller, AmsCaller, over_wsgi
from flask_otp_mpp.signing import one_line
from flask_otp_mpp.testing import FrozenClock, Inbox, override
from tests.public import private_imports
from tests.test_documentation import ROOT, load
from tests.wallet import load_user

pytest_plugins = ["flask_otp_mpp.testing.plugin"]
quickstart = load(ROOT / "docs/examples/quickstart.py")
EXAMPLE = re.compile(r"```py\n(.*?)```", re.DOTALL)


@pytest.fixture
def app(otp_inbox: Inbox, otp_clock: FrozenClock, otp_settings: dict[str, Any]) -> Flask:
    app: Flask = quickstart.create_app(otp_settings)
    return app


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_an_inbox_of_its_own(
    number: int, otp_caller: AlipayPlusCaller, otp_inbox: Inbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """F1: though the hooks were registered once, and the host's sender is not called."""
    sent = otp_caller.send("token-of-ada")
    assert sent.verified
    assert sent.code == "SUCCESS"
    assert len(otp_inbox) == 1
    assert capsys.readouterr().out == ""


def test_requests_of_one_moment_are_no_repeats(
    otp_caller: AlipayPlusCaller, otp_inbox: Inbox, otp_clock: FrozenClock
) -> None:
    """Each guess counts, though the clock stands still."""
    request_id = otp_caller.send("token-of-ada").verify_request_id
    wrong = "000000" if otp_inbox.code != "000000" else "000001"
    codes = [otp_caller.verify("token-of-ada", request_id, wrong).code for _ in range(6)]
    assert codes == ["OTP_VERIFY_UNMATCHED"] * 5 + ["OTP_VERIFY_TIMES_EXCEED_LIMIT"]
    otp_clock.forward(days=1)
    assert otp_caller.send("token-of-ada").code == "SUCCESS"


@pytest.fixture
def send(otp_caller_key: RSAPrivateKey) -> Callable[[Flask], str]:
    """Return what calls sendOTP of an app, by its own clock."""

    def call(app: Flask) -> str:
        caller = AlipayPlusCaller(
            over_wsgi(app),
            client_id="SANDBOX_TEST",
            key=otp_caller_key,
            server_keys=state_of(app).public_keys,
            psp_id="TEST_PSP",
            clock=state_of(app).clock,
        )
        return caller.send("token-of-ada").code

    return call


def test_an_app_without_the_inbox_has_its_own_sender(
    otp_settings: dict[str, Any],
    send: Callable[[Flask], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F1: what one app is given is no other one's, whenever it is called."""
    before = quickstart.create_app(otp_settings)
    with override(inbox=(inbox := Inbox())):
        tested = quickstart.create_app(otp_settings)
    after = quickstart.create_app(otp_settings)
    assert [send(app) for app in (before, tested, after)] == ["SUCCESS"] * 3
    assert len(inbox) == 1
    assert capsys.readouterr().out.count("to +8613000000001: ") == 2


def test_blocks_may_be_nested(otp_settings: dict[str, Any], send: Callable[[Flask], str]) -> None:
    """What the inner one leaves out is that of the outer one."""
    inbox, clock = Inbox(), FrozenClock()
    with override(inbox=inbox):
        with override(clock=clock):
            both = quickstart.create_app(otp_settings)
        inbox_only = quickstart.create_app(otp_settings)
    assert [send(app) for app in (both, inbox_only)] == ["SUCCESS"] * 2
    assert len(inbox) == 2
    assert state_of(both).clock is clock
    assert state_of(inbox_only).clock is not clock


def test_a_sender_that_is_missing_stays_missing(otp_inbox: Inbox) -> None:
    """F2: a test finds what production would find."""
    otp = OtpMpp(AlipayPlus)
    otp.user_loader(load_user)
    with pytest.raises(ConfigurationError, match=r"'@otp\.sender': is missing"):
        otp.init_app(Flask("tests.senderless"))


class TestMerchant:
    """A wallet of AMS."""

    @pytest.fixture
    def app(
        self, otp_inbox: Inbox, otp_settings: dict[str, Any], otp_caller_key: RSAPrivateKey
    ) -> Flask:
        app = Flask("tests.shop")
        app.config.update(otp_settings)
        clients = {"SANDBOX_SHOP": {"3": one_line(otp_caller_key.public_key())}}
        app.config.update(OTP_MPP_AMS_CLIENTS=clients, OTP_MPP_AMS_SANDBOX_PUBLIC_PREFIX="/trial")
        otp = OtpMpp(AlipayPlus, Ams)
        otp.user_loader(load_user)
        otp.sender(Channel.MOBILE)(Inbox())
        otp.init_app(app)
        return app

    def test_the_merchant_is_the_client_of_the_app(
        self, otp_merchant: AmsCaller, otp_inbox: Inbox
    ) -> None:
        """G11: it calls the public prefix of its kind, by the version of its key."""
        sent = otp_merchant.init("tok-ada", "order-1")
        assert sent.verified
        assert sent.code == "SUCCESS"
        assert sent.call.uri == "/trial/initAuthentication"
        assert otp_merchant.verify("order-1", otp_inbox.code).passed is True


@pytest.mark.slow
def test_the_tests_of_the_documentation_pass_as_they_stand(tmp_path: Path) -> None:
    """O4: beside the quickstart, by a pytest of their own."""
    [example] = EXAMPLE.findall((ROOT / "docs/testing.md").read_text())
    assert list(private_imports(example)) == []
    (tmp_path / "test_wallet.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "docs/examples")))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
