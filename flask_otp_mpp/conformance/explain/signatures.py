"""Mistakes in the Signature header, and how to read a header that has some.

Each mistake is a step from the wrong header towards the right one. The steps are taken one after
the other until the header can be read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from flask_otp_mpp.conformance.explain.base import Mistake
from flask_otp_mpp.signing.rsa256 import Malformed, SignatureHeader

_MOST_STEPS: Final = 3
_SIGNATURE: Final = re.compile(r"(signature\s*=\s*)([^,]*)", re.IGNORECASE)
_ALGORITHM: Final = re.compile(r"algorithm\s*=\s*([^,]*)", re.IGNORECASE)
_HEADER: Final = "algorithm=RSA256,keyVersion=1,signature=…"


@dataclass(frozen=True, slots=True)
class HeaderMistake(Mistake):
    """A mistake in the header.

    :param step: makes the right header of the wrong one; returns it unchanged if it is not wrong.
    """

    step: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Presented:
    """One reading of a Signature header.

    :param mistakes: those that it must have for this reading.
    """

    mistakes: tuple[Mistake, ...]
    version: str | None
    signature: bytes = field(repr=False)


def readings(header: str) -> list[Presented]:
    """Return each reading of a header, those with the fewest mistakes first."""
    found: dict[tuple[str | None, bytes], Presented] = {}
    level: list[tuple[str, tuple[HeaderMistake, ...]]] = [(header, ())]
    for _ in range(_MOST_STEPS + 1):
        after = []
        for text, mistakes in level:
            try:
                read = SignatureHeader.parse(text)
            except Malformed:
                pass
            else:
                key = (read.key_version, read.signature)
                found.setdefault(key, Presented(mistakes, *key))
            after += list(_steps(text, mistakes))
        level = after
    return list(found.values())


def _steps(
    text: str, mistakes: tuple[HeaderMistake, ...]
) -> Iterator[tuple[str, tuple[HeaderMistake, ...]]]:
    start = HEADER_MISTAKES.index(mistakes[-1]) + 1 if mistakes else 0
    for mistake in HEADER_MISTAKES[start:]:
        stepped = mistake.step(text)
        if stepped != text:
            yield stepped, (*mistakes, mistake)


def _on_signature(change: Callable[[str], str]) -> Callable[[str], str]:
    """Return a change of the header, from a change of the signature in it."""
    return lambda text: _SIGNATURE.sub(lambda m: m[1] + change(m[2]), text, count=1)


def _without_quotes(text: str) -> str:
    return text.replace('"', "").replace("'", "").replace("%22", "")


def _with_commas(text: str) -> str:
    return re.sub(r"[;&]\s*(?=[A-Za-z]+\s*=)", ",", text)


def _with_name(text: str) -> str:
    if _SIGNATURE.search(text) or len(text) < 100:
        return text
    return f"algorithm=RSA256,signature={text.strip()}"


def _with_algorithm(text: str) -> str:
    return _ALGORITHM.sub("algorithm=RSA256", text, count=1)


def _decoded_once(signature: str) -> str:
    return unquote_to_bytes(signature).decode("latin-1") if "%25" in signature else signature


def _spaces_to_plus(signature: str) -> str:
    text = unquote_to_bytes(signature.strip()).decode("latin-1")
    return text.replace(" ", "+") if " " in text else signature


def _without_white_space(signature: str) -> str:
    text = unquote_to_bytes(signature).decode("latin-1")
    joined = "".join(text.replace("\\r", "").replace("\\n", "").split())
    return signature if joined == text else joined


def _standard_alphabet(signature: str) -> str:
    return signature.replace("-", "+").replace("_", "/")


def _padded(signature: str) -> str:
    given = unquote_to_bytes(signature).decode("latin-1")
    text = given.rstrip("=")
    padded = text + "=" * (-len(text) % 4)
    return signature if padded == given else padded


def _from_hex(signature: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(signature.replace(":", ""))).decode()
    except ValueError:
        return signature


def _from_base64(signature: str) -> str:
    """Return what is in base64, if it is base64 or hex again."""
    try:
        inner = base64.b64decode(unquote_to_bytes(signature), validate=True).decode("ascii").strip()
    except (binascii.Error, ValueError):
        return signature
    return _from_hex(inner)


def _reversed(signature: str) -> str:
    try:
        data = base64.b64decode(unquote_to_bytes(signature), validate=True)
    except (binascii.Error, ValueError):
        return signature
    return base64.b64encode(data[::-1]).decode()


_ENCODE: Final = (
    "Encode the bytes of the signature once in standard base64 with padding, on one line"
)
_THEN_PERCENT: Final = f"{_ENCODE}, then percent-encode `+`, `/` and `=` once."

HEADER_MISTAKES: Final = (
    HeaderMistake(
        "header-quotes",
        "there are quotation marks in the Signature header",
        '`signature="…"`',
        f"Write the three items without quotation marks: {_HEADER}",
        _without_quotes,
    ),
    HeaderMistake(
        "header-separator",
        "the items of the Signature header are not separated by commas",
        "a semicolon or `&` for the comma",
        f"Separate the three items by commas: {_HEADER}",
        _with_commas,
    ),
    HeaderMistake(
        "header-bare",
        "the Signature header holds the signature alone",
        "the base64 without `signature=`",
        f"Write the three items: {_HEADER}",
        _with_name,
    ),
    HeaderMistake(
        "header-algorithm",
        "the Signature header names another algorithm",
        "`SHA256withRSA`, `RSA` or `RS256` for `RSA256`",
        "Write algorithm=RSA256; it is the only name of this protocol.",
        _with_algorithm,
    ),
    HeaderMistake(
        "signature-encoded-twice",
        "the signature was percent-encoded twice",
        "`%252B` for `%2B`",
        "Percent-encode the signature once; an HTTP library may do it for you.",
        _on_signature(_decoded_once),
    ),
    HeaderMistake(
        "signature-plus-to-space",
        "the `+` of the signature became a space",
        "a signature that was not percent-encoded, and was decoded as a form",
        "Percent-encode the signature before it is sent; decode it without turning `+` into a "
        "space (not by unquote_plus, URLDecoder or parse_str).",
        _on_signature(_spaces_to_plus),
    ),
    HeaderMistake(
        "signature-lines",
        "the signature is wrapped in lines",
        "base64 with line ends in it",
        f"{_THEN_PERCENT} In a shell `base64 -w0`, in Java getEncoder and not getMimeEncoder.",
        _on_signature(_without_white_space),
    ),
    HeaderMistake(
        "signature-base64url",
        "the signature is base64url",
        "`-` and `_` for `+` and `/`",
        _THEN_PERCENT,
        _on_signature(_standard_alphabet),
    ),
    HeaderMistake(
        "signature-padding",
        "the padding of the signature is missing or wrong",
        "base64 without `==` at its end",
        _THEN_PERCENT,
        _on_signature(_padded),
    ),
    HeaderMistake(
        "signature-hex",
        "the signature is written in hex",
        "hex in place of base64",
        _THEN_PERCENT,
        _on_signature(_from_hex),
    ),
    HeaderMistake(
        "signature-base64-twice",
        "the signature is in base64 twice, or in hex within base64",
        "base64 of the text of the signature",
        _THEN_PERCENT,
        _on_signature(_from_base64),
    ),
    HeaderMistake(
        "signature-reversed",
        "the bytes of the signature are in reversed order",
        "the order of Microsoft's CryptoAPI",
        "Reverse the bytes that CryptSignHash returns before you encode them.",
        _on_signature(_reversed),
    ),
)
MISSING: Final = Mistake(
    "signature-missing",
    "there is no Signature header",
    "nothing",
    f"Send the header; its value is {_HEADER}",
)
PLACEHOLDER: Final = Mistake(
    "signature-placeholder",
    "the signature is the placeholder of the development mode of an SDK",
    "`testing_signature`",
    "Switch off the development mode of the SDK, and give it the private key.",
)
UNREADABLE: Final = Mistake(
    "signature-unreadable",
    "the signature can't be decoded, or is not as long as the key",
    "a signature that was cut off or changed, or is of a key of another size",
    _THEN_PERCENT,
)
NOT_ENCODED: Final = Mistake(
    "signature-not-encoded",
    "the signature of an answer is not percent-encoded",
    "bare base64, in which the official clients take `+` for a space",
    _THEN_PERCENT,
)
OTHER_HEADER_MISTAKES: Final = (NOT_ENCODED, MISSING, PLACEHOLDER, UNREADABLE)


def is_encoded(header: str) -> bool:
    """Tell whether the signature in a header is percent-encoded, or needs no encoding."""
    found = _SIGNATURE.search(header)
    return found is None or not set("+/=") & set(found[2])
