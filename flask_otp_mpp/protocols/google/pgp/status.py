"""Read what gpg reports of a message: whether it was whole, encrypted strongly enough, and signed.

GnuPG's ``doc/DETAILS``, section "Format of the --status-fd output". Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

CIPHERS: Final = frozenset({"7", "8", "9"})
"""AES of 128, 192 and 256 bits (RFC 4880, section 9.2)."""
HASHES: Final = frozenset({"8", "9", "10"})
"""SHA256, SHA384, SHA512 (RFC 4880, section 9.4)."""

_MARK: Final = "[GNUPG:] "
_SEQUENCE: Final = [
    "BEGIN_DECRYPTION",
    "DECRYPTION_INFO",
    "PLAINTEXT",
    "DECRYPTION_OKAY",
    "END_DECRYPTION",
]
_FAILED: Final = frozenset({"DECRYPTION_FAILED", "BADMDC"})
_FOUND: Final = frozenset({"ENC_TO", "KEY_CONSIDERED"})
_SYSTEM_ERROR: Final = 1 << 15  # GPG_ERR_SYSTEM_ERROR of gpg-error.h
_NUMBER: Final = re.compile("[0-9]{1,10}")
_DOCUMENTS: Final = frozenset({"00", "01"})  # signatures over binary data, over text


def lines(status: bytes) -> Iterator[list[str]]:
    """Yield the keyword and the arguments of each line."""
    for line in status.decode("utf-8", "replace").split("\n"):
        if line.startswith(_MARK):
            yield line.removeprefix(_MARK).split(" ")


def is_decrypted(status: bytes) -> bool:
    """Tell whether exactly one message was decrypted, by AES, with its integrity checked.

    A second plaintext, or one beside the encrypted data, would be under no signature.
    """
    read = list(lines(status))
    words = [line[0] for line in read]
    sequence = [word for word in words if word in _SEQUENCE]
    if sequence != _SEQUENCE or not _FAILED.isdisjoint(words):
        return False
    _, mdc, cipher, *aead = read[words.index("DECRYPTION_INFO")]
    if cipher not in CIPHERS:
        return False
    if aead and aead[0] != "0":
        return True  # an AEAD mode can't be OKAY and broken
    return mdc == "2" and "GOODMDC" in words


def has_failed(code: int, status: bytes) -> bool:
    """Tell whether gpg or its agent failed by itself: it says nothing about the message then.

    Of a message whose packets were walked gpg names the recipient, and then the key that it has
    for it; without an agent, or without its files, it names no key. What is missing to the machine,
    such as memory, is an error of the system: libgpg-error writes ``errno`` values with a bit of
    their own.

    :param code: gpg's exit code; negative if a signal ended it.
    """
    read = list(lines(status))
    if code < 0 or not {line[0] for line in read} >= _FOUND:
        return True
    errors = (_NUMBER.match(line[2]) for line in read if line[0] == "ERROR" and len(line) > 2)
    return any(number and int(number[0]) & _SYSTEM_ERROR for number in errors)


def proven_by(status: bytes, trusted: Collection[str]) -> str | None:
    """Return the trusted key that has made a valid signature.

    :param trusted: fingerprints of primary keys.
    :returns: its fingerprint, None if no signature is good enough. gpg says GOODSIG of a key that
        is active, EXPKEYSIG, REVKEYSIG or EXPSIG of one that is not; VALIDSIG follows either.
    """
    good = False
    for word, *arguments in lines(status):
        if word == "GOODSIG":
            good = True
        elif word == "VALIDSIG" and good and len(arguments) == 10:
            digest, kind, primary = arguments[7:]
            if primary in trusted and digest in HASHES and kind in _DOCUMENTS:
                return primary
            good = False
        elif word in ("NEWSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG"):
            good = False
    return None
