"""``flask otp-mpp check``: each thing that can be wrong with a deployment is found."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf import CSRFProtect
from limits.storage import RedisStorage

from flask_otp_mpp import (
    AlipayPlus,
    Channel,
    GoogleStandardPayments,
    MemoryStore,
    SQLAlchemyStore,
    state_of,
)
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from flask_otp_mpp.signing.jwk_sets import jwk
from flask_otp_mpp.signing.keys import one_line, private_pem
from flask_otp_mpp.testing import FrozenClock, Inbox
from flask_otp_mpp.testing.contract.builders import opened
from flask_otp_mpp.web import checks
from flask_otp_mpp.web.checks import checked_app
from flask_otp_mpp.web.cli.check import STATUS
from tests.commands import flask
from tests.protocols.google.sides import pgp_wallet
from tests.stores import redis_server, servers
from tests.wallet import CLIENT, PEPPER, key
from tests.web.deployment import PASSWORD, Deployment, deliver

ACCOUNTS = "OTP_MPP_GOOGLE_ACCOUNTS"
CLIENTS = "OTP_MPP_ALIPAYPLUS_CLIENTS"
KEYS = "OTP_MPP_PRIVATE_KEYS"
ELSEWHERE = "203.0.113.7"  # of TEST-NET-3 (RFC 5737): nobody is asked there
REDIS = f"redis://:{PASSWORD}@{ELSEWHERE}:6379/0"
Seed = Callable[[Deployment, pytest.MonkeyPatch], None]


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    folder = tmp_path / "wallet"
    folder.mkdir(0o700)
    return Deployment(folder)


def run_check(deployment: Deployment, *options: str) -> Result:
    return flask(deployment, "otp-mpp", "check", *options)


def found_in(deployment: Deployment) -> list[Mapping[str, str]]:
    findings: list[Mapping[str, str]] = json.loads(run_check(deployment, "--json").stdout)[
        "findings"
    ]
    return findings


def public(name: str) -> str:
    return one_line(key(name).public_key())


# Seeds: each changes one thing of a deployment.


def put(**changed: Any) -> Seed:
    def seed(deployment: Deployment, _patch: pytest.MonkeyPatch) -> None:
        deployment.config.update(changed)

    return seed


def serve(**changed: Any) -> Seed:
    """Return a seed that changes members of the deployment."""

    def seed(deployment: Deployment, _patch: pytest.MonkeyPatch) -> None:
        for name, value in changed.items():
            setattr(deployment, name, value)

    return seed


def mode(name: str, bits: int) -> Seed:
    def seed(deployment: Deployment, _patch: pytest.MonkeyPatch) -> None:
        (deployment.folder / name).chmod(bits)

    return seed


def store_at(url: str) -> Seed:
    """Return a seed of a store that nobody asks."""

    def seed(deployment: Deployment, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(checked_app, "report_of", lambda _store: None)
        deployment.config["OTP_MPP_STORE"] = url

    return seed


def limiter_at(url: str) -> Seed:
    """Return a seed of a Redis that counts traffic, and that nobody asks."""

    def seed(deployment: Deployment, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(RedisStorage, "check", lambda _storage: True)
        deployment.config["OTP_MPP_LIMITER_STORAGE"] = url

    return seed


def both(*seeds: Seed) -> Seed:
    def seed(deployment: Deployment, patch: pytest.MonkeyPatch) -> None:
        for one in seeds:
            one(deployment, patch)

    return seed


def google(ours: str = "google wallet", theirs: str = "google", **members: Any) -> Seed:
    """Return a seed by which Google is served beside Alipay+."""
    private = [jwk(key(ours), f"ours-{use}", use) for use in ("sig", "enc")]
    theirs_ = [jwk(key(theirs), f"theirs-{use}", use) for use in ("sig", "enc")]
    public_ = [{name: one[name] for name in ("kty", "kid", "use", "n", "e")} for one in theirs_]
    account = {"envelope": "jose", "our_keys": private, "their_keys": public_, **members}
    given = {name: value for name, value in account.items() if value is not None}
    return both(
        serve(protocols=[AlipayPlus, GoogleStandardPayments]), put(**{ACCOUNTS: {"gpay": given}})
    )


def swapped(deployment: Deployment, _patch: pytest.MonkeyPatch) -> None:
    keys = {"1": str(deployment.folder / "caller.pub")}
    clients = {CLIENT: {"1": str(deployment.folder / "own.pem")}}
    deployment.config.update({KEYS: keys, CLIENTS: clients})


def silent(name: str, **changed: Any) -> Seed:
    def seed(_deployment: Deployment, patch: pytest.MonkeyPatch) -> None:
        for member, value in changed.items():
            patch.setattr(logging.getLogger(name), member, value)

    return seed


def two_own_keys(second: str, signs: str = "1") -> Seed:
    pems = {"1": private_pem(key("wallet")).decode(), "2": private_pem(key(second)).decode()}
    return put(**{KEYS: pems, "OTP_MPP_KEY_VERSION": signs})


def key_with_exponent_3(deployment: Deployment, _patch: pytest.MonkeyPatch) -> None:
    odd = rsa.generate_private_key(3, 2048).public_key()
    deployment.config[CLIENTS] = {CLIENT: {"1": one_line(odd)}}


def old_key(deployment: Deployment, _patch: pytest.MonkeyPatch) -> None:
    deployment.age("own.pem", 1200)


class BadSigner:
    version = "1"

    def __init__(self, result: object) -> None:
        self._result = result

    def sign(self, data: bytes) -> Any:
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


class OwnStore:
    """A store of the host's, with or without a check."""

    def __init__(self, check: Callable[[], str] | None = None) -> None:
        self._store = MemoryStore()
        if check is not None:
            self.check = check

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def warning_store() -> str:
    logging.getLogger("flask_otp_mpp.stores").warning("%s may evict keys; stop it", "Redis")
    return "a Redis"


def own_store(check: Callable[[], str] | None = None) -> Seed:
    return both(
        put(OTP_MPP_STORE=None),
        lambda deployment, _: deployment.options.update(store=OwnStore(check)),
    )


def old_gpg(deployment: Deployment, patch: pytest.MonkeyPatch) -> None:
    for name in ("gpg", "gpgconf", "gpg-agent"):
        deployment.write(name, b"#!/bin/sh\necho 'gpg (GnuPG) 2.2.10'\n", 0o700)
    patch.setenv("PATH", str(deployment.folder), prepend=":")
    armor = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
    google(envelope="pgp", our_keys=armor, their_keys=armor)(deployment, patch)


def newest_code_in_the_future(deployment: Deployment, _patch: pytest.MonkeyPatch) -> None:
    store = deployment.store()
    deployment.clock.forward(hours=1)
    opened(store)
    deployment.clock.forward(hours=-1)
    store.engine.dispose()


def never_purged(deployment: Deployment, _patch: pytest.MonkeyPatch) -> None:
    store = deployment.store()
    opened(store)
    deployment.clock.forward(days=3)
    store.engine.dispose()


def own_limiter(*, enabled: bool = True, initialised: bool = True) -> Seed:
    def seed(deployment: Deployment, _patch: pytest.MonkeyPatch) -> None:
        limiter = Limiter(get_remote_address, storage_uri="memory://", enabled=enabled)
        deployment.options["limiter"] = limiter
        if initialised:
            deployment.finish = limiter.init_app

    return seed


def host_with(change: Callable[[Flask], None]) -> Seed:
    def seed(deployment: Deployment, _patch: pytest.MonkeyPatch) -> None:
        deployment.finish = change

    return seed


def login_wall(app: Flask) -> None:
    app.before_request(lambda: None)


def page_below_the_prefix(app: Flask) -> None:
    app.add_url_rule("/aps/api/v1/users/help", "help", lambda: "help")


def limiter_of_the_host(app: Flask) -> None:
    Limiter(get_remote_address, app=app, storage_uri="memory://")


def other_csrf(app: Flask) -> None:
    app.extensions["csrf"] = Inbox()


def installed(**versions: str | None) -> Seed:
    def seed(_deployment: Deployment, patch: pytest.MonkeyPatch) -> None:
        before = metadata.version

        def version(name: str) -> str:
            if versions.get(name, "") is None:
                raise metadata.PackageNotFoundError(name)
            return versions.get(name) or before(name)

        patch.setattr(metadata, "version", version)

    return seed


@dataclass(frozen=True)
class Row:
    """What is found where, after a seed: the id of the check, and a text of the finding."""

    id: str
    text: str
    seed: Seed


ROWS = [
    Row("configuration", "OTP_MPP_CODE_DIGITS 4 is too small", put(OTP_MPP_CODE_DIGITS=4)),
    Row("configuration", "this is a public key; a private key is needed", swapped),
    Row("configuration", "this is a private key; a public key is needed", swapped),
    Row(
        "configuration",
        "is the wallet's own public key",
        put(**{CLIENTS: {CLIENT: {"1": public("wallet")}}}),
    ),
    Row("not-served", "'OTP_MPP_ENABLED' is false", put(OTP_MPP_ENABLED=False)),
    Row("debug-mode", "DEBUG is on", put(DEBUG=True)),
    Row("testing-mode", "TESTING is on", put(TESTING=True)),
    Row("exceptions-propagate", "PROPAGATE_EXCEPTIONS is on", put(PROPAGATE_EXCEPTIONS=True)),
    Row("trial-mode", "clients of the sandbox can use", put(OTP_MPP_TRIAL=True)),
    Row(
        "trial-mode",
        "also of production, such as 'PROD'",
        put(OTP_MPP_TRIAL=True, TESTING=True, **{CLIENTS: {"PROD": {"1": public("alipay+")}}}),
    ),
    Row("store-check-off", "OTP_MPP_STORE_CHECK is 'warn'", put(OTP_MPP_STORE_CHECK="warn")),
    Row("eviction-accepted", "OTP_MPP_STORE_EVICTION is", put(OTP_MPP_STORE_EVICTION="warn")),
    Row("log-silent", "flask_otp_mpp is disabled", silent("flask_otp_mpp", disabled=True)),
    Row(
        "log-silent",
        "flask_otp_mpp.stores drops warnings",
        silent("flask_otp_mpp.stores", level=logging.ERROR, _cache={}),
    ),
    Row("own-key-old", "OTP_MPP_PRIVATE_KEYS['1'] its file is 1200 days old", old_key),
    Row(
        "key-on-both-sides",
        "their_keys 'theirs-sig' is the key of OTP_MPP_GOOGLE_ACCOUNTS",
        google(ours="shared", theirs="shared"),
    ),
    Row(
        "key-of-two-callers",
        "['CLIENT_2'], key '1' is the key of OTP_MPP_ALIPAYPLUS_CLIENTS['CLIENT_1']",
        put(**{CLIENTS: {f"CLIENT_{n}": {"1": public("alipay+")} for n in (1, 2)}}),
    ),
    Row("key-used-twice", "['2'] is the key of OTP_MPP_PRIVATE_KEYS['1']", two_own_keys("wallet")),
    Row("key-used-twice", "our_keys 'ours-sig' is the key of OTP_MPP_P", google(ours="wallet")),
    Row("key-exponent", "has the exponent 3", key_with_exponent_3),
    Row("key-not-newest", "is '1', and a key of version '2'", two_own_keys("second")),
    Row(
        "caller-keys-by-hook",
        "@otp.client_key knows keys",
        serve(prepare=lambda otp: otp.client_key(lambda client, version: None)),
    ),
    Row("signer-fails", "raised OSError", serve(options={"signer": BadSigner(OSError(PASSWORD))})),
    Row("signer-fails", "returned str", serve(options={"signer": BadSigner(PASSWORD)})),
    Row(
        "sandbox-in-production",
        f"client {CLIENT!r} of the sandbox may",
        put(**{CLIENTS: {CLIENT: {"1": public("alipay+")}, "PROD": {"1": public("prod")}}}),
    ),
    Row("file-exposed", "read the file of key '1'", mode("own.pem", 0o644)),
    Row("file-exposed", "read the file 'otp.db'", mode("otp.db", 0o666)),
    Row("key-file-writable", "write the file of key '1' of client", mode("caller.pub", 0o664)),
    Row("directory-writable", "of the file of key '1'", mode("", 0o777)),
    Row("file-in-tmp", "the file 'otp.db' is in", mode("", 0o1777)),
    Row(
        "google-plain",
        "['gpay'] its envelope is 'plain'",
        google(envelope="plain", our_keys=None, their_keys=None),
    ),
    Row("google-unsigned", "['gpay'] 'signed' is false", google(signed=False)),
    Row(
        "google-rsa1_5",
        "holds 'RSA1_5'",
        google(rsa1_5=True, key_algorithms=["RSA-OAEP-256", "RSA1_5"]),
    ),
    Row("gnupg-old", "2.2.10 lets a message forge its signature", old_gpg),
    Row("pepper-weak", "OTP_MPP_PEPPER has only 2 different", put(OTP_MPP_PEPPER="ab" * 20)),
    Row("pepper-repeated", "holds one pepper twice", put(OTP_MPP_PEPPER=[PEPPER, PEPPER])),
    Row("pepper-is-secret-key", "OTP_MPP_PEPPER is SECRET_KEY too", put(SECRET_KEY=PEPPER)),
    Row(
        "pepper-is-secret-key",
        "OTP_MPP_PEPPER, number 2 is SECRET_KEY too",
        put(OTP_MPP_PEPPER=["0" + PEPPER, PEPPER], SECRET_KEY_FALLBACKS=[PEPPER.encode()]),
    ),
    Row("pepper-rotation", "has 2 peppers", put(OTP_MPP_PEPPER=[PEPPER, "0" + PEPPER])),
    Row("store-memory", "memory:// forgets", put(OTP_MPP_STORE="memory://")),
    Row("store-unfit", "no-such.db", put(OTP_MPP_STORE="sqlite:////no-such-folder/no-such.db")),
    Row(
        "store-away",
        "does not answer",
        put(OTP_MPP_STORE=f"postgresql://wallet:{PASSWORD}@127.0.0.1:1/otp"),
    ),
    Row("store-clock", "went back", newest_code_in_the_future),
    Row("store-warning", "Redis may evict keys", own_store(warning_store)),
    Row("store-unchecked", "OwnStore has no method check()", own_store()),
    Row("store-unencrypted", f"Redis at {ELSEWHERE}:6379", store_at(REDIS)),
    Row(
        "store-unencrypted",
        f"the database at {ELSEWHERE}:5432",
        store_at(f"postgresql://wallet:{PASSWORD}@{ELSEWHERE}:5432/otp?sslmode=prefer"),
    ),
    Row(
        "store-unencrypted",
        f"the database at {ELSEWHERE}:0",
        store_at(f"mysql://wallet:{PASSWORD}@{ELSEWHERE}/otp"),
    ),
    Row("store-no-password", "can unlock users", store_at(f"rediss://{ELSEWHERE}:6379/0")),
    Row("store-counts-traffic", "counts traffic too", both(store_at(REDIS), limiter_at(REDIS))),
    Row("purge-overdue", "1 rows of otp_mpp_challenges could", never_purged),
    Row("limiter-off", "RATELIMIT_ENABLED is false", put(RATELIMIT_ENABLED=False)),
    Row("limiter-off", "RATELIMIT_ENABLED is false", own_limiter(enabled=False)),
    Row("limiter-not-initialised", "was not initialised", own_limiter(initialised=False)),
    Row("limiter-memory", "OtpMpp(limiter=…) counts in memory", own_limiter()),
    Row("limiter-memory", "STORAGE counts in memory", put(OTP_MPP_LIMITER_STORAGE="memory://")),
    Row(
        "limiter-away",
        "does not answer: requests are refused",
        put(OTP_MPP_LIMITER_STORAGE=f"redis://:{PASSWORD}@127.0.0.1:1"),
    ),
    Row("limiter-open", "OTP_MPP_LIMITER_FAILURE is 'open'", put(OTP_MPP_LIMITER_FAILURE="open")),
    Row("limiter-unencrypted", f"Redis at {ELSEWHERE}:6379", limiter_at(REDIS)),
    Row("address-limit-off", "OTP_MPP_ADDRESS_LIMIT is empty", put(OTP_MPP_ADDRESS_LIMIT="")),
    Row("client-limit-off", "OTP_MPP_CLIENT_LIMIT is empty", put(OTP_MPP_CLIENT_LIMIT="")),
    Row("refusal-limit-off", "OTP_MPP_REFUSAL_LIMIT is empty", put(OTP_MPP_REFUSAL_LIMIT="")),
    Row("csrf-unknown", "Inbox of flask_otp_mpp is not known", host_with(other_csrf)),
    Row("before-request", "tests.web.test_checks.login_wall", host_with(login_wall)),
    Row(
        "host-limits",
        "OTP_MPP_HOST_LIMITS is on",
        both(put(OTP_MPP_HOST_LIMITS=True), host_with(limiter_of_the_host)),
    ),
    Row("route-in-prefix", "/aps/api/v1/users/help (help)", host_with(page_below_the_prefix)),
    Row("proxy-fix-missing", "app.wsgi_app has no ProxyFix", serve(proxy=None)),
    Row(
        "proxy-address",
        "app.wsgi_app a proxy rewrites paths",
        both(serve(proxy=None), put(OTP_MPP_ALIPAYPLUS_PUBLIC_PREFIX="/gate")),
    ),
    Row("proxy-address", "ProxyFix has x_for=0", serve(proxy={"x_for": 0})),
    Row("proxy-hops", "ProxyFix has x_for=2", serve(proxy={"x_for": 2})),
    Row(
        "signed-path",
        "OTP_MPP_ALIPAYPLUS_PUBLIC_PREFIX ProxyFix has x_prefix=1",
        serve(proxy={"x_for": 1, "x_prefix": 1}),
    ),
    Row("signed-path", "APPLICATION_ROOT is '/wallet'", put(APPLICATION_ROOT="/wallet")),
    Row("trusted-hosts", "than wallet.example get", put(TRUSTED_HOSTS=["wallet.example"])),
    Row("sender-double", "(Channel.MOBILE) is Inbox", serve(senders={Channel.MOBILE: Inbox()})),
    Row("sender-double", "(Channel.MOBILE) is print", serve(senders={Channel.MOBILE: print})),
    Row(
        "sender-unused",
        "@otp.sender(Channel.EMAIL) no protocol",
        both(
            google(),
            serve(
                protocols=[GoogleStandardPayments],
                senders={Channel.MOBILE: deliver, Channel.EMAIL: deliver},
            ),
        ),
    ),
    Row(
        "sender-email",
        "deliver is registered",
        serve(senders={Channel.MOBILE: deliver, Channel.EMAIL: deliver}),
    ),
    Row("message-domain", "OTP_MPP_DOMAIN is not set", put(OTP_MPP_DOMAIN=None)),
    Row("message-long", "and one SMS with", put(OTP_MPP_MESSAGE="{code}" + 150 * "x")),
    Row("message-long", "characters 70", put(OTP_MPP_MESSAGE="{code} 验证码" + 50 * "x")),
    Row("lock-never", "a lock comes after 10", put(OTP_MPP_DISABLE_AFTER=10)),
    Row("freshness-long", "OTP_MPP_FRESHNESS is 600 s", put(OTP_MPP_FRESHNESS=600)),
    Row("library-old", "library flask is 3.1.0", installed(flask="3.1.0")),
    Row("library-old", "library redis is 5.0", installed(redis="5.0")),
    Row("alembic-missing", "library alembic is not installed", installed(alembic=None)),
    Row("check-failed", "trusted-hosts could not be checked (TypeError)", put(TRUSTED_HOSTS=5)),
]
ON_A_SERVER = ["pgp-key", "pgp-key-ends"]
"""What is seeded by tests of their own, below, because they need GnuPG."""
NOTED = ["own-key", "caller-key", "store"]
"""What a sound deployment has too."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.id}: {row.text}"[:60])
@pytest.mark.alike(8)
def test_a_seeded_fault_is_found(
    row: Row, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O13: by its check, with a remedy, and by an exit status; no secret is shown."""
    row.seed(deployment, monkeypatch)
    result = run_check(deployment, "--json")
    told = json.loads(result.stdout)
    findings = told["findings"]
    mine = [one for one in findings if one["id"] == row.id]
    said = [f"{one['where']} {one['found']}; {one['remedy']}" for one in mine]
    assert any(row.text in text for text in said), said or findings
    assert all(one["remedy"] and one["title"] and one["found"] for one in mine)
    assert result.exit_code == max(STATUS[one["severity"]] for one in findings)
    assert told["summary"]["errors"] == sum(one["severity"] == "error" for one in findings)
    assert PASSWORD not in result.output
    assert PEPPER not in result.output
    assert "PRIVATE KEY" not in result.stdout


def test_every_check_has_a_row() -> None:
    """O13: nothing is looked at of which no test shows that it is found."""
    known = {one.id for one in checks.CHECKS} | {"not-served", "check-failed"}
    assert {row.id for row in ROWS} | {*NOTED, *ON_A_SERVER} == known
    assert len(checks.CHECKS) == len({one.id for one in checks.CHECKS})
    assert len(known) > 60


def test_in_a_sound_deployment_nothing_is_to_be_changed(deployment: Deployment) -> None:
    """O13: only keys and store are noted, to be compared; the status is that of success."""
    result = run_check(deployment, "--json")
    told = json.loads(result.stdout)
    assert [one["id"] for one in told["findings"]] == NOTED
    assert told["summary"] == {"checks": len(checks.CHECKS), "errors": 0, "warnings": 0, "notes": 3}
    assert result.exit_code == 0


@pytest.mark.server
def test_a_sound_deployment_on_redis_has_nothing_to_change(deployment: Deployment) -> None:
    """O13: with a real Redis for both, which is noted."""
    deployment.config.update(
        OTP_MPP_STORE=redis_server.URL, OTP_MPP_LIMITER_STORAGE=redis_server.URL
    )
    with redis_server.prefixed():
        result = run_check(deployment, "--json")
    told = json.loads(result.stdout)
    assert [one["id"] for one in told["findings"]] == [*NOTED, "store-counts-traffic"]
    assert "version" in told["findings"][2]["found"]
    assert result.exit_code == 0


@pytest.mark.server
def test_a_purge_that_never_ran_is_found_on_a_server(deployment: Deployment) -> None:
    """O13, T5: and no more than a bound is counted."""
    with servers.postgresql_url("checks") as url:
        store = SQLAlchemyStore(url, FrozenClock())
        store.create_tables()
        opened(store)
        store.engine.dispose()
        deployment.config["OTP_MPP_STORE"] = url
        deployment.clock = FrozenClock(datetime(2027, 1, 1, tzinfo=UTC))
        overdue = [one for one in found_in(deployment) if one["id"] == "purge-overdue"]
    tables = ("challenges", "requests", "user_limits")
    assert [one["found"] for one in overdue] == [
        f"1 rows of otp_mpp_{table} could be deleted for more than a day" for table in tables
    ]


@pytest.mark.server
def test_pgp_keys_are_shown_and_told_before_they_end(gnupg: None, deployment: Deployment) -> None:
    """O13, K1: by fingerprint; a side is warned of when its last key that signs is about to end."""
    deployment.protocols = [GoogleStandardPayments]
    deployment.config[ACCOUNTS] = {"gpay": pgp_wallet()}
    for name in ("PRIVATE_KEYS", "ALIPAYPLUS_CLIENTS", "ALIPAYPLUS_PSP_ID"):
        deployment.config.pop(f"OTP_MPP_{name}")
    found = found_in(deployment)
    shown = [one["found"] for one in found if one["id"] == "pgp-key"]
    assert [text.partition(", ")[2] for text in shown] == [
        *("signs for ever, encrypts for ever" for _ in range(4)),
        "does not sign, does not encrypt",
    ]
    assert "pgp-key-ends" not in {one["id"] for one in found}

    def let_them_end(app: Flask) -> None:
        [google] = state_of(app).protocols
        assert isinstance(google, GoogleStandardPayments)
        sealer = google.sealers["gpay"]
        assert isinstance(sealer, PgpSealer)
        soon = time.time() + 10.5 * 86400
        sealer.ours = tuple(replace(one, signs_until=soon) for one in sealer.ours)

    deployment.finish = let_them_end
    [ends] = [one for one in found_in(deployment) if one["id"] == "pgp-key-ends"]
    assert ends["where"] == "OTP_MPP_GOOGLE_ACCOUNTS['gpay'], our_keys"
    assert ends["found"] == "in 10 days no key signs any more"


def test_keys_are_shown_by_the_fingerprint_that_openssl_computes(deployment: Deployment) -> None:
    """O13: of the key in DER; and how old its file is."""
    deployment.age("own.pem", 40)
    own, caller, _ = found_in(deployment)
    der = key("wallet").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(der).hexdigest()
    assert own["where"] == f"{KEYS}['1']"
    assert own["found"] == f"RSA of 2048 bits, SHA-256 {digest}; its file is 40 days old"
    assert caller["where"] == f"{CLIENTS}[{CLIENT!r}], key '1'"


def test_csrf_and_functions_of_known_packages_are_no_finding(deployment: Deployment) -> None:
    """O13, F4: tests show that they let the calls of callers through."""

    def extensions(app: Flask) -> None:
        CSRFProtect(app)
        Limiter(get_remote_address, app=app, storage_uri="memory://")

    deployment.finish = extensions
    assert [one["id"] for one in found_in(deployment)] == NOTED


def test_a_faulty_app_is_checked_as_far_as_it_can_be(deployment: Deployment) -> None:
    """O13, F2: every fault is listed, and what else is wrong beside them."""
    deployment.config.update(
        OTP_MPP_STORE=None, OTP_MPP_COOL_DOWN="soon", OTP_MPP_PEPPER="short", FOO="bar"
    )
    (deployment.folder / "own.pem").chmod(0o644)
    found = found_in(deployment)
    faults = {one["where"] for one in found if one["id"] == "configuration"}
    assert faults == {"OTP_MPP_STORE", "OTP_MPP_COOL_DOWN", "OTP_MPP_PEPPER"}
    assert "file-exposed" in {one["id"] for one in found}
    assert "check-failed" not in {one["id"] for one in found}


@pytest.mark.parametrize("raw", ["x", 5, ["a"], {"a": None}, {"a": ["b"]}])
@pytest.mark.parametrize("setting", [KEYS, CLIENTS, ACCOUNTS])
@pytest.mark.alike(5)
def test_a_setting_of_another_type_stops_no_check(
    setting: str, raw: object, deployment: Deployment
) -> None:
    """O13: what names files and keys may be anything."""
    deployment.protocols = [AlipayPlus, GoogleStandardPayments]
    deployment.config[setting] = raw
    ids = {one["id"] for one in found_in(deployment)}
    assert "configuration" in ids
    assert "check-failed" not in ids


def test_a_check_writes_nothing(deployment: Deployment) -> None:
    """O13: neither into the store, nor is traffic counted."""
    before = {path: path.read_bytes() for path in deployment.folder.iterdir()}
    run_check(deployment)
    assert {path: path.read_bytes() for path in deployment.folder.iterdir()} == before


def test_json_is_json_to_the_last_byte(deployment: Deployment) -> None:
    """O13: whatever the factory prints meanwhile."""
    deployment.finish = lambda app: click.echo("the factory speaks")
    result = run_check(deployment, "--json")
    assert json.loads(result.stdout)["summary"]["errors"] == 0
    assert "the factory speaks" in result.stderr


def test_findings_are_for_people_and_end_with_a_summary(deployment: Deployment) -> None:
    """O13: the worst first, each with its remedy."""
    deployment.config.update(TESTING=True, OTP_MPP_ADDRESS_LIMIT="")
    result = run_check(deployment)
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "error    testing-mode: the app is in testing mode",
        "         TESTING: is on: exceptions leave the app, and trials and accounts without "
        "encryption may start.",
        "         -> set TESTING to false where callers are served",
    ]
    heads = [line.split()[0] for line in lines if line[:1].strip()]
    assert heads == ["error", "warning", "note", "note", "note", str(len(checks.CHECKS))]
    assert lines[-1] == f"{len(checks.CHECKS)} checks: 1 error, 1 warning, 3 notes"


@pytest.mark.parametrize("columns", [40, 100])
def test_findings_fit_the_terminal(
    columns: int, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O13: but for a single word that is longer, such as a fingerprint."""
    monkeypatch.setenv("COLUMNS", str(columns))
    module = import_module("flask_otp_mpp.web.cli.check")  # its command has the same name
    monkeypatch.setattr(module, "is_terminal", lambda: True)
    deployment.config.update(TESTING=True)
    lines = run_check(deployment).stdout.splitlines()
    assert [line for line in lines if len(line) > columns and len(line.split()) > 1] == []
    assert any(line.startswith("error") for line in lines)


def test_a_check_that_fails_tells_no_text_of_the_exception(deployment: Deployment) -> None:
    """O13, P1: it may hold a password."""

    class Hosts:
        def __iter__(self) -> Iterator[str]:
            raise RuntimeError(PASSWORD)

    deployment.config["TRUSTED_HOSTS"] = Hosts()
    result = run_check(deployment, "--json")
    assert PASSWORD not in result.output
    [failed] = [one for one in json.loads(result.stdout)["findings"] if one["id"] == "check-failed"]
    assert failed["where"] == "trusted-hosts"
    assert "(RuntimeError)" in failed["found"]
    assert result.exit_code == 1
