"""What is imported when: of a protocol, a store or a command, only what an app asks for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

pytestmark = pytest.mark.slow

UNUSED: Final = (
    "flask_otp_mpp.audit.trail",
    "flask_otp_mpp.callers",
    "flask_otp_mpp.conformance",
    "flask_otp_mpp.protocols.alipay.ams",
    "flask_otp_mpp.protocols.google",
    "flask_otp_mpp.stores.redis",
    "flask_otp_mpp.stores.sql",
    "flask_otp_mpp.testing",
    "flask_otp_mpp.web.checks",
    "flask_otp_mpp.web.cli",
    "flask_otp_mpp.web.doc_tables",
    "flask_otp_mpp.web.openapi",
    "flask_otp_mpp.web.profiles",
    "flask_otp_mpp.web.prometheus",
    "flask_otp_mpp.web.trial",
    "alembic",
    "joserfc",
    "phonenumbers",
    "psycopg",
    "pytest",
    "redis",
    "sqlalchemy",
)
"""What an app that serves Alipay+ from memory, without more, has no use for."""
STARTED: Final = """
import json, sys
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from flask_otp_mpp import AlipayPlus, Channel, OtpMpp
from flask_otp_mpp.signing import one_line, private_pem

config = json.loads(sys.argv[1])
if config.get("OTP_MPP_AUDIT"):
    import sqlalchemy
    from flask_otp_mpp import SQLAlchemyStore, attach_audit_table
    store, tables = SQLAlchemyStore(config["OTP_MPP_STORE"]), sqlalchemy.MetaData()
    store.create_tables()
    attach_audit_table(tables)
    tables.create_all(store.engine)
    store.engine.dispose()
CLIENT = "SANDBOX_5Y00000000000000"
ours, theirs = (rsa.generate_private_key(65537, 2048) for _ in range(2))
app, otp, codes = Flask("wallet"), OtpMpp(AlipayPlus), []
app.config.update(
    OTP_MPP_PRIVATE_KEYS={"1": private_pem(ours).decode()},
    OTP_MPP_ALIPAYPLUS_CLIENTS={CLIENT: {"1": one_line(theirs.public_key())}},
    OTP_MPP_ALIPAYPLUS_PSP_ID="1022172000000000000",
    OTP_MPP_PEPPER="a pepper for tests, of more than thirty-two bytes",
    OTP_MPP_WALLET_NAME="Wallet",
    **config,
)
otp.user_loader(lambda token, caller: token)
otp.user_identity(lambda user: user)
otp.sender(Channel.MOBILE)(lambda user, message: codes.append(message.code))
otp.init_app(app)
"""
SERVED: Final = """
started = set(sys.modules)
from flask_otp_mpp.callers import AlipayPlusCaller, over_wsgi
caller = AlipayPlusCaller(
    over_wsgi(app), client_id=CLIENT, key=theirs, server_keys={"1": ours.public_key()},
    psp_id="1022172000000000000", acquirer_id="1022188000000000000",
)
ready = set(sys.modules)
sent = caller.send("ada")
answers = [sent, *(caller.verify("ada", sent.verify_request_id, one) for one in ("0", codes[0]))]
print(json.dumps([[one.code for one in answers], [*ready - started], [*set(sys.modules) - ready]]))
"""


def run(program: str, **config: object) -> list[list[str]]:
    """Return the last line that a program prints in a new interpreter, which is JSON."""
    command = [sys.executable, "-c", program, json.dumps(config)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    printed: list[list[str]] = json.loads(done.stdout.splitlines()[-1])
    return printed


def modules_after(program: str, **config: object) -> set[str]:
    """Return what a new interpreter has imported after a program."""
    [modules] = run(f"{program}\nimport json, sys\nprint(json.dumps([[*sys.modules]]))", **config)
    return set(modules)


def below(modules: set[str], *packages: str) -> set[str]:
    """Return the modules of some packages."""
    within = tuple(f"{package}." for package in packages)
    return {name for name in modules if name in packages or name.startswith(within)}


def test_the_package_alone_imports_no_protocol_and_no_store_of_a_server() -> None:
    modules = modules_after("import flask_otp_mpp")
    assert not below(modules, *UNUSED, "flask_otp_mpp.protocols.alipay")


def test_an_app_imports_what_its_settings_ask_for() -> None:
    """Without SQL no SQLAlchemy is needed: it is the largest library."""
    in_memory = modules_after(STARTED, OTP_MPP_STORE="memory://")
    assert not below(in_memory, *UNUSED)
    in_redis = modules_after(STARTED, OTP_MPP_STORE="redis://127.0.0.1:1/0")
    assert below(in_redis, *UNUSED) == below(in_redis, "redis", "flask_otp_mpp.stores.redis")


@pytest.mark.parametrize(
    "config",
    [
        {"OTP_MPP_STORE": "memory://"},
        {"OTP_MPP_STORE": "memory://", "OTP_MPP_TRIAL": True},
        {"OTP_MPP_STORE": "sqlite:///{}/otp.db", "OTP_MPP_AUDIT": "store"},
    ],
    ids=["memory", "trial", "SQLite and audit trail"],
)
def test_a_request_imports_nothing_of_the_package(config: dict[str, Any], tmp_path: Path) -> None:
    """It would wait for the import: what it needs was imported when the app started.

    The caller in the same process brings none of it: it imports modules of callers alone.
    """
    store = {"OTP_MPP_STORE": config["OTP_MPP_STORE"].format(tmp_path)}
    answers, of_caller, of_requests = run(STARTED + SERVED, **{**config, **store})
    assert answers == ["SUCCESS", "OTP_VERIFY_UNMATCHED", "SUCCESS"]
    ours = below({*of_caller}, "flask_otp_mpp")
    assert ours == below(ours, "flask_otp_mpp.callers")
    assert not below({*of_requests}, "flask_otp_mpp")


def test_a_command_of_another_package_imports_none_of_ours() -> None:
    """Flask loads the group of our commands before it looks for any command."""
    modules = below(modules_after("import flask_otp_mpp.web.cli"), *UNUSED)
    assert modules == {"flask_otp_mpp.web.cli", "flask_otp_mpp.web.cli.group"}
