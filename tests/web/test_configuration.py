"""An app with a fault in its configuration does not start, and one error reports every fault."""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from flask import Flask

from flask_otp_mpp import (
    AlipayPlus,
    Ams,
    Channel,
    ConfigurationError,
    GoogleStandardPayments,
    OtpMpp,
    Policy,
    SQLAlchemyStore,
    state_of,
)
from flask_otp_mpp.core.policy import Resend
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.testing import Inbox
from tests.protocols.google import sides
from tests.wallet import CLIENT, Wallet, key, load_user, open_wallet, settings

WEAK = private_pem(rsa.generate_private_key(65537, 1024)).decode()
SPKI_OF_EC = ec.generate_private_key(ec.SECP256R1()).public_key()


def findings_of(**changed: Any) -> list[tuple[str, str]]:
    """Try to start; return what is found, in order."""
    with pytest.raises(ConfigurationError) as caught:
        open_wallet(**changed)
    return list(caught.value.faults)


def faults_of(**changed: Any) -> dict[str, str]:
    """Try to start; return the finding for each key at fault, of which each has one."""
    found = findings_of(**changed)
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.mark.parametrize(
    ("key_name", "value", "finding"),
    [
        ("OTP_MPP_PEPPER", None, "is missing"),
        ("OTP_MPP_PEPPER", "short", "32 bytes or more"),
        ("OTP_MPP_PEPPER", ["x" * 40, "short"], "32 bytes or more"),
        ("OTP_MPP_PEPPER", {}, "a text or a list"),
        ("OTP_MPP_PRIVATE_KEYS", None, "flask otp-mpp keygen"),
        ("OTP_MPP_PRIVATE_KEYS", "key.pem", "set it to a mapping"),
        ("OTP_MPP_PRIVATE_KEYS", {"1": "/no/such/key.pem"}, "neither a file that exists"),
        ("OTP_MPP_PRIVATE_KEYS", {"1": "-----BEGIN nonsense"}, "does not load"),
        ("OTP_MPP_PRIVATE_KEYS", {"1": WEAK}, "1024 bits; use 2048"),
        ("OTP_MPP_KEY_VERSION", "9", "name the key that signs: '1'"),
        ("OTP_MPP_PRIVATE_KEYS", {}, "found an empty mapping"),
        ("OTP_MPP_PRIVATE_KEYS", {"1": ""}, "key '1': found nothing"),
        ("OTP_MPP_STORE", None, "sqlite:////path/otp.db"),
        ("OTP_MPP_STORE", ["sqlite:////x.db"], "found a list; set it to a text"),
        ("OTP_MPP_STORE", "no url", "is not a store URL"),
        ("OTP_MPP_STORE", "sqlite://", "use a file"),
        ("OTP_MPP_STORE", "nosuch://host/db", "is not a store URL"),
        ("OTP_MPP_STORE", "mssql+pyodbc://host/db", "is not a store URL"),
        ("OTP_MPP_STORE", "sqlite:///file:otp?mode=memory&cache=shared&uri=true", "use a file"),
        ("OTP_MPP_STORE", "postgresql+pg8000://u:pw@host/db", "found postgresql+pg8000://"),
        ("OTP_MPP_STORE", "redis://host:6379/zero?nosuch=1", "is not a Redis URL"),
        ("OTP_MPP_STORE_CHECK", "never", "'refuse' or 'warn'"),
        ("OTP_MPP_STORE_EVICTION", False, "'refuse' or 'warn'"),
        ("OTP_MPP_STORE_POOL_SIZE", 0, "1 to 100"),
        ("OTP_MPP_STORE_POOL_SIZE", 101, "1 to 100"),
        ("OTP_MPP_DELIVERIES", 0, "1 to 10000"),
        ("OTP_MPP_STORE_CONNECT_TIMEOUT", 0, "1 to 10 whole seconds"),
        ("OTP_MPP_STORE_CONNECT_TIMEOUT", 2.5, "whole number"),
        ("OTP_MPP_STORE_STATEMENT_TIMEOUT", 11, "1 to 10 whole seconds"),
        ("OTP_MPP_STORE_STATEMENT_TIMEOUT", timedelta(seconds=1.5), "whole seconds"),
        ("OTP_MPP_STORE_PRE_PING", "yes", "true or false"),
        ("OTP_MPP_WALLET_NAME", None, "is missing"),
        ("OTP_MPP_WALLET_NAME", " ", "not empty"),
        ("OTP_MPP_WALLET_NAME", "x" * 41, "at most 40"),
        ("OTP_MPP_WALLET_NAME", "two\nlines", "printable"),
        ("OTP_MPP_DOMAIN", "https://wallet.example/", "bare host name"),
        ("OTP_MPP_MESSAGE", "Your code.", "no {code}"),
        ("OTP_MPP_MESSAGE", "{code} {phone}", "'phone'"),
        ("OTP_MPP_MESSAGE", "{code} {", "{"),
        ("OTP_MPP_CODE_DIGITS", 5, "6 to 10"),
        ("OTP_MPP_CODE_DIGITS", "six", "whole number"),
        ("OTP_MPP_CODE_LIFE", 601, "30 to 600"),
        ("OTP_MPP_CODE_LIFE", -1, "-1 is negative; set it to 30 to 600 seconds"),
        ("OTP_MPP_CODE_TRIES", 6, "1 to 5"),
        ("OTP_MPP_RESEND", "again", "'rotate' or 'reuse'"),
        ("OTP_MPP_COOL_DOWN", 28801, "28800"),
        ("OTP_MPP_SEND_LIMITS", "2 per day", "3 sends a day"),
        ("OTP_MPP_SEND_LIMITS", "", "at least one limit"),
        ("OTP_MPP_SEND_LIMITS", "often", "is no limit string"),
        ("OTP_MPP_FAILURE_LIMIT", 101, "1 to 100"),
        ("OTP_MPP_FIRST_LOCK", 59, "60 s"),
        ("OTP_MPP_LONGEST_LOCK", 31 * 86400, "30 days"),
        ("OTP_MPP_FORGET_AFTER", 3600, "1 to 365 days"),
        ("OTP_MPP_RETENTION", 60, "60 is too small; set it to 1200 to 31536000 seconds"),
        ("OTP_MPP_FRESHNESS", 3600, "30 to 900"),
        ("OTP_MPP_BODY_LIMIT", 10, "1024"),
        ("OTP_MPP_ADDRESS_LIMIT", "many per moment", "is no limit string"),
        ("OTP_MPP_CLIENT_LIMIT", 5, "is no limit string"),
        ("OTP_MPP_LIMITER_STORAGE", "nosuch://", "can't be used by Flask-Limiter"),
        ("OTP_MPP_LIMITER_STRATEGY", "guess", "fixed-window"),
        ("OTP_MPP_LIMITER_FAILURE", "ajar", "'closed' or 'open'"),
        ("OTP_MPP_ALIPAYPLUS_CLIENTS", None, "register @otp.client_key"),
        ("OTP_MPP_ALIPAYPLUS_CLIENTS", {CLIENT: {"1": "?"}}, f"client '{CLIENT}': key '1'"),
        ("OTP_MPP_ALIPAYPLUS_CLIENTS", {CLIENT: "key"}, "maps to a text; map it to {key"),
        ("OTP_MPP_ALIPAYPLUS_PSP_ID", None, "pspId"),
        ("OTP_MPP_ALIPAYPLUS_ACQUIRERS", [], "a list"),
        ("OTP_MPP_ALIPAYPLUS_PREFIX", "aps/", "slash"),
        ("OTP_MPP_ALIPAYPLUS_PUBLIC_PREFIX", "/aps?", "slash"),
        ("OTP_MPP_ALIPAYPLUS_VERIFY_PATH", "/sendOTP", "each API needs its own"),
        ("OTP_MPP_CODE_LIVE", 300, "did you mean 'OTP_MPP_CODE_LIFE'?"),
        ("OTP_MPP_XYZ", 1, "remove it"),
    ],
)
@pytest.mark.alike(7)
def test_a_fault_is_named_with_its_key_and_remedy(key_name: str, value: Any, finding: str) -> None:
    """F2, L2, L3, A3, G12, R2: and no other key is reported."""
    faults = faults_of(**{key_name: value})
    assert list(faults) == [key_name]
    assert finding in faults[key_name]


def test_a_store_has_the_configured_options(make_wallet: Callable[..., Wallet]) -> None:
    """O1: numbers as texts, too, as an environment without JSON gives them."""
    usual = {"SIZE": 16, "OVERFLOW": 0, "TIMEOUT": 3}
    changed = {"SIZE": 2, "OVERFLOW": 0, "TIMEOUT": 2}
    for wanted, options in (
        (usual, {}),
        (
            changed,
            {
                "OTP_MPP_STORE_POOL_SIZE": "2",
                "OTP_MPP_STORE_STATEMENT_TIMEOUT": timedelta(seconds=1),
            },
        ),
    ):
        store = make_wallet(store="sqlite", **options).state.store
        assert isinstance(store, SQLAlchemyStore)
        pool = store.engine.pool
        assert isinstance(pool, sa.QueuePool)
        found = {"SIZE": pool.size(), "OVERFLOW": pool._max_overflow, "TIMEOUT": pool._timeout}
        assert found == wanted


def test_all_faults_are_reported_together() -> None:
    """F2: one start shows them all, those of hooks among them."""
    app = Flask(__name__)
    app.config.update(
        settings(
            OTP_MPP_PEPPER=None,
            OTP_MPP_CODE_LIFE=601,
            OTP_MPP_CODE_DIGITS=4,
            OTP_MPP_STORE="sqlite://",
            OTP_MPP_ADDRESS_LIMIT="?",
            OTP_MPP_TYPO=1,
        )
    )
    with pytest.raises(ConfigurationError) as caught:
        OtpMpp(AlipayPlus).init_app(app)
    assert {name for name, _ in caught.value.faults} == {
        "OTP_MPP_PEPPER",
        "OTP_MPP_CODE_LIFE",
        "OTP_MPP_CODE_DIGITS",
        "OTP_MPP_STORE",
        "OTP_MPP_ADDRESS_LIMIT",
        "OTP_MPP_TYPO",
        "@otp.user_loader",
        "@otp.sender",
    }
    assert str(caught.value).count("\n") == 8
    assert not app.blueprints


def test_no_fault_hides_another_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """F2: of values, of the policy, of hooks, of the store, of each protocol and its library."""
    monkeypatch.delitem(sys.modules, "flask_otp_mpp.protocols.google.phone", raising=False)
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    app = Flask(__name__)
    app.config.update(
        settings(
            OTP_MPP_PEPPER=None,
            OTP_MPP_PRIVATE_KEYS={"1": WEAK, "2": "?", "3": private_pem(key("wallet")).decode()},
            OTP_MPP_RETENTION=-1,
            OTP_MPP_CODE_DIGITS=4,
            OTP_MPP_FIRST_LOCK=90000,
            OTP_MPP_STORE="postgresql+psycopg://u:hunter2@host/db",
            OTP_MPP_STORE_POOL_SIZE=0,
            OTP_MPP_ALIPAYPLUS_CLIENTS={"A": "?", "B": {"1": "?", "2": WEAK}},
            OTP_MPP_ALIPAYPLUS_PSP_ID=None,
            OTP_MPP_ALIPAYPLUS_VERIFY_PATH="/sendOTP",
            OTP_MPP_AMS_KEEP=1,
            OTP_MPP_AMS_PREFIX="/aps/api/v1/users/ams",
            OTP_MPP_GOOGLE_ACCOUNTS={
                "a": {"envelope": "zip"},
                "b": {"envelope": "pgp", "paths": "/b", "timeout": 99, "our_keys": "?"},
                "c": {"envelope": "plain", "paths": "/c"},
                "d": sides.pgp_wallet(paths="/d", program="/no/such/gpg"),
            },
        )
    )
    otp = OtpMpp(AlipayPlus, Ams, GoogleStandardPayments)
    otp.client_key(GoogleStandardPayments)(lambda client, version: None)
    otp.sender(Channel.EMAIL)(Inbox())
    with pytest.raises(ConfigurationError) as caught:
        otp.init_app(app)
    keys = [name.removeprefix("OTP_MPP_") for name, _ in caught.value.faults]
    assert sorted(Counter(keys).items()) == [
        ("@otp.client_key(GoogleStandardPayments)", 1),
        ("@otp.sender(Channel.MOBILE)", 1),
        ("@otp.user_loader", 1),
        ("@otp.user_loader(AssociationId)", 1),
        ("@otp.user_loader(PhoneNumber)", 1),
        ("ALIPAYPLUS_CLIENTS", 3),
        ("ALIPAYPLUS_PSP_ID", 1),
        ("ALIPAYPLUS_VERIFY_PATH", 1),
        ("AMS_CLIENTS", 1),
        ("AMS_KEEP", 1),
        ("AMS_PREFIX", 1),
        ("CODE_DIGITS", 1),
        ("FIRST_LOCK", 1),
        # One in a, three in b, one in c and d each, and the library for numbers.
        ("GOOGLE_ACCOUNTS", 7),
        ("KEY_VERSION", 1),
        ("PEPPER", 1),
        ("PRIVATE_KEYS", 2),
        ("RETENTION", 1),
        ("STORE", 1),
        ("STORE_POOL_SIZE", 1),
    ]
    told = str(caught.value)
    assert told.startswith("flask-otp-mpp: 29 configuration errors:\n")
    assert "flask-otp-mpp[phone]" in told
    assert "flask-otp-mpp[postgresql]" in told
    assert "account 'c': 'plain' proves nothing" in told
    assert "account 'd': needs the program 'gpg'" in told
    assert "hunter2" not in told


def test_a_policy_may_be_passed_as_an_object(make_wallet: Callable[..., Wallet]) -> None:
    """F2: its bounds hold where it is made."""
    policy = Policy(digits=8, resend=Resend.REUSE)
    wallet = make_wallet(options={"policy": policy})
    assert wallet.state.policy is policy
    assert len(wallet.sent()[1]) == 8


def test_a_policy_and_keys_of_a_policy_exclude_each_other() -> None:
    """F2: which of both would hold is never guessed, even if they say the same."""
    assert faults_of(
        options={"policy": Policy()}, OTP_MPP_CODE_DIGITS=6, OTP_MPP_RETENTION=-1
    ) == dict.fromkeys(
        ["OTP_MPP_CODE_DIGITS", "OTP_MPP_RETENTION"],
        "is set, and OtpMpp was given policy=; remove the one or the other",
    )


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_wallets_own_key_is_no_callers_key(version: str) -> None:
    """K2: whoever sees a signed answer could send it back as a request."""
    own = {"1": key("wallet"), "2": key("wallet 2")}
    clients = {CLIENT: {"7": one_line(own[version].public_key())}}
    found = faults_of(
        OTP_MPP_PRIVATE_KEYS={name: private_pem(one).decode() for name, one in own.items()},
        OTP_MPP_KEY_VERSION="1",
        OTP_MPP_ALIPAYPLUS_CLIENTS=clients,
    )
    assert found == {
        "OTP_MPP_ALIPAYPLUS_CLIENTS": (
            f"key '7' of client '{CLIENT}' is the wallet's own public key; list the caller's"
        )
    }


def test_the_wallets_own_key_is_found_beside_keys_that_can_not_be_used() -> None:
    """F2, K2: on either side."""
    own = key("wallet")
    found = findings_of(
        OTP_MPP_PRIVATE_KEYS={"1": private_pem(own).decode(), "2": "?"},
        OTP_MPP_KEY_VERSION="1",
        OTP_MPP_ALIPAYPLUS_CLIENTS={CLIENT: {"7": one_line(own.public_key()), "8": "?"}},
    )
    assert [name for name, _ in found] == [
        "OTP_MPP_PRIVATE_KEYS",
        "OTP_MPP_ALIPAYPLUS_CLIENTS",
        "OTP_MPP_ALIPAYPLUS_CLIENTS",
    ]
    assert "is the wallet's own public key" in found[-1][1]


def test_every_key_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    """F2: by client, version and file."""
    file = tmp_path / "caller.pem"
    file.write_bytes(private_pem(key("unrelated")))
    path = str(file)
    assert findings_of(
        OTP_MPP_KEY_VERSION="2",
        OTP_MPP_PRIVATE_KEYS={"1": 7, "2": one_line(key("wallet").public_key())},
        OTP_MPP_ALIPAYPLUS_CLIENTS={"A": {"1": path, "2": None}, "B": [path]},
    ) == [
        ("OTP_MPP_PRIVATE_KEYS", "key '1': found a number; write the key or a file's path"),
        (
            "OTP_MPP_PRIVATE_KEYS",
            "key '2': this is a public key; a private key is needed",
        ),
        (
            "OTP_MPP_ALIPAYPLUS_CLIENTS",
            f"client 'A': key '1': file '{path}': this is a private key; a public key is "
            "needed, give that one",
        ),
        (
            "OTP_MPP_ALIPAYPLUS_CLIENTS",
            "client 'A': key '2': found nothing; write the key or a file's path",
        ),
        (
            "OTP_MPP_ALIPAYPLUS_CLIENTS",
            "client 'B' maps to a list; map it to {key version: public key}",
        ),
    ]


@pytest.mark.parametrize("name", ["OTP_MPP_LIMITER_STORAGE", "RATELIMIT_STORAGE_URI"])
@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("nosuch://user:hunter2@host", "nosuch://…"),
        ("hunter2", "what is no URI"),
        ("redis://user:hunter2/x@host:6379/0", "redis://…"),
        ("redis://:hunter2#x@host:6379/0", "redis://…"),
        ("redis://user:x@host:hunter2/0", "redis://…"),
        ("redis://user:x@127.0.0.1:1/0?socket_timeout=hunter2", "redis://…"),
        ("redis+cluster://user:hunter2@127.0.0.1:1", "redis+cluster://…"),
        ("redis+sentinel://user:hunter2@127.0.0.1:1", "redis+sentinel://…"),
        ("async+redis://user:hunter2@127.0.0.1:1", "async+redis://…, whose counts only asyncio"),
        ("valkey://hunter2:1", "valkey://…, which needs 'valkey'; install that"),
    ],
)
def test_the_password_of_a_limiter_is_not_in_the_message(name: str, uri: str, shown: str) -> None:
    """P1: libraries quote the URI, or what they take for its host or port."""
    found = faults_of(**{name: uri})
    assert list(found) == ["OTP_MPP_LIMITER_STORAGE"]
    assert f"found {shown}" in found["OTP_MPP_LIMITER_STORAGE"]
    assert "hunter2" not in str(found)


def test_a_strategy_that_the_limiters_storage_can_not_do_is_a_fault() -> None:
    """F2: it is no fault of the URI, and is found before the first request."""
    assert faults_of(
        OTP_MPP_LIMITER_STRATEGY="moving-window",
        OTP_MPP_LIMITER_STORAGE="memcached://127.0.0.1:1",
    ) == {
        "OTP_MPP_LIMITER_STRATEGY": "'moving-window' can't be counted in memcached://…; "
        "use 'fixed-window', or another storage"
    }


def test_no_secret_is_in_the_message() -> None:
    """P1: a secret in the wrong place or of the wrong kind is not repeated."""
    secret = "s3cr3t"
    faults = faults_of(
        OTP_MPP_PEPPER=secret,
        OTP_MPP_PRIVATE_KEYS={"1": secret},
        OTP_MPP_CODE_LIFE=secret,
        OTP_MPP_STORE=f"nosuch://user:{secret}@host/db",
    )
    assert len(faults) == 4
    assert secret not in str(faults)


def test_several_keys_need_a_current_version() -> None:
    """K2: the signing key is never guessed."""
    keys = {"1": private_pem(key("wallet")).decode(), "2": private_pem(key("wallet 2")).decode()}
    faults = faults_of(OTP_MPP_PRIVATE_KEYS=keys)
    assert faults == {"OTP_MPP_KEY_VERSION": "is missing; name the key that signs: '1', '2'"}
    faults = faults_of(OTP_MPP_PRIVATE_KEYS=keys, OTP_MPP_KEY_VERSION=["1"])
    assert faults == {"OTP_MPP_KEY_VERSION": "found a list; set it to a text that is not empty"}


def test_settings_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """F2: numbers and mappings as JSON, as Flask's from_prefixed_env reads them."""
    for name, value in settings().items():
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(f"FLASK_{name}", text)
    monkeypatch.setenv("FLASK_OTP_MPP_CODE_LIFE", "120")
    app = Flask(__name__)
    app.config.from_prefixed_env()
    otp = OtpMpp(AlipayPlus)
    otp.user_loader(load_user)
    otp.sender(Channel.MOBILE)(Inbox())
    otp.init_app(app)
    assert state_of(app).policy.life.total_seconds() == 120


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_key_file_that_everybody_can_read_causes_a_warning(
    mode: int, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """G12: by its version, with what to do."""
    path = tmp_path / "key.pem"
    path.write_bytes(private_pem(key("wallet")))
    path.chmod(mode)
    open_wallet(OTP_MPP_PRIVATE_KEYS={"7": str(path)})
    assert ("key '7'; chmod 600 it" in caplog.text) is warned


@pytest.mark.parametrize(("debug", "warned"), [(False, True), (True, False)])
def test_the_memory_store_causes_a_warning_outside_of_trials(
    debug: bool, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """L5: a restart deletes the counted tries."""
    open_wallet(config={"DEBUG": debug})
    assert ("forgets counted tries" in caplog.text) is warned


def test_an_extension_without_a_protocol_is_a_type_error() -> None:
    """F2: raised where the object is made."""
    with pytest.raises(TypeError, match=r"OtpMpp\(AlipayPlus\)"):
        OtpMpp()


def test_the_state_of_an_app_without_the_extension_is_a_runtime_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F2: instead of a KeyError."""
    with pytest.raises(RuntimeError, match="init_app"):
        state_of(Flask(__name__))
    assert caplog.get_records("call") == []
    assert logging.getLogger("flask_otp_mpp").handlers == []


def test_the_policy_is_what_was_configured(wallet: Wallet) -> None:
    """F2: the defaults are those of the documentation."""
    policy = wallet.state.policy
    assert (policy.digits, policy.tries, policy.failure_limit) == (6, 5, 10)
    assert [(limit.count, limit.window.total_seconds()) for limit in policy.send_limits] == [
        (5, 600),
        (10, 86400),
    ]
