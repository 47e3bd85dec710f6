"""Walk the packets of an OpenPGP message before gpg is started, and leave what it need not see.

RFC 4880: sections 4.2 (headers of packets), 5.1 and 5.13 (encrypted data), 6.2 (armor). Pure
functions. gpg works for seconds on few bytes, such as hidden recipients inside of one another; this
costs microseconds, and what it refuses starts no process.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Final, NoReturn

MAX_RECIPIENTS: Final = 8
"""The most session keys before the data: for old and new keys of either side there are four."""

_SESSION_KEY: Final = 1  # Public-Key Encrypted Session Key
_ENCRYPTED: Final = frozenset({18, 20})  # with integrity check, and GnuPG's own with AEAD
_VERSION: Final = 3
_RSA: Final = 1
_MAX_BITS: Final = 16384  # gpg reads no longer number, and so not the packet either
_FIRST_PART: Final = 512
_BEGIN: Final = b"-----BEGIN PGP MESSAGE-----"
_END: Final = b"-----END PGP MESSAGE-----"


class NotForUs(ValueError):
    """A message has other packets than gpg is started for."""


def addressed_to(key_ids: Collection[bytes], message: bytes) -> bytes:
    """Return the session keys of ours and the encrypted data of a message, not armored.

    A message is one to eight session keys, each under an RSA key that is named, at least one of
    them ours and none of ours twice, and then encrypted data up to the end. Session keys for others
    are left out. Marker and padding packets are refused too: Google writes none.

    :param key_ids: the ids of our keys that decrypt, 8 bytes each.
    :param message: binary or armored.
    :raises NotForUs: if it is anything else.
    """
    data = message if message[:1] >= b"\x80" else _without_armor(message)
    ours: dict[bytes, bytes] = {}
    place = 0
    for _ in range(MAX_RECIPIENTS + 1):
        tag, start = _tag(data, place)
        if tag != _SESSION_KEY:
            break
        start, end, more = _body(data, place, start)
        key_id = _recipient(data[start:end])
        if more or key_id in ours:
            _refuse()
        if key_id in key_ids:
            ours[key_id] = data[place:end]
        place = end
    if tag not in _ENCRYPTED or not ours:
        _refuse()
    _check_data(data, place)
    return b"".join(ours.values()) + data[place:]


def _refuse() -> NoReturn:
    raise NotForUs("is not encrypted to us alone")


def _tag(data: bytes, place: int) -> tuple[int, int]:
    """Return the tag of the packet at a place, and where its length begins."""
    first = _number(data, place, 1)
    if first & 0xC0 == 0xC0:
        return first & 0x3F, place + 1
    if first & 0x80:
        return first >> 2 & 0x0F, place + 1
    _refuse()


def _body(data: bytes, place: int, length: int) -> tuple[int, int, bool]:
    """Return where the body of a packet begins and ends, and whether another part follows."""
    if data[place] & 0x40:
        return _part(data, length)
    octets = 1 << (data[place] & 3)
    if octets == 8:  # up to the end of the file: for data alone
        _refuse()
    start = length + octets
    return start, _bounded(data, start + _number(data, length, octets)), False


def _part(data: bytes, place: int) -> tuple[int, int, bool]:
    """Return the same for a length of the new format."""
    first = _number(data, place, 1)
    more = False
    if first < 192:
        start, size = place + 1, first
    elif first < 224:
        start, size = place + 2, (first - 192 << 8) + _number(data, place + 1, 1) + 192
    elif first == 255:
        start, size = place + 5, _number(data, place + 1, 4)
    else:
        start, size, more = place + 1, 1 << (first & 0x1F), True
    return start, _bounded(data, start + size), more


def _check_data(data: bytes, place: int) -> None:
    """Check that encrypted data, whole or in parts, ends where the message does.

    gpg knows version 1 of both kinds.
    """
    start, end, more = _part(data, place + 1)
    if _number(data, start, 1) != 1 or start == end or (more and end - start < _FIRST_PART):
        _refuse()
    while more:
        start, end, more = _part(data, end)
    if end != len(data):
        _refuse()


def _recipient(body: bytes) -> bytes:
    """Return the id of the key that a session key is for; zero is a hidden one."""
    key_id = body[1:9]
    bits = _number(body, 10, 2)
    whole = len(body) == 12 + (bits + 7) // 8
    known = body[0] == _VERSION and body[9] == _RSA
    if not known or not whole or bits > _MAX_BITS or not any(key_id):
        _refuse()
    return key_id


def _number(data: bytes, place: int, size: int) -> int:
    return int.from_bytes(data[place : _bounded(data, place + size)])


def _bounded(data: bytes, end: int) -> int:
    if end > len(data):
        _refuse()
    return end


def _without_armor(text: bytes) -> bytes:
    """Decode a message in armor: one, and nothing but white space beside it.

    The checksum is not compared: encrypted data has a better one (RFC 9580, section 6.1).
    """
    lines = [line.rstrip() for line in text.strip().splitlines()]
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END or b"" not in lines:
        _refuse()
    blank = lines.index(b"")
    digits = lines[blank + 1 : -1]
    if digits and digits[-1].startswith(b"="):
        digits.pop()
    try:
        return base64.b64decode(b"".join(digits), validate=True)
    except ValueError:
        _refuse()
