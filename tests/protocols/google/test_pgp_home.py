"""The keys of one account lie in a directory that nobody else reads, and both end together."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.protocols.google.pgp import home as pgp_home
from flask_otp_mpp.protocols.google.pgp import keys as pgp_keys
from flask_otp_mpp.protocols.google.pgp.home import GpgHome
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from flask_otp_mpp.signing.keys import KeyFault
from tests.protocols.google.keyring import Keyring, living
from tests.vectors.google import armored, pgp

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("gnupg")]

OURS = (armored("integrator-test-1.sec"),)
THEIRS = (armored("google-test-1.pub"),)


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Be the temporary directory, by a short name; everything is gone from it in the end."""
    made = Path(tempfile.mkdtemp(prefix="t"))
    monkeypatch.setattr("tempfile.tempdir", str(made))
    yield made
    left = list(made.iterdir())
    shutil.rmtree(made)
    assert not left


def make(
    ours: tuple[str, ...] = OURS, theirs: tuple[str, ...] = THEIRS, program: str = "gpg"
) -> PgpSealer:
    return PgpSealer(ours, theirs, program=program, timeout=20)


def test_nobody_else_reads_the_directory_and_close_leaves_nothing(temp: Path) -> None:
    sealer = make()
    (home,) = temp.iterdir()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert living(str(home))
    sealer.close()
    sealer.close()
    assert not living(str(home))
    assert not home.exists()


def test_no_plaintext_reaches_a_file(temp: Path) -> None:
    sealer = make()
    assert b"7754321" in sealer.open(pgp("01_ok_binary.pgp")).payload
    sealer.seal(b'{"otp":"7754321"}')
    files = [path for path in temp.rglob("*") if path.is_file()]
    assert files
    assert not any(b"7754321" in path.read_bytes() for path in files)
    sealer.close()


def test_cleaners_of_temporary_files_are_kept_off(temp: Path) -> None:
    sealer = make()
    (home,) = temp.iterdir()
    cleaner = os.open(home, os.O_RDONLY)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(cleaner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(cleaner)
    sealer.close()


def test_what_is_forgotten_ends_too(temp: Path) -> None:
    sealer = make()
    (home,) = temp.iterdir()
    del sealer
    assert not living(str(home))


FORK_ONE = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from tests.vectors.google import armored, pgp
one = PgpSealer([armored("integrator-test-1.sec")], [armored("google-test-1.pub")],
          program="gpg", timeout=20)
child = os.fork()
if child == 0:
    one.close()
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
assert one.open(pgp("01_ok_binary.pgp")).signer
"""


def test_a_forked_child_leaves_the_home_to_its_parent(temp: Path) -> None:
    subprocess.run([sys.executable, "-c", FORK_ONE, str(temp)], check=True, timeout=60)
    assert not list(temp.iterdir())
    ours = temp / "home"
    ours.mkdir()
    pgp_home._end(os.getpid() + 1, {"GNUPGHOME": str(ours)}, (), (), -1)
    ours.rmdir()


OPEN_ONE = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from tests.vectors.google import armored
one = PgpSealer([armored("integrator-test-1.sec")], [armored("google-test-1.pub")],
          program="gpg", timeout=20)
print("ready", flush=True)
sys.stdin.read()
"""


def _process(temp: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", OPEN_ONE, str(temp)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def test_nothing_is_left_when_the_interpreter_exits(temp: Path) -> None:
    with _process(temp) as child:
        (home,) = temp.iterdir()
        assert living(str(home))
        child.communicate(timeout=60)
    assert not living(str(home))
    assert not home.exists()


def test_no_agent_outlives_a_process_that_was_killed(temp: Path) -> None:
    with _process(temp) as child:
        (home,) = temp.iterdir()
        assert living(str(home))
        child.send_signal(signal.SIGKILL)
        child.wait(60)
    deadline = time.monotonic() + 60
    while living(str(home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not living(str(home))
    subprocess.run(["rm", "-r", str(home)], check=True)  # nobody was left to do it


@pytest.mark.parametrize("missing", ["gpg", "gpgconf", "gpg-agent"])
def test_a_missing_program_is_told_with_what_to_install(
    missing: str, temp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {"gpg", "gpgconf", "gpg-agent"} - {missing}:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KeyFault, match=f"'{missing}'.*apt install gnupg"):
        make()


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 2\n", "#!/bin/sh\nexec sleep 600\n"])
def test_an_agent_that_does_not_start_is_told(
    script: str, temp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgp_home, "START_TIMEOUT", 1.0)
    agent = tmp_path / "gpg-agent"
    agent.write_text(script)
    agent.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(KeyFault, match="gpg-agent does not start"):
        GpgHome("gpg")


def test_a_gpg_that_hangs_at_start_up_is_told(
    temp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgp_home, "START_TIMEOUT", 1.0)
    program = tmp_path / "slow-gpg"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(stat.S_IRWXU)
    with pytest.raises(KeyFault, match="gpg took too long"):
        make(program=str(program))


def test_a_path_too_long_for_a_socket_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with pytest.raises(KeyFault, match="TMPDIR"):
        make()
    assert not list(deep.iterdir())


def test_faults_of_keys_are_told_and_leave_nothing(temp: Path, keyring: Keyring) -> None:
    weak = keyring.generate("weak", kind="rsa1024")
    curve = keyring.generate("curve", kind="ed25519")
    locked = keyring.generate("locked", passphrase="secret")
    revoked = keyring.generate("gone", kind="ed25519")
    keyring.revoke(revoked)
    signs_only = armored("google-expired.pub")
    rows = [
        (OURS, (keyring.public(weak),), "RSA of 2048 bits"),
        (OURS, (keyring.public(curve),), "RSA of 2048 bits"),
        (OURS, (keyring.public(revoked),), "'their_keys' holds no active key that signs"),
        (OURS, (signs_only,), "'their_keys' holds no active key that signs"),
        (OURS, (keyring.private(weak),), "is private; hold their public keys only"),
        (THEIRS, THEIRS, "is public; our keys must be private"),
        (OURS, (*THEIRS, armored("integrator-test-1.pub")), "both ours and theirs"),
        ((keyring.private(locked, passphrase="secret"),), THEIRS, "must have no passphrase"),
        (("-----BEGIN PGP PRIVATE KEY BLOCK-----",), THEIRS, "takes for no key"),
    ]
    for ours, theirs, finding in rows:
        with pytest.raises(KeyFault, match=finding) as fault:
            make(ours, theirs)
        assert "BEGIN PGP" not in str(fault.value)
        assert not list(temp.iterdir())


def test_a_key_with_a_signing_part_alone_can_not_be_sealed_to(temp: Path, keyring: Keyring) -> None:
    keyring.gpg("--quick-generate-key", "signs@test.invalid", "rsa2048", "sign", "never")
    with pytest.raises(KeyFault, match="'their_keys' holds no active key that encrypts"):
        make(OURS, (keyring.public("signs@test.invalid"),))


def test_a_weak_key_that_is_expired_does_no_harm(temp: Path, keyring: Keyring) -> None:
    when = ("--faked-system-time", "20240101T000000")
    keyring.gpg(*when, "--quick-generate-key", "old@test.invalid", "rsa1024", "sign", "1d")
    sealer = make(OURS, (*THEIRS, keyring.public("old@test.invalid")))
    assert sealer.open(pgp("01_ok_binary.pgp")).signer
    with pytest.raises(Refused) as refusal:
        sealer.open(pgp("08_bad_unknown_signer.pgp"))
    assert refusal.value.reason is Reason.SIGNATURE_INVALID
    sealer.close()


def test_a_key_that_ends_is_used_until_then(temp: Path, keyring: Keyring) -> None:
    make_key = ("--quick-generate-key", "ends@test.invalid", "rsa2048", "sign", "1y")
    keyring.gpg(*make_key)
    fingerprint = keyring.fingerprint("ends@test.invalid")
    keyring.gpg("--quick-add-key", fingerprint, "rsa2048", "encr", "never")
    sealer = make(OURS, (keyring.public(fingerprint),))
    (key,) = sealer._theirs
    year = time.time() + 365 * 24 * 3600
    assert abs(key.signs_until - year) < 600
    assert key.encrypts_until == key.signs_until
    sealer.close()


def test_a_long_key_of_another_algorithm_is_refused() -> None:
    """DSA of 2048 bits, as gpg lists it."""
    record = ["pub", "-", "2048", "17", "1" * 16, "1704067200", "", "", "-", "", "", "scSC"]
    with pytest.raises(KeyFault, match="not RSA of 2048 bits or more"):
        pgp_keys._read("F" * 40, [record])
    rsa = [*record[:3], "1", *record[4:]]
    assert pgp_keys._read("F" * 40, [rsa]).encrypts_until == pgp_keys.NEVER
