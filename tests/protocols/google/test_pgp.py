"""A PGP message opens only whole, well encrypted, and signed by an active key that is trusted."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.protocols.google.pgp import sealer as pgp
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from flask_otp_mpp.protocols.google.sealer import (
    MAX_PAYLOAD,
    MAX_SEALED,
    Sealer,
    SealFault,
    from_base64url,
)
from tests.protocols.google import sides
from tests.protocols.google.conftest import Open
from tests.protocols.google.keyring import Keyring, living
from tests.protocols.google.test_vectors import decide
from tests.vectors import google
from tests.vectors.google import armored

pytestmark = pytest.mark.server

PAYLOAD = google.plain("verifyOtp_request.json")
ENCRYPTION, SIGNATURE = Reason.ENCRYPTION_INVALID, Reason.SIGNATURE_INVALID
TO_WALLET = ("--encrypt", "--recipient", "integrator-test-1@test.invalid")
BY_GOOGLE = ("--sign", "--local-user", "google-test-1@test.invalid")
GOOGLE_1 = "A949FAA4EFF896162E03CEF594993BFC3E959E09"
WALLET_1 = "AD4E3A4FE5CF630B64EBDD52273790199505D682"
WALLET_2 = "90E555DC2181ED6BD3D9EED50FFB4D6EAECF11F3"


@pytest.fixture(scope="module")
def sender(keyring: Keyring) -> Keyring:
    """Give Google's private keys, and some that are not Google's, to the plain command line."""
    names = ("google-test-1.sec", "google-test-2.sec", "unknown-signer.sec")
    keyring.load(*map(armored, names))
    keyring.load(*(armored(f"integrator-test-{number}.sec") for number in (1, 2)))
    keyring.load(armored("unknown-recipient.pub"))
    return keyring


def test_what_gpg_seals_opens_and_tells_the_signer(sender: Keyring, pgp_wallet: Sealer) -> None:
    told = pgp_wallet.open(sender.message(PAYLOAD, *TO_WALLET, *BY_GOOGLE))
    assert (told.payload, told.signer) == (PAYLOAD, GOOGLE_1)


def test_what_is_sealed_opens_by_gpg_under_all_of_our_keys(
    sender: Keyring, pgp_wallet: Sealer, tmp_path: Path
) -> None:
    message = from_base64url(pgp_wallet.seal(PAYLOAD))
    status = tmp_path / "status"
    told = sender.gpg("--status-file", str(status), "--decrypt", data=message)
    lines = [line.split()[1:] for line in status.read_text("utf-8").splitlines()]
    valid = {line[1]: line[8] for line in lines if line[0] == "VALIDSIG"}
    assert told == PAYLOAD
    assert valid == {WALLET_1: "9", WALLET_2: "9"}  # SHA384
    assert [line[1:3] for line in lines if line[0] == "DECRYPTION_INFO"] == [["2", "9"]]  # AES256
    assert len([line for line in lines if line[0] == "ENC_TO"]) == 2


def test_both_sides_are_one_class(pgp_wallet: Sealer, pgp_google: Sealer) -> None:
    assert pgp_wallet.open(pgp_google.seal(PAYLOAD)).signer == GOOGLE_1
    assert pgp_google.open(pgp_wallet.seal(PAYLOAD)).payload == PAYLOAD


def test_the_media_type_is_the_documented_one(pgp_wallet: Sealer) -> None:
    assert pgp_wallet.media_type == "application/octet-stream; charset=utf-8"


@pytest.mark.parametrize("armor", ["--armor", "--no-armor"])
@pytest.mark.parametrize("padding", [b"", b"="])
def test_armor_and_padding_are_the_callers_choice(
    armor: str, padding: bytes, sender: Keyring, pgp_wallet: Sealer
) -> None:
    body = sender.message(PAYLOAD, armor, *TO_WALLET, *BY_GOOGLE).rstrip(b"=")
    body += padding * (-len(body) % 4)
    assert decide(pgp_wallet, body) == PAYLOAD


@pytest.mark.parametrize("compression", ["none", "zip", "zlib", "bzip2"])
def test_every_compression_opens(compression: str, sender: Keyring, pgp_wallet: Sealer) -> None:
    more = ("--compress-algo", compression)
    assert decide(pgp_wallet, sender.message(PAYLOAD, *more, *TO_WALLET, *BY_GOOGLE)) == PAYLOAD


SEALED_WRONG = {
    "not to us": ("--encrypt", "--recipient", "unknown-recipient@test.invalid", *BY_GOOGLE),
    "not at all": BY_GOOGLE,
    "in clear text": ("--clearsign", *BY_GOOGLE[1:]),
    "by a passphrase": ("--passphrase", "x", "--symmetric", *BY_GOOGLE),
    "by 3DES": ("--cipher-algo", "3DES", *TO_WALLET, *BY_GOOGLE),
    "without integrity protection": (
        *("--rfc2440", "--disable-mdc", "--cipher-algo", "AES256"),
        *TO_WALLET,
        *BY_GOOGLE,
    ),
    "a detached signature": ("--detach-sign", *BY_GOOGLE[1:]),
}


@pytest.mark.parametrize("how", SEALED_WRONG)
def test_what_is_not_sealed_to_us_is_refused_always_the_same(
    how: str, sender: Keyring, pgp_wallet: Sealer
) -> None:
    body = sender.message(PAYLOAD, *SEALED_WRONG[how])
    with pytest.raises(Refused) as refusal:
        pgp_wallet.open(body)
    assert (refusal.value.reason, refusal.value.detail) == (ENCRYPTION, "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"=",
        b"{}",
        b"abcd efgh",
        b"ab+/",
        b"AAAAA",
        b"AB",
        base64.urlsafe_b64encode(b"[" * 10_000),
        base64.urlsafe_b64encode(b"\xff" * 1000),
        b"A" * 1_000_000,
        b"A" * MAX_SEALED,
    ],
    ids=range(11),
)
def test_what_is_no_message_is_refused(body: bytes, pgp_wallet: Sealer) -> None:
    assert decide(pgp_wallet, body) is ENCRYPTION


SIGNED_WRONG = {
    "by nobody": TO_WALLET,
    "by somebody unknown": (*TO_WALLET, "--sign", "--local-user", "unknown-signer@test.invalid"),
    "by ourselves": (*TO_WALLET, "--sign", "--local-user", "integrator-test-1@test.invalid"),
    "with SHA1": ("--digest-algo", "SHA1", *TO_WALLET, *BY_GOOGLE),
    "with SHA224": ("--digest-algo", "SHA224", *TO_WALLET, *BY_GOOGLE),
    "until it expired": (
        *("--default-sig-expire", "1d", "--faked-system-time", "20240601T000000"),
        *TO_WALLET,
        *BY_GOOGLE,
    ),
}


@pytest.mark.parametrize("how", SIGNED_WRONG)
def test_who_is_not_proven_is_refused(how: str, sender: Keyring, pgp_wallet: Sealer) -> None:
    assert decide(pgp_wallet, sender.message(PAYLOAD, *SIGNED_WRONG[how])) is SIGNATURE


def test_one_good_signature_among_bad_ones_is_enough(sender: Keyring, pgp_wallet: Sealer) -> None:
    more = ("--local-user", "unknown-signer@test.invalid")
    opened = pgp_wallet.open(sender.message(PAYLOAD, *TO_WALLET, *BY_GOOGLE, *more))
    assert opened.signer == GOOGLE_1


def test_an_unsigned_plaintext_beside_the_sealed_one_is_refused(
    sender: Keyring, pgp_wallet: Sealer
) -> None:
    sealed = from_base64url(sender.message(PAYLOAD, *TO_WALLET, *BY_GOOGLE))
    literal = sender.gpg("--store", "--compress-algo", "none", data=b'{"otp":"0000000"}')
    for both in (literal + sealed, sealed + literal, sealed + sealed):
        assert decide(pgp_wallet, base64.urlsafe_b64encode(both)) is ENCRYPTION


def test_a_key_that_is_revoked_meanwhile_proves_nobody(
    keyring: Keyring, sender: Keyring, open_account: Open
) -> None:
    """Only a revoked key and a good one: the account starts, and refuses the revoked one."""
    revoked = keyring.generate("revoked")
    before = sender.message(PAYLOAD, *TO_WALLET, "--sign", "--local-user", revoked)
    trusting = open_account(
        sides.pgp_wallet(their_keys=[keyring.public(revoked), armored("google-test-1.pub")])
    )
    assert trusting.open(before).signer == revoked
    keyring.revoke(revoked)
    careful = open_account(
        sides.pgp_wallet(their_keys=[keyring.public(revoked), armored("google-test-1.pub")])
    )
    assert decide(careful, before) is SIGNATURE
    assert careful.open(google.pgp("01_ok_binary.pgp")).signer == GOOGLE_1


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_a_flipped_bit_never_changes_what_is_read(data: st.DataObject, pgp_wallet: Sealer) -> None:
    """Bits outside of what is sealed, as a packet's key id of nobody, may make no difference."""
    message = bytearray(from_base64url(google.pgp("01_ok_binary.pgp")))
    message[data.draw(st.integers(0, len(message) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    decided = decide(pgp_wallet, base64.urlsafe_b64encode(message))
    assert decided in (ENCRYPTION, SIGNATURE, PAYLOAD)


@pytest.mark.parametrize("place", [300, 400, -30, -1])
def test_a_flipped_bit_of_what_is_sealed_is_refused(place: int, pgp_wallet: Sealer) -> None:
    message = bytearray(from_base64url(google.pgp("01_ok_binary.pgp")))
    message[place] ^= 1
    assert decide(pgp_wallet, base64.urlsafe_b64encode(message)) is ENCRYPTION


def test_a_payload_opens_up_to_the_limit_and_no_further(
    sender: Keyring, pgp_wallet: Sealer
) -> None:
    how = ("--compress-algo", "zip", *TO_WALLET, *BY_GOOGLE)
    assert decide(pgp_wallet, sender.message(b" " * MAX_PAYLOAD, *how)) == b" " * MAX_PAYLOAD
    assert decide(pgp_wallet, sender.message(b" " * (MAX_PAYLOAD + 1), *how)) is ENCRYPTION


def test_a_bomb_is_killed_early(sender: Keyring, pgp_wallet: Sealer) -> None:
    body = sender.message(b" " * 60_000_000, "--compress-algo", "bzip2", *TO_WALLET, *BY_GOOGLE)
    assert len(body) < MAX_SEALED
    began = os.times()
    assert decide(pgp_wallet, body) is ENCRYPTION
    ended = os.times()
    assert ended.children_user - began.children_user < 0.5


def test_a_gpg_that_hangs_is_killed_and_the_request_refused(
    open_account: Open, tmp_path: Path
) -> None:
    program, hang = tmp_path / "gpg", tmp_path / "hang"
    program.write_text(
        f'#!/bin/sh\nif [ -e {hang} ]; then echo $$ >> {hang}; exec sleep 600; fi\nexec gpg "$@"\n'
    )
    program.chmod(stat.S_IRWXU)
    wallet = open_account(sides.pgp_wallet(program=str(program)))
    assert isinstance(wallet, PgpSealer)
    wallet._timeout = 0.5
    hang.touch()
    began = time.monotonic()
    with pytest.raises(Refused) as refusal:
        wallet.open(google.pgp("01_ok_binary.pgp"))
    with pytest.raises(SealFault, match="took too long"):
        wallet.seal(PAYLOAD)
    assert time.monotonic() - began < 30
    assert refusal.value.reason is Reason.UNFORESEEN
    pids = hang.read_text("ascii").split()
    assert len(pids) == 2
    assert not any(Path("/proc", pid).exists() for pid in pids)
    hang.unlink()
    wallet._timeout = 20
    assert wallet.open(google.pgp("01_ok_binary.pgp")).payload == PAYLOAD


def test_an_agent_that_died_is_replaced(open_account: Open) -> None:
    wallet = open_account(sides.pgp_wallet())
    assert isinstance(wallet, PgpSealer)
    gone = living(wallet._home.path)
    command = ["gpgconf", "--homedir", wallet._home.path, "--kill", "gpg-agent"]
    subprocess.run(command, check=True, timeout=60)
    assert wallet.open(google.pgp("01_ok_binary.pgp")).payload == PAYLOAD
    assert gone
    assert living(wallet._home.path)
    wallet.close()
    assert not living(wallet._home.path)


def test_a_seal_without_active_keys_is_refused(
    pgp_wallet: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgp, "active", lambda keys, now: ([], []))
    with pytest.raises(SealFault, match="expired"):
        pgp_wallet.seal(PAYLOAD)


def test_a_seal_that_gpg_does_not_finish_is_refused(open_account: Open) -> None:
    """The account was closed, its keys are gone: that says nothing about a message."""
    wallet = open_account(sides.pgp_wallet())
    wallet.close()
    with pytest.raises(SealFault, match="did not sign and encrypt") as fault:
        wallet.seal(PAYLOAD)
    assert "7754321" not in str(fault.value)
    with pytest.raises(Refused) as refusal:
        wallet.open(google.pgp("01_ok_binary.pgp"))
    assert refusal.value.reason is Reason.UNFORESEEN
