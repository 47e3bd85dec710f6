"""Mistakes in the layout of the string, and in what is done to the whole of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from flask_otp_mpp.conformance.explain.base import Context, StringMistake, Variants, layouts
from flask_otp_mpp.conformance.explain.string_to_sign import (
    After,
    Layout,
    Part,
    StringToSign,
)

_HEAD: Final[Layout] = (Part.METHOD, " ", Part.URI)
_REST: Final[Layout] = (Part.CLIENT, ".", Part.TIME, ".", Part.BODY)
_FIELDS: Final = (Part.CLIENT, Part.TIME, Part.BODY)


def _rest_joined(*between: str) -> Layout:
    first, second = between
    return (*_HEAD, "\n", Part.CLIENT, first, Part.TIME, second, Part.BODY)


def _no_dot(_right: Layout) -> Iterator[Layout]:
    yield from (_rest_joined("", ""), _rest_joined("", "."), _rest_joined(".", ""))


def _other_separator(_right: Layout) -> Iterator[Layout]:
    for mark in (",", ":", ";", "|", "&", "-", "_", " ", "\n", "\r\n", ". ", " . "):
        yield _rest_joined(mark, mark)
    yield from (_rest_joined(".", "\n"), _rest_joined(".", ".\n"), _rest_joined(".", " "))


def _no_first_line(_right: Layout) -> Iterator[Layout]:
    yield from (_REST, ("\n", *_REST))


def _no_second_line(_right: Layout) -> Iterator[Layout]:
    yield from (_HEAD, (*_HEAD, "\n"), (*_HEAD, "\n", Part.BODY), (*_HEAD, "\n.."), (Part.BODY,))


def _no_method(_right: Layout) -> Iterator[Layout]:
    yield from ((Part.URI, "\n", *_REST), (Part.METHOD, "\n", *_REST))


def _missing_field(_right: Layout) -> Iterator[Layout]:
    for missing in _FIELDS:
        left = [one for one in _FIELDS if one is not missing]
        yield (*_HEAD, "\n", left[0], ".", left[1])
    yield (*_HEAD, "\n", Part.CLIENT, "..", Part.BODY)
    yield (*_HEAD, "\n", ".", Part.TIME, ".", Part.BODY)


def _no_line_feed(_right: Layout) -> Iterator[Layout]:
    for mark in ("", " ", ".", ",", "&"):
        yield (*_HEAD, mark, *_REST)


def _other_line_feed(_right: Layout) -> Iterator[Layout]:
    for mark in ("\r\n", "\r", "\n\n", "\n\r", " \n", "\n "):
        yield (*_HEAD, mark, *_REST)


def _literal(_right: Layout) -> Iterator[Layout]:
    yield from ((*_HEAD, "\\n", *_REST), (*_HEAD, "/n", *_REST), (*_HEAD, "\\r\\n", *_REST))


def _other_space(_right: Layout) -> Iterator[Layout]:
    for mark in ("", "\n", "  ", "\t", ".", ":", ","):
        yield (Part.METHOD, mark, Part.URI, "\n", *_REST)


def _other_order(_right: Layout) -> Iterator[Layout]:
    for a, b, c in (
        (Part.TIME, Part.CLIENT, Part.BODY),
        (Part.CLIENT, Part.BODY, Part.TIME),
        (Part.BODY, Part.CLIENT, Part.TIME),
        (Part.BODY, Part.TIME, Part.CLIENT),
        (Part.TIME, Part.BODY, Part.CLIENT),
    ):
        yield (*_HEAD, "\n", a, ".", b, ".", c)
    yield (Part.URI, " ", Part.METHOD, "\n", *_REST)


def _line_end(right: Layout) -> Iterator[Layout]:
    for mark in ("\n", "\r\n", "\n\n", " ", "\0", "."):
        yield (*right, mark)


def _bom(right: Layout) -> Iterator[Layout]:
    yield ("\ufeff", *right)


def _done(*afters: After) -> Variants:
    def variants(right: StringToSign, _context: Context) -> Iterator[StringToSign]:
        for after in afters:
            yield replace(right, after=(after,))

    return variants


def _hashed(name: str) -> Iterator[After]:
    def digest(data: bytes) -> bytes:
        return hashlib.new(name, data, usedforsecurity=False).digest()

    shown = name.upper().replace("SHA", "SHA-")
    yield After(f"hashed by {shown}", digest)
    yield After(f"hashed by {shown}, as hex", lambda data: digest(data).hex().encode())
    yield After(
        f"hashed by {shown}, as hex in upper case", lambda data: digest(data).hex().upper().encode()
    )
    yield After(f"hashed by {shown}, as base64", lambda data: base64.b64encode(digest(data)))


def _in_charset(charset: str) -> Callable[[bytes], bytes]:
    return lambda data: data.decode("utf-8", "replace").encode(charset, "replace")


def _layout(
    id_: str, title: str, signed: str, remedy: str, make: Callable[[Layout], Iterator[Layout]]
) -> StringMistake:
    return StringMistake(id_, title, signed, remedy, Part.LAYOUT, layouts(make))


_REMEDY: Final = "Sign METHOD, a space, the URI, one line feed, then client.time.body."

LAYOUTS: Final = (
    _layout(
        "string-no-dot",
        "a dot between client, time and body is missing",
        "`clienttime.body`",
        _REMEDY,
        _no_dot,
    ),
    _layout(
        "string-separator",
        "something else than a dot stands between client, time and body",
        "a comma, a colon, a space or a line feed for the dot",
        _REMEDY,
        _other_separator,
    ),
    _layout(
        "string-no-first-line",
        "the line with method and URI was not signed",
        "`client.time.body` alone",
        _REMEDY,
        _no_first_line,
    ),
    _layout(
        "string-no-second-line",
        "the line with client, time and body was not signed, or the body alone was",
        "`POST /path` alone, or the body alone",
        _REMEDY,
        _no_second_line,
    ),
    _layout(
        "string-no-method",
        "method or URI is missing in the first line",
        "`/path` or `POST` alone",
        _REMEDY,
        _no_method,
    ),
    _layout(
        "string-missing-field",
        "client, time or body is missing in the second line",
        "`time.body` or `client.body`",
        _REMEDY,
        _missing_field,
    ),
    _layout(
        "string-no-line-feed",
        "the line feed between the two lines is missing",
        "`POST /pathclient.time.body`",
        _REMEDY,
        _no_line_feed,
    ),
    _layout(
        "string-crlf",
        "the line feed between the two lines is another line end",
        "CR LF, CR, or two line feeds",
        f"{_REMEDY} It is the one byte 0A on each system: write it as `\\n`, not as println.",
        _other_line_feed,
    ),
    _layout(
        "string-literal-n",
        "the line feed was signed as a backslash and the letter n",
        "the two characters `\\n`",
        "Write the line feed as the byte 0A: in a shell as `$'\\n'` or by printf.",
        _literal,
    ),
    _layout(
        "string-space",
        "something else than one space stands between method and URI",
        "no space, a line feed or a tab",
        _REMEDY,
        _other_space,
    ),
    _layout(
        "string-order",
        "the parts were signed in another order",
        "`time.client.body`",
        _REMEDY,
        _other_order,
    ),
    _layout(
        "string-line-end",
        "a line end at the end of the string was signed",
        "the string with a line feed behind it",
        "The string ends with the body: sign it by printf, not by echo.",
        _line_end,
    ),
    _layout(
        "string-bom",
        "a byte-order mark was signed before the string",
        "the bytes EF BB BF before the method",
        "Write UTF-8 without a byte-order mark.",
        _bom,
    ),
)

WHOLES: Final = (
    StringMistake(
        "string-hashed",
        "the string was hashed twice",
        "its SHA-256, as bytes, hex or base64, which the signature hashed again",
        "Give the string itself to the function that signs; SHA256withRSA hashes it.",
        Part.AFTER,
        _done(*(after for name in ("sha256", "sha1", "md5") for after in _hashed(name))),
    ),
    StringMistake(
        "string-encoded",
        "the string was encoded before it was signed",
        "its base64, hex or percent-escapes",
        "Sign the bytes of the string; only the signature is encoded.",
        Part.AFTER,
        _done(
            After("encoded in base64", base64.b64encode),
            After("written as hex", lambda data: data.hex().encode()),
            After("percent-encoded", lambda data: quote(data, safe="").encode()),
        ),
    ),
    StringMistake(
        "string-charset",
        "the whole string was signed in another charset",
        "UTF-16 or GBK for UTF-8",
        "Name UTF-8 where the string becomes bytes: `getBytes(UTF_8)`, `Encoding.UTF8`.",
        Part.AFTER,
        _done(
            *(
                After(f"encoded in {name}", _in_charset(name))
                for name in ("utf-16-le", "utf-16-be", "utf-16", "gbk", "latin-1")
            )
        ),
    ),
)
