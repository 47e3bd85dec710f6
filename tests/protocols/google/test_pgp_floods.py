"""What a flood of PGP messages costs: no process, or few at once; and a good burst is served."""

from __future__ import annotations

import base64
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.google.pgp.sealer import QUEUED
from flask_otp_mpp.protocols.google.sealer import Sealer, from_base64url
from tests.protocols.google import sides
from tests.protocols.google.conftest import Open
from tests.protocols.google.keyring import Keyring
from tests.protocols.google.programs import Program
from tests.protocols.google.test_pgp_packets import (
    DATA,
    HIDDEN,
    hidden_ones,
    packet,
    session_key,
    to,
)
from tests.protocols.google.test_vectors import decide
from tests.vectors import google

pytestmark = pytest.mark.server

GOOD = google.pgp("01_ok_binary.pgp")
PAYLOAD = google.plain("verifyOtp_request.json")
ENCRYPTION, UNFORESEEN = Reason.ENCRYPTION_INVALID, Reason.UNFORESEEN


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def open_with(open_account: Open, program: Program, **more: Any) -> Sealer:
    sealer = open_account(sides.pgp_wallet(program=str(program.path), **more))
    program.forget()
    return sealer


def test_no_process_is_started_for_what_is_not_encrypted_to_us(
    open_account: Open, program: Program, gnupg: None
) -> None:
    """X5: hidden recipients of 56 bytes, others' messages, other packets; all answered alike."""
    sealer = open_with(open_account, program)
    message = from_base64url(GOOD)
    bodies = [
        hidden_ones(56),
        hidden_ones(2000),
        to(b"ANOTHER1") + DATA,
        message + DATA,
        packet(8, b"\x01" + bytes(50)),
        message[:-1],
        b"\xc1" * 56,
    ]
    began = time.monotonic()
    for _ in range(100):
        for body in bodies:
            assert decide(sealer, base64.urlsafe_b64encode(body)) is ENCRYPTION
    assert time.monotonic() - began < 5
    assert program.count == 0
    assert decide(sealer, GOOD) == PAYLOAD
    assert program.count == 1


def test_hidden_recipients_inside_of_a_message_to_us_are_not_tried(
    keyring: Keyring, open_account: Open, gnupg: None
) -> None:
    """X5: whoever knows our public key can put them there; gpg skips them."""
    keyring.load(google.armored("integrator-test-1.sec"))
    inner = b"".join(packet(1, session_key(HIDDEN)) for _ in range(150)) + DATA
    how = ("--no-literal", "--compress-algo", "none", "--encrypt")
    body = keyring.message(inner, *how, "--recipient", "integrator-test-1@test.invalid")
    sealer = open_account(sides.pgp_wallet())
    began = time.monotonic()
    assert decide(sealer, body) is ENCRYPTION
    assert time.monotonic() - began < 2


@pytest.mark.slow
def test_a_few_processes_are_at_work_at_once(
    open_account: Open, program: Program, gnupg: None
) -> None:
    """X5: a burst of good messages is opened by as many as may be at work, one after the other."""
    sealer = open_with(open_account, program, processes=2)
    with ThreadPoolExecutor(32) as pool:
        opened = list(pool.map(lambda _: decide(sealer, GOOD), range(32)))
    assert opened == [PAYLOAD] * 32
    assert (program.count, program.most) == (32, 2)


@pytest.mark.slow
def test_what_is_too_much_is_told_and_is_no_fault_of_the_message(
    open_account: Open, program: Program, gnupg: None
) -> None:
    """X5: if gpg hangs, few hang with it; the others are told so within a second or two."""
    sealer = open_with(open_account, program, processes=2, timeout=4)
    program.first("exec sleep 600\n")
    times: list[float] = []
    lock = threading.Lock()

    def ask(_: int) -> Any:
        began = time.monotonic()
        decided = decide(sealer, GOOD)
        with lock:
            times.append(time.monotonic() - began)
        return decided

    with ThreadPoolExecutor(QUEUED + 20) as pool:
        decided = list(pool.map(ask, range(QUEUED + 20)))
    assert decided == [UNFORESEEN] * (QUEUED + 20)
    assert program.count == 2
    assert sum(one > 3 for one in times) == 2
    program.first("")
    assert decide(sealer, GOOD) == PAYLOAD


def test_a_flood_of_messages_does_not_keep_back_answers(
    open_account: Open, program: Program, gnupg: None
) -> None:
    """X5: what was done for a proven caller is told, though nothing can be opened."""
    sealer = open_with(open_account, program, processes=1, timeout=6)
    program.first('case "$*" in *--decrypt*) exec sleep 600;; esac\n')
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(decide, sealer, GOOD)
        while not program.count:
            time.sleep(0.01)
        assert sealer.seal(b"{}")
        assert stuck.result(30) is UNFORESEEN


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["ours", "one that gpg has started"])
def test_32_messages_under_4096_bits_are_opened_at_once(
    agent: str, keyring: Keyring, open_account: Open, long_key: str, gnupg: None
) -> None:
    """X5: the agent extends its locked memory; without that some of them were refused."""
    ours = [keyring.private(long_key)]
    account = sides.pgp_wallet(our_keys=ours, processes=32, timeout=30)
    sealer: Any = open_account(account)
    keyring.load(google.armored("google-test-1.sec"))
    signer = ("--sign", "--local-user", "google-test-1@test.invalid")
    body = keyring.message(PAYLOAD, "--encrypt", "--recipient", long_key, *signer)
    if agent != "ours":
        kill = f"gpgconf --homedir {sealer._home.path} --kill gpg-agent"
        assert os.system(kill) == 0
        assert decide(sealer, body) == PAYLOAD  # of several that start one, some find none
    with ThreadPoolExecutor(32) as pool:
        for _ in range(3):
            decided = Counter(pool.map(lambda _: decide(sealer, body), range(32)))
            assert decided == {PAYLOAD: 32}
            assert list(pool.map(lambda _: bool(sealer.seal(b"{}")), range(32))) == [True] * 32


@pytest.fixture(scope="module")
def long_key(keyring: Keyring) -> str:
    return keyring.generate("long", kind="rsa4096")


@pytest.mark.slow
def test_what_is_wrong_in_a_message_is_no_failure_of_gpg(pgp_wallet: Sealer) -> None:
    """X5: numbers and data of every odd length that come as far as gpg are answered 400."""
    message = from_base64url(GOOD)
    key_id, key, data = message[4:12], message[:271], message[271:]
    odd = [packet(1, session_key(key_id, bits=bits)) + data for bits in (0, 1, 8, 2049, 16384)]
    for tag in (18, 20):
        odd += [key + packet(tag, b"\x01" + bytes(size)) for size in (0, 1, 2, 17, 20, 40, 41, 90)]
    decided = [decide(pgp_wallet, base64.urlsafe_b64encode(body)) for body in odd]
    assert decided == [ENCRYPTION] * len(odd)


LACKING = {
    "no memory to start": "ulimit -v 6000",
    "killed for its memory": "kill -9 $$",
    "an agent without memory": (
        'eval "exec 9>&$2"; echo "[GNUPG:] ENC_TO 5DFE2B72B087FEAE 1 0" >&9; '
        'echo "[GNUPG:] KEY_CONSIDERED AD4E3A4FE5CF630B64EBDD52273790199505D682 0" >&9; '
        'echo "[GNUPG:] ERROR pkdecrypt_failed 16810070" >&9; '
        'echo "[GNUPG:] DECRYPTION_FAILED" >&9; exit 2'
    ),
}


@pytest.mark.parametrize("what", LACKING)
def test_what_gpg_lacks_is_no_fault_of_the_message(
    what: str, open_account: Open, program: Program, gnupg: None
) -> None:
    """X5: it is answered 503, so that the caller tries again."""
    sealer = open_with(open_account, program)
    program.first(f"{LACKING[what]}\n")
    assert decide(sealer, GOOD) is UNFORESEEN
    program.first("")
    assert decide(sealer, GOOD) == PAYLOAD


def test_keys_that_are_gone_are_no_fault_of_the_message(open_account: Open, gnupg: None) -> None:
    """X5: somebody has emptied the directory, or no agent can be reached."""
    sealer: Any = open_account(sides.pgp_wallet())
    for key in Path(sealer._home.path).glob("private-keys-v1.d/*"):
        key.unlink()
    assert decide(sealer, GOOD) is UNFORESEEN
