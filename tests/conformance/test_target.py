"""A TOML file is read as a whole, and each fault in it is named with its remedy."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from flask_otp_mpp.conformance.case import Need, Wire
from flask_otp_mpp.conformance.inbox import Command, File, Fixed, JsonUrl, Terminal
from flask_otp_mpp.conformance.target import Target, read_target, target_of
from flask_otp_mpp.conformance.toml_table import ConfigurationFault
from flask_otp_mpp.signing.keys import one_line, private_pem
from tests.conformance.endpoints import to_toml
from tests.wallet import key

PUBLIC: Final = one_line(key("wallet").public_key())
GOOD: Final[Mapping[str, Any]] = {
    "protocol": "alipayplus",
    "base_url": "https://wallet.example/base/",
    "client": {
        "id": "CLIENT",
        "private_key": private_pem(key("conformance client")).decode(),
        "acquirer_id": "1",
        "psp_id": "2",
    },
    "wallet_keys": {"1": PUBLIC},
    "tokens": {"valid": ["tok-ada", "tok-bob"]},
}


def changed(**tables: Any) -> dict[str, Any]:
    """Return a good file with other values; in a table, None removes a value."""
    raw = copy.deepcopy(dict(GOOD))
    for name, value in tables.items():
        if isinstance(value, dict):
            merged = {**raw.get(name, {}), **value}
            raw[name] = {key: one for key, one in merged.items() if one is not None}
        elif value is None:
            raw.pop(name, None)
        else:
            raw[name] = value
    return raw


def read(**tables: Any) -> Target:
    return target_of(changed(**tables), Path("/folder"))


def faults(**tables: Any) -> list[str]:
    with pytest.raises(ConfigurationFault) as caught:
        read(**tables)
    return caught.value.faults


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "wallet.pub").write_text(PUBLIC)
    path = tmp_path / "wallet.toml"
    path.write_text(to_toml(changed(wallet_keys={"1": "wallet.pub"})))
    target = read_target(path)
    assert (target.wire, target.prefix, target.parallel) == (Wire.ALIPAYPLUS, "/base", 8)
    assert [one.reveal() for one in target.valid] == ["tok-ada", "tok-bob"]
    assert target.wallet_keys["1"].public_numbers() == key("wallet").public_key().public_numbers()
    assert target.client is not None
    assert (target.client.id, target.client.key_version) == ("CLIENT", "1")


def test_no_token_or_key_is_in_the_repr_of_a_target() -> None:
    shown = repr(read(tokens={"expired": "tok-old"}))
    assert "tok-" not in shown
    assert "PRIVATE" not in shown


def test_a_template_makes_users() -> None:
    target = read(tokens={"valid": None, "template": "tok-{n}", "count": 3})
    assert [one.reveal() for one in target.valid] == ["tok-1", "tok-2", "tok-3"]


def test_needs_follow_from_what_is_there() -> None:
    target = read(
        tokens={"expired": "a", "no_email": "b"},
        second_client={**GOOD["client"], "id": "OTHER", "token": "tok-c"},
        inbox={"kind": "terminal"},
    )
    missing = {need for need in Need if not target.has(need)}
    assert {Need.EXPIRED, Need.NO_EMAIL, Need.SECOND_CLIENT, Need.CODES} & missing == set()
    assert {Need.FROZEN, Need.UNKNOWN, Need.EMAIL} <= missing
    assert not read(tokens={"valid": ["one"]}).has(Need.SECOND_USER)
    assert {Need.CODES, Need.SECOND_CLIENT} <= {need for need in Need if not read().has(need)}


@pytest.mark.parametrize(
    ("inbox", "opened"),
    [
        ({"kind": "fixed", "code": "1"}, Fixed("1")),
        ({"kind": "command", "command": ["a", "b"]}, Command(("a", "b"))),
        ({"kind": "json", "url": "http://a", "pointer": "/b"}, JsonUrl("http://a", "/b")),
        ({"kind": "file", "path": "a/b"}, File("/folder/a/b")),
        ({"kind": "terminal"}, Terminal()),
    ],
    ids=lambda value: value.get("kind", "") if isinstance(value, dict) else "",
)
def test_each_kind_of_inbox_is_opened(inbox: dict[str, Any], opened: object) -> None:
    assert read(inbox=inbox).inbox == opened


FAULTS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "an unknown protocol": (
        {"protocol": "alipay"},
        "protocol: write one of: alipayplus, ams, google-jose, google-pgp",
    ),
    "no URL": ({"base_url": None}, "base_url: is missing; write a text"),
    "another scheme": ({"base_url": "ftp://a"}, "base_url: write an http or https URL"),
    "a bad port": ({"base_url": "http://a:b"}, "base_url: write an http or https URL"),
    "a table that is none": ({"tokens": "tok"}, "tokens: write a table, such as [table]"),
    "no users": ({"tokens": {"valid": None}}, "tokens.valid: is missing; write a list"),
    "users of other types": ({"tokens": {"valid": [1]}}, "tokens.valid: write a list of texts"),
    "an empty state": ({"tokens": {"frozen": ""}}, "tokens.frozen: write a text"),
    "a flag that is none": ({"tokens": {"email": "yes"}}, "tokens.email: write true or false"),
    "a fraction": ({"parallel": 1.5}, "parallel: write a whole number, 0 or more"),
    "a time of 0": ({"timeout": 0}, "timeout: write a positive number"),
    "a Boolean number": ({"limits": {"digits": True}}, "limits.digits: write a whole number, 0"),
    "no client id": ({"client": {"id": None}}, "client.id: is missing; write a text"),
    "no pspId": ({"client": {"psp_id": None}}, "client.psp_id: is missing; write a text"),
    "no key": ({"client": {"private_key": "missing.pem"}}, "client.private_key: "),
    "a bad wallet key": ({"wallet_keys": {"1": "AAAA"}}, "wallet_keys.1: "),
    "no wallet key": ({"wallet_keys": {"1": None}}, "wallet_keys: name the wallet's public key"),
    "an unknown inbox": ({"inbox": {"kind": "pigeon"}}, "inbox.kind: write one of: fixed, command"),
    "an inbox of a file": (
        {"inbox": {"kind": "json", "url": "file:///a", "pointer": "/a"}},
        "inbox.url: write an http or https URL",
    ),
    "no clock": ({"clock": {"command": []}}, "clock.command: write a list of texts"),
    "an unknown name": (
        {"tokens": {"expird": "a"}},
        "tokens.expird: is not known; see `otp-mpp-conformance init`",
    ),
    "an unknown table": ({"wallet": {"a": 1}}, "wallet: is not known; see"),
    "paths by half": ({"paths": {"send": "/a"}}, "paths.verify: is missing; write a text"),
    "a missing certificate": (
        {"tls": {"ca": "none.pem"}},
        "tls.ca: can't be read: No such file or directory",
    ),
}


@pytest.mark.parametrize(("tables", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_remedy(tables: dict[str, Any], fault: str) -> None:
    found = faults(**tables)
    assert found[0].startswith(fault)
    assert len(found) == (2 if fault.startswith("tokens: ") else 1)  # then it has no users either


def test_a_template_without_a_number_is_a_fault() -> None:
    [found] = faults(tokens={"valid": None, "template": "tok", "count": 2})
    assert found.startswith("tokens.template: write {n}")


def test_all_faults_are_named_at_once() -> None:
    found = faults(base_url="a", client={"id": 7}, limits={"digits": "6"}, paths={"x": "y"})
    assert [one.partition(":")[0] for one in found] == [
        "base_url",
        "limits.digits",
        "client.id",
        "paths.send",
        "paths.verify",
        "paths.x",
    ]


@pytest.mark.parametrize(
    ("content", "fault"), [(b"a = ", "is no TOML"), (b"\xff", "is no TOML"), (None, "No such file")]
)
def test_a_file_that_is_no_toml_is_told(content: bytes | None, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "wallet.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationFault, match=fault):
        read_target(path)
