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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.protocols.google.pgp import directories
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
    make().close()  # nobody else is left to remove its home


def test_the_home_of_a_process_that_was_killed_is_removed_by_the_next(
    temp: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """X5: with the private keys in it, and with an agent that gpg itself has started there."""
    with _process(temp) as child:
        (home,) = temp.iterdir()
        keys = list(home.glob("private-keys-v1.d/*.key"))
        kill = ["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"]
        subprocess.run(kill, check=True, timeout=60)
        again = ["gpg-connect-agent", "--homedir", str(home), "/bye"]
        subprocess.run(again, check=True, timeout=60, capture_output=True)
        child.send_signal(signal.SIGKILL)
        child.wait(60)
    assert keys
    assert living(str(home))
    sealer = make()
    assert not home.exists()
    assert [record.getMessage() for record in caplog.records] == [
        "removed 1 PGP key directories of processes that were killed"
    ]
    deadline = time.monotonic() + 60
    while living(str(home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not living(str(home))
    sealer.close()


def test_no_home_of_a_living_process_is_removed(temp: Path) -> None:
    """X5: neither another's nor one's own, by whichever account that starts."""
    with _process(temp) as child:
        (theirs,) = temp.iterdir()
        first, second = make(), make()
        assert len(list(temp.iterdir())) == 3
        assert theirs.is_dir()
        for sealer in (first, second):
            assert sealer.open(pgp("01_ok_binary.pgp")).signer
            sealer.close()
        child.communicate(timeout=60)


FORK_TWO = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from tests.vectors.google import armored
one = PgpSealer([armored("integrator-test-1.sec")], [armored("google-test-1.pub")],
          program="gpg", timeout=20)
if os.fork():
    os._exit(0)
print("ready", flush=True)
sys.stdin.read()
os._exit(0)
"""


def test_a_home_is_kept_while_a_forked_worker_lives(temp: Path) -> None:
    """X5: the process that made it has ended; those that it forked still use it."""
    command = [sys.executable, "-c", FORK_TWO, str(temp)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.wait(60)
        (home,) = temp.iterdir()
        make().close()
        assert home.is_dir()
        assert child.stdin is not None
        child.stdin.close()
        assert child.stdout.read() == b""  # the forked one has ended, too
    make().close()
    assert not home.exists()


def test_only_our_own_directories_are_removed(
    temp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X5: a link, a file, a directory that others may enter or own, and another name stay."""
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    (target / "kept").touch()
    names = [f"{directories.PREFIX}{number}" for number in range(3)] + ["otp-mpp-notes"]
    link, file, wide, other = (temp / name for name in names)
    link.symlink_to(target)
    file.touch()
    wide.mkdir()
    wide.chmod(0o755)
    other.mkdir(mode=0o700)
    strangers = temp / f"{directories.PREFIX}strangers"
    strangers.mkdir(mode=0o700)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert directories.remove_abandoned() == 0
    strangers.rmdir()
    assert directories.remove_abandoned() == 0
    assert sorted(temp.iterdir()) == sorted([link, file, wide, other])
    assert (target / "kept").exists()
    for path in (wide, other):
        path.rmdir()
    for path in (link, file):
        path.unlink()


def test_directories_are_made_and_removed_at_once(temp: Path) -> None:
    """X5: by many processes that start together, each with its own in the end."""
    made = []

    def start(_: int) -> None:
        directories.remove_abandoned()
        made.append(directories.make_locked())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(200)))
    assert all(Path(path).is_dir() for path, _ in made)
    assert len({path for path, _ in made}) == 200
    assert directories.remove_abandoned() == 0
    for _, lock in made:
        os.close(lock)
    assert directories.remove_abandoned() == 200


@pytest.mark.parametrize("moment", ["before it is opened", "before it is locked"])
def test_one_that_is_removed_before_it_is_locked_is_made_anew(
    moment: str, temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, name = (tempfile, "mkdtemp") if moment == "before it is opened" else (fcntl, "flock")
    function, calls = getattr(place, name), []

    def removed_once(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        calls.append(arguments)
        if len(calls) == 1:
            next(temp.iterdir()).rmdir()
        return result

    monkeypatch.setattr(place, name, removed_once)
    path, lock = directories.make_locked()
    assert len(calls) == 2
    assert list(temp.iterdir()) == [Path(path)]
    os.close(lock)
    assert directories.remove_abandoned() == 1


def test_one_that_another_start_has_removed_is_not_removed_again(
    temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name may be another's then."""
    abandoned = temp / f"{directories.PREFIX}1"
    abandoned.mkdir(mode=0o700)
    flock = fcntl.flock

    def after_another(lock: int, how: int) -> None:
        abandoned.rmdir()
        abandoned.mkdir(mode=0o700)
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", after_another)
    assert directories.remove_abandoned() == 0
    assert abandoned.is_dir()
    abandoned.rmdir()


def _pretending(folder: Path, version: str) -> str:
    """Return a gpg that tells another version."""
    program = folder / "other-gpg"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *--version*) echo "{version}";; *) exec gpg "$@";; esac\n'
    )
    program.chmod(stat.S_IRWXU)
    return str(program)


@pytest.mark.parametrize(
    ("version", "warning"),
    [
        ("gpg (GnuPG) 2.2.35", "gpg 2.2.35 lets a message forge its signature (CVE-2022-34903)"),
        ("something", "gpg does not report its version"),
        ("gpg (GnuPG) 2.2.36", ""),
    ],
)
def test_a_gpg_with_a_known_fault_is_warned_of(
    version: str, warning: str, temp: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """X5: the account starts, since distributions mend faults under the old number."""
    sealer = make(program=_pretending(tmp_path, version))
    assert sealer.open(pgp("01_ok_binary.pgp")).signer
    sealer.close()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == bool(warning)
    assert warning in "".join(told)


def test_our_files_are_private(temp: Path) -> None:
    sealer = make()
    (home,) = temp.iterdir()
    assert stat.S_IMODE((home / "gpg-agent.conf").stat().st_mode) == 0o600
    sealer.close()


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
        (("-----BEGIN PGP PRIVATE KEY BLOCK-----",), THEIRS, "does not read as a key"),
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
    (key,) = sealer.theirs
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
