"""What gpg reports is read to the letter: a message is whole, well sealed and proven, or not."""

from __future__ import annotations

import pytest

from flask_otp_mpp.protocols.google.pgp.status import has_failed, is_decrypted, proven_by

KEY, OTHER = "A" * 40, "B" * 40
SEALED = (
    "BEGIN_DECRYPTION",
    "DECRYPTION_INFO 2 9 0",
    "PLAINTEXT 62 0 ",
    "DECRYPTION_OKAY",
    "GOODMDC",
    "END_DECRYPTION",
)


def status(*lines: str) -> bytes:
    return "".join(f"[GNUPG:] {line}\n" for line in lines).encode()


def valid(key: str = KEY, digest: str = "9", kind: str = "00") -> str:
    return f"VALIDSIG {key} 2024-06-01 1717243200 0 4 0 1 {digest} {kind} {key}"


def changed(at: int, *lines: str) -> bytes:
    return status(*SEALED[:at], *lines, *SEALED[at + 1 :])


def test_a_whole_message_is_decrypted() -> None:
    assert is_decrypted(status(*SEALED))


@pytest.mark.parametrize("info", ["0 7 2", "0 9 1"])
def test_a_message_by_an_aead_mode_is_decrypted(info: str) -> None:
    whole = [*SEALED[:1], f"DECRYPTION_INFO {info}", *SEALED[2:4], SEALED[5]]
    assert is_decrypted(status(*whole))


def test_older_versions_tell_no_aead_mode() -> None:
    assert is_decrypted(changed(1, "DECRYPTION_INFO 2 9"))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        status(*SEALED).replace(b"[GNUPG:] ", b"gpg: "),
        changed(0),
        changed(1),
        changed(1, "DECRYPTION_INFO 0 9 0"),
        changed(1, "DECRYPTION_INFO 2 3 0"),
        changed(1, "DECRYPTION_INFO 2 2 0"),
        changed(2),
        changed(2, SEALED[2], SEALED[2]),
        changed(3),
        changed(3, "DECRYPTION_FAILED"),
        changed(3, "DECRYPTION_OKAY", "DECRYPTION_FAILED"),
        changed(4),
        changed(4, "GOODMDC", "BADMDC"),
        changed(5),
        status(*SEALED, *SEALED),
        status(SEALED[2], *SEALED[:2], *SEALED[3:]),
        status(*SEALED[:2], *SEALED[3:], SEALED[2]),
        status(*SEALED[:5], "PLAINTEXT_LENGTH 3"),
    ],
    ids=range(19),
)
def test_anything_less_or_more_is_not_decrypted(said: bytes) -> None:
    assert not is_decrypted(said)


ENC_TO = "ENC_TO 5DFE2B72B087FEAE 1 0"
OURS = f"KEY_CONSIDERED {KEY} 0"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (-9, (ENC_TO, OURS, *SEALED)),
        (-6, ()),
        (2, ()),
        (127, ()),
        (2, (ENC_TO, "BEGIN_DECRYPTION", "DECRYPTION_FAILED", "END_DECRYPTION")),
        (2, (OURS, "BEGIN_DECRYPTION", "DECRYPTION_FAILED", "END_DECRYPTION")),
        (2, (ENC_TO, OURS, "ERROR pkdecrypt_failed 16810070", "DECRYPTION_FAILED")),
        (2, ("ERROR add_keyblock_resource 33587281", ENC_TO, OURS, "DECRYPTION_FAILED")),
        (2, (ENC_TO, OURS, "ERROR x 1", "ERROR y 32854_ENOMEM", "DECRYPTION_FAILED")),
    ],
    ids=range(9),
)
def test_gpgs_own_failure_says_nothing_about_the_message(code: int, said: tuple[str, ...]) -> None:
    """X5: it is killed, ends before the first packet, or the system has no memory for it."""
    assert has_failed(code, status(*said))


@pytest.mark.parametrize(
    "said",
    [
        (ENC_TO, OURS, "BEGIN_DECRYPTION", "DECRYPTION_FAILED", "END_DECRYPTION"),
        (ENC_TO, OURS, "NODATA 3"),
        (ENC_TO, OURS, "ERROR pkdecrypt_failed 50331737", "DECRYPTION_FAILED"),
        (ENC_TO, OURS, "ERROR proc_pkt.plaintext 89_BAD_DATA"),
        (ENC_TO, OURS, "ERROR"),
        (ENC_TO, OURS, "ERROR pkdecrypt_failed"),
        (ENC_TO, OURS, "ERROR pkdecrypt_failed nothing"),
        (ENC_TO, OURS, "WARNING x 16810070"),
    ],
    ids=range(8),
)
def test_what_gpg_finds_in_a_message_is_no_failure_of_its_own(said: tuple[str, ...]) -> None:
    assert not has_failed(2, status(*said))


@pytest.mark.parametrize("digest", ["8", "9", "10"])
@pytest.mark.parametrize("kind", ["00", "01"])
def test_a_good_signature_by_a_trusted_key_proves(digest: str, kind: str) -> None:
    assert proven_by(status("NEWSIG", "GOODSIG A", valid(KEY, digest, kind)), {KEY}) == KEY


def test_one_of_several_is_enough() -> None:
    others = ("NEWSIG", "ERRSIG C", "NEWSIG", "BADSIG B", "NEWSIG", "GOODSIG B", valid(OTHER))
    assert proven_by(status(*others, "NEWSIG", "GOODSIG A", valid()), {KEY}) == KEY


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("NEWSIG", "GOODSIG A"),
        ("NEWSIG", valid()),
        ("NEWSIG", "EXPKEYSIG A", valid()),
        ("NEWSIG", "REVKEYSIG A", valid()),
        ("NEWSIG", "EXPSIG A", valid()),
        ("NEWSIG", "BADSIG A", valid()),
        ("NEWSIG", "GOODSIG A", "NEWSIG", valid()),
        ("NEWSIG", "GOODSIG A", "EXPKEYSIG A", valid()),
        ("NEWSIG", "GOODSIG B", valid(OTHER), valid()),
        ("NEWSIG", "GOODSIG A", valid(digest="2")),
        ("NEWSIG", "GOODSIG A", valid(digest="1")),
        ("NEWSIG", "GOODSIG A", valid(kind="1F")),
        ("NEWSIG", "GOODSIG A", valid().rpartition(" ")[0]),
        ("NEWSIG", f"GOODSIG A {valid()}"),
    ],
    ids=range(15),
)
def test_any_other_signature_proves_nobody(lines: tuple[str, ...]) -> None:
    assert proven_by(status(*lines), {KEY}) is None
