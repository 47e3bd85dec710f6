"""gpg sees a few session keys of ours and one piece of encrypted data, and nothing else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_otp_mpp.protocols.google.pgp.packets import MAX_RECIPIENTS, NotForUs, addressed_to
from flask_otp_mpp.protocols.google.sealer import from_base64url
from tests.vectors import google

OURS, ALSO_OURS, FOREIGN = b"OURKEY_1", b"OURKEY_2", b"ANOTHER1"
KEYS = frozenset({OURS, ALSO_OURS})
HIDDEN = bytes(8)
WALLET_1 = bytes.fromhex("5DFE2B72B087FEAE")
VECTOR = from_base64url(google.pgp("01_ok_binary.pgp"))


def packet(tag: int, body: bytes, form: str = "new") -> bytes:
    """Write a packet with its length in one of the ways that RFC 4880, section 4.2 allows."""
    size = len(body)
    if form == "new":
        form = "one" if size < 192 else "two" if size < 8384 else "five"
    head = {
        "one": lambda: bytes([0xC0 | tag, size]),
        "two": lambda: bytes([0xC0 | tag, 192 + (size - 192 >> 8), size - 192 & 255]),
        "five": lambda: bytes([0xC0 | tag, 255]) + size.to_bytes(4),
        "old one": lambda: bytes([0x80 | tag << 2, size]),
        "old two": lambda: bytes([0x81 | tag << 2]) + size.to_bytes(2),
        "old four": lambda: bytes([0x82 | tag << 2]) + size.to_bytes(4),
        "old open": lambda: bytes([0x83 | tag << 2]),
    }[form]()
    return head + body


def session_key(
    key_id: bytes = OURS, *, version: int = 3, algorithm: int = 1, bits: int = 2048, more: int = 0
) -> bytes:
    mpi = b"\xaa" * ((bits + 7) // 8 + more)
    return bytes([version]) + key_id + bytes([algorithm]) + bits.to_bytes(2) + mpi


def to(*key_ids: bytes) -> bytes:
    return b"".join(packet(1, session_key(key_id)) for key_id in key_ids)


def hidden_ones(size: int) -> bytes:
    """Nest messages to hidden recipients in one another."""
    message = b""
    while len(message) < size:
        message = packet(1, session_key(HIDDEN, bits=8)) + packet(18, b"\x01" + message)
    return message


DATA = packet(18, b"\x01" + b"\xdd" * 300)
# Two parts of 512 bytes, and the last one.
PARTS = b"\xd2\xe9\x01" + b"\xdd" * 511 + b"\xe9" + b"\xdd" * 512 + b"\x03" + b"\xdd" * 3


def is_refused(message: bytes) -> bool:
    try:
        addressed_to(KEYS, message)
    except NotForUs:
        return True
    return False


def armor(
    message: bytes, *, headers: str = "", end: str = "\n", checksum: str = "=AAAA\n"
) -> bytes:
    digits = base64.encodebytes(message).decode()
    text = f"-----BEGIN PGP MESSAGE-----\n{headers}\n{digits}{checksum}-----END PGP MESSAGE-----\n"
    return text.replace("\n", end).encode()


@pytest.mark.parametrize("data", [DATA, PARTS, packet(20, b"\x01\x09\x02\x10" + b"\xdd" * 60)])
@pytest.mark.parametrize("keys", [[OURS], [ALSO_OURS], [OURS, ALSO_OURS]])
def test_session_keys_of_ours_and_encrypted_data_pass_unchanged(
    keys: list[bytes], data: bytes
) -> None:
    assert addressed_to(KEYS, to(*keys) + data) == to(*keys) + data


@pytest.mark.parametrize("form", ["two", "five", "old two", "old four"])
def test_every_way_to_write_a_length_passes(form: str) -> None:
    message = packet(1, session_key(), form) + DATA
    assert addressed_to(KEYS, message) == message


@pytest.mark.parametrize("form", ["one", "old one"])
def test_a_length_of_one_byte_passes(form: str) -> None:
    message = packet(1, session_key(bits=1000), form) + packet(18, b"\x01" + b"\xdd" * 100, "one")
    assert addressed_to(KEYS, message) == message


def test_session_keys_for_others_are_left_out() -> None:
    """X5: a sender may encrypt to further keys; gpg need not look at these."""
    message = to(FOREIGN, OURS, b"ANOTHER2") + DATA
    assert addressed_to(KEYS, message) == to(OURS) + DATA


def test_there_are_a_few_session_keys_and_no_more() -> None:
    """X5: whoever they are for."""
    others = [bytes([number]) * 8 for number in range(1, MAX_RECIPIENTS + 1)]
    assert addressed_to(KEYS, to(*others[1:], OURS) + DATA) == to(OURS) + DATA
    assert is_refused(to(*others, OURS) + DATA)


REFUSED = {
    "nothing": b"",
    "no session key": DATA,
    "no data": to(OURS),
    "for others alone": to(FOREIGN) + DATA,
    "one of ours twice": to(OURS, OURS) + DATA,
    "a hidden recipient": to(HIDDEN) + DATA,
    "a hidden recipient beside ours": to(OURS, HIDDEN) + DATA,
    "data twice": to(OURS) + DATA + DATA,
    "something behind": to(OURS) + DATA + packet(11, b"b\0....text"),
    "a byte behind": to(OURS) + DATA + b"\0",
    "something before": packet(11, b"b\0....text") + to(OURS) + DATA,
    "something between": to(OURS) + packet(11, b"b\0....text") + DATA,
    "a session key behind": to(OURS) + DATA + to(ALSO_OURS),
    "no packet behind": to(OURS) + b"\0" + DATA,
    "a marker": packet(10, b"PGP") + to(OURS) + DATA,
    "padding": to(OURS) + packet(21, b"....") + DATA,
    "a passphrase beside": to(OURS) + packet(3, b"\x04\x09\x00\x08") + DATA,
    "data without integrity check": to(OURS) + packet(9, b"\xdd" * 300),
    "data of version 2": to(OURS) + packet(18, b"\x02" + b"\xdd" * 300),
    "data without a version": to(OURS) + packet(18, b""),
    "a session key of version 2": packet(1, session_key(version=2)) + DATA,
    "a session key of version 6": packet(1, session_key(version=6)) + DATA,
    "another algorithm": packet(1, session_key(algorithm=16)) + DATA,
    "a number that is too short": packet(1, session_key(more=-1)) + DATA,
    "a number that is too long": packet(1, session_key(more=1)) + DATA,
    "a number beyond any key": packet(1, session_key(bits=16385)) + DATA,
    "a session key of nothing": packet(1, b"") + DATA,
    "a session key of eleven bytes": packet(1, session_key()[:11]) + DATA,
    "a session key up to the end": packet(1, session_key(), "old open") + DATA,
    "a session key in parts": b"\xc1\xe8" + session_key()[:256] + b"\x0c" + b"\xaa" * 12 + DATA,
    "a short first part": to(OURS) + b"\xd2\xe8\x01" + b"\xdd" * 255 + b"\x01\xdd",
    "parts without an end": to(OURS) + PARTS[:-4],
    "a part of two gigabytes": to(OURS) + b"\xd2\xfe\x01" + b"\xdd" * 600,
    "a length beyond the end": to(OURS) + b"\xd2\xff\xff\xff\xff\xff\x01" + b"\xdd" * 600,
}


@pytest.mark.parametrize("what", REFUSED)
def test_anything_else_is_refused(what: str) -> None:
    """X5: armored too."""
    assert is_refused(REFUSED[what])
    assert is_refused(armor(REFUSED[what]))


def test_hidden_recipients_inside_of_one_another_are_refused() -> None:
    """X5: gpg tries every key for each of them."""
    assert is_refused(hidden_ones(56))
    assert is_refused(hidden_ones(2000))


def test_every_cut_of_a_message_is_refused() -> None:
    message = to(OURS) + PARTS
    assert [size for size in range(len(message)) if not is_refused(message[:size])] == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("headers", ["", "Version: 1\nComment: of them\n"])
@pytest.mark.parametrize("checksum", ["=AAAA\n", ""])
def test_armor_is_taken_off(headers: str, end: str, checksum: str) -> None:
    message = to(OURS) + DATA
    text = armor(message, headers=headers, end=end, checksum=checksum)
    assert addressed_to(KEYS, text) == message
    assert addressed_to(KEYS, b" \n" + text + b"\n\n") == message


def test_armor_that_is_not_one_message_is_refused() -> None:
    text = armor(to(OURS) + DATA)
    lines = text.splitlines(keepends=True)
    rows = [
        text + text,
        b"words\n" + text,
        text + b"words\n",
        text.replace(b"PGP MESSAGE", b"PGP SIGNATURE"),
        text.replace(b"\n\n", b"\n"),
        b"".join(lines[:-1]),
        b"".join(lines[1:]),
        text.replace(lines[4], b"*" + lines[4]),
        lines[0] + b"\n" + lines[-1],
        lines[0] + lines[-1],
        lines[0],
    ]
    assert [place for place, row in enumerate(rows) if not is_refused(row)] == []


@given(st.binary(max_size=700))
@example(b"\xff" * 700)
@example(b"-" * 700)
def test_no_bytes_raise_anything_else(message: bytes) -> None:
    assert is_refused(message)


@given(data=st.data())
def test_a_changed_message_passes_whole_or_is_refused(data: st.DataObject) -> None:
    """Flip bits, cut, double and insert: what passes has the form that gpg may see."""
    message = bytearray(data.draw(st.sampled_from([to(OURS) + PARTS, to(FOREIGN, OURS) + DATA])))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(message) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "double"])):
            case "flip":
                message[place] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del message[place + 1 :]
            case "insert":
                message[place:place] = data.draw(st.binary(min_size=1, max_size=20))
            case "double":
                message += message[place:]
    try:
        passed = addressed_to(KEYS, bytes(message))
    except NotForUs:
        return
    assert passed[:1] in (b"\xc1", *(bytes([0x84 | kind]) for kind in range(3)))
    assert addressed_to(KEYS, passed) == passed


def without_armor(message: bytes) -> bytes:
    """Decode what stands between the header lines and the checksum."""
    if not message.startswith(b"-----BEGIN"):
        return message
    _, _, data = message.replace(b"\r\n", b"\n").partition(b"\n\n")
    return base64.b64decode(data.partition(b"\n=")[0])


def test_the_vectors_pass_byte_for_byte() -> None:
    """They were made by five libraries, in armor or without."""
    ours = {WALLET_1, bytes.fromhex("0CDEED5B39C07DF5")}
    for name in google.manifest(google.PGP):
        message = from_base64url(google.pgp(name))
        if not name.startswith(("14", "30")):
            assert addressed_to(ours, message) == without_armor(message), name
    with pytest.raises(NotForUs):
        addressed_to(ours, from_base64url(google.pgp("30_response_ok.pgp")))


def test_a_flipped_key_id_is_a_message_for_others() -> None:
    assert VECTOR[4:12] == WALLET_1
    with pytest.raises(NotForUs):
        addressed_to({WALLET_1}, VECTOR[:4] + b"\0" + VECTOR[5:])
