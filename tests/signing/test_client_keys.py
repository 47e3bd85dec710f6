"""A signature is checked with the key of that client and that version, or with none."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from flask_otp_mpp.core.reasons import Reason, Refused, refuse
from flask_otp_mpp.signing.client_keys import ClientKeys, newest
from flask_otp_mpp.signing.keys import KeyFault
from tests.vectors import KEYS, public_key

A, B, C = public_key("alipayplus"), public_key("mpp"), public_key("unrelated")
LISTED = {"ONE": {"1": A, "2": B}, "TWO": {"1": C}, "NONE": {}}


@pytest.mark.parametrize(
    ("client", "version", "key"),
    [
        ("ONE", "1", A),
        ("ONE", "2", B),
        ("ONE", None, B),
        ("TWO", "1", C),
        ("TWO", None, C),
    ],
)
def test_a_key_is_chosen_by_client_and_version(
    client: str, version: str | None, key: rsa.RSAPublicKey
) -> None:
    """G4: each client has its own version 1; no version means the newest."""
    assert ClientKeys(LISTED).find(client, version) == key


@pytest.mark.parametrize(
    ("client", "version", "reason"),
    [
        ("ONE", "3", Reason.KEY_UNKNOWN),
        ("ONE", "01", Reason.KEY_UNKNOWN),
        ("TWO", "2", Reason.KEY_UNKNOWN),  # another client's version is not lent
        ("one", "1", Reason.CLIENT_UNKNOWN),
        ("ONE ", "1", Reason.CLIENT_UNKNOWN),
        ("THREE", "1", Reason.CLIENT_UNKNOWN),
        ("THREE", None, Reason.CLIENT_UNKNOWN),
        ("NONE", "1", Reason.CLIENT_UNKNOWN),
        ("", None, Reason.CLIENT_UNKNOWN),
    ],
)
def test_a_key_that_is_not_listed_is_not_found(
    client: str, version: str | None, reason: Reason
) -> None:
    """G4: an unknown client is told apart from a known one's unknown key."""
    with pytest.raises(Refused) as caught:
        ClientKeys(LISTED).find(client, version)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (["1", "2", "10", "9"], "10"),
        (["10", "2"], "10"),
        (["0"], "0"),
        (["b", "a"], "a"),
        (["3", "2026-01"], "2026-01"),
        (["2026-01", "3"], "3"),
    ],
)
def test_the_newest_is_the_highest_number_or_else_the_last(
    versions: list[str], expected: str
) -> None:
    """G4: versions are compared as numbers, so that 10 is newer than 9."""
    assert newest(dict.fromkeys(versions, A)) == expected


def test_the_hook_is_asked_for_what_is_not_listed_and_for_nothing_else() -> None:
    """G4: a listed key wins; what the hook returns may be a key or a text."""
    asked: list[tuple[str, str | None]] = []

    def hook(client: str, version: str | None) -> rsa.RSAPublicKey | str:
        asked.append((client, version))
        return C if version == "7" else KEYS["mpp"]["public_spki_der_b64"]

    keys = ClientKeys(LISTED, hook)
    assert keys.find("ONE", "1") == A
    assert keys.find("ONE", None) == B
    assert asked == []
    assert keys.find("ONE", "7") == C
    assert keys.find("THREE", None) == B
    assert keys.find("NONE", None) == B
    assert asked == [("ONE", "7"), ("THREE", None), ("NONE", None)]


@pytest.mark.parametrize(
    ("client", "reason"), [("ONE", Reason.KEY_UNKNOWN), ("THREE", Reason.CLIENT_UNKNOWN)]
)
def test_a_hook_that_knows_no_key_leaves_it_refused(client: str, reason: Reason) -> None:
    with pytest.raises(Refused) as caught:
        ClientKeys(LISTED, lambda *_: None).find(client, "9")
    assert caught.value.reason is reason


def test_a_hook_may_refuse_with_a_reason_of_its_own() -> None:
    with pytest.raises(Refused) as caught:
        ClientKeys({}, lambda *_: refuse(Reason.ACCESS_DENIED)).find("ONE", "1")
    assert caught.value.reason is Reason.ACCESS_DENIED


def test_what_a_hook_returns_as_text_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """K1: the hook is asked for each request, forged ones too; another text is parsed anew."""
    parsed: list[bytes] = []
    load = serialization.load_der_public_key

    def counted(data: bytes) -> object:
        parsed.append(data)
        return load(data)

    monkeypatch.setattr(serialization, "load_der_public_key", counted)
    texts = [f" {KEYS[name]['public_spki_der_b64']}" for name in ("mpp", "alipayplus")]
    for text, key in zip(texts, (B, A), strict=True):
        keys = ClientKeys({}, lambda *_, text=text: text)
        assert [keys.find("ONE", "1") for _ in range(100)] == [key] * 100
    assert len(parsed) == 2


def test_a_hook_that_returns_no_key_is_a_fault_and_no_refusal() -> None:
    with pytest.raises(KeyFault):
        ClientKeys({}, lambda *_: "rubbish").find("ONE", "1")


def test_a_list_that_is_changed_afterwards_changes_nothing() -> None:
    listed = {"ONE": {"1": A}}
    keys = ClientKeys(listed)
    listed["ONE"]["2"] = B
    with pytest.raises(Refused):
        keys.find("ONE", "2")


def test_what_a_hook_named_is_recalled_without_it_and_what_is_listed_too() -> None:
    """X2: unknown clients are not, and the memory is bounded."""
    asked: list[str] = []

    def hook(client: str, _version: str | None) -> rsa.RSAPublicKey | None:
        asked.append(client)
        return C if client.startswith("H") else None

    keys = ClientKeys(LISTED, hook)
    assert (keys.recall("H0", "1"), keys.knows("H0")) == (None, False)
    assert keys.find("H0", "1") == C
    with pytest.raises(Refused):
        keys.find("NOBODY", "1")
    asked.clear()
    assert [keys.recall(client, "1") for client in ("H0", "ONE", "NOBODY", "NONE")] == [
        C, A, None, None,
    ]  # fmt: skip
    assert keys.recall("ONE", "3") is None
    known = [keys.knows(client) for client in ("H0", "ONE", "NOBODY", "NONE")]
    assert known == [True, True, False, False]
    assert asked == []
    for number in range(1, 2000):
        keys.find(f"H{number}", "1")
    assert sum(keys.knows(f"H{number}") for number in range(2000)) <= 1024
    assert keys.knows("H1999")


def test_a_text_of_the_hook_is_a_key_and_never_a_path(tmp_path: Path) -> None:
    """G4: a client id becomes part of a path too easily."""
    file = tmp_path / "key.pub"
    file.write_text(KEYS["mpp"]["public_spki_der_b64"])
    for text in (str(file), f"file:{file}"):
        keys = ClientKeys({}, Mock(return_value=text))
        with pytest.raises(KeyFault, match="nor bare base64") as refused:
            keys.find("ONE", "1")
        assert str(file) not in str(refused.value)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (rsa.generate_private_key(65537, 1024).public_key(), "RSA of 1024 bits"),
        (ec.generate_private_key(ec.SECP256R1()).public_key(), "returned ECPublicKey"),
        (b"bytes", "returned bytes; return a text, an RSAPublicKey or None"),
    ],
    ids=["short", "elliptic", "bytes"],
)
def test_an_object_of_the_hook_is_checked_as_a_text_is(found: Any, told: str) -> None:
    """G12: a key that is too short or of another kind never verifies anything."""
    with pytest.raises(KeyFault, match=told):
        ClientKeys({}, lambda client, version: found).find("ONE", "1")
