"""Mistakes in the body: other bytes than those that were sent."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
import zlib
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from flask_otp_mpp.conformance.explain import json_forms
from flask_otp_mpp.conformance.explain.base import (
    Context,
    StringMistake,
    Variants,
    bodies,
)
from flask_otp_mpp.conformance.explain.string_to_sign import Part, StringToSign

_BOM: Final = b"\xef\xbb\xbf"
_CHARSETS: Final = ("latin-1", "cp1252", "gbk", "gb18030", "big5", "shift_jis", "utf-16-le")
_CHARSETS_BOM: Final = ("utf-16-be", "utf-16")
MAX_UNPACKED: Final = 1024 * 1024


def _line_end(body: bytes) -> Iterator[bytes]:
    yield from (body + b"\n", body + b"\r\n", body.removesuffix(b"\n").removesuffix(b"\r"))


def _other_line_ends(body: bytes) -> Iterator[bytes]:
    plain = body.replace(b"\r\n", b"\n")
    yield from (plain.replace(b"\n", b"\r\n"), plain, plain.replace(b"\n", b"\r"))


def _no_line_ends(body: bytes) -> Iterator[bytes]:
    yield body.replace(b"\r", b"").replace(b"\n", b"")
    yield b"".join(line.strip() for line in body.splitlines())


def _bom(body: bytes) -> Iterator[bytes]:
    yield body.removeprefix(_BOM) if body.startswith(_BOM) else _BOM + body


def _trimmed(body: bytes) -> Iterator[bytes]:
    yield body.strip()


def _empty(_body: bytes) -> Iterator[bytes]:
    yield from (b"", b"{}", b"null", b"None", b"undefined", b"[object Object]")


def _in_other_charset(body: bytes) -> Iterator[bytes]:
    for charset in ("utf-8", *_CHARSETS, *_CHARSETS_BOM):
        try:
            text = body.decode(charset)
        except (UnicodeDecodeError, UnicodeError):
            continue
        if charset == "utf-8":
            for other in (*_CHARSETS, *_CHARSETS_BOM, "ascii"):
                yield text.encode(other, "replace")
        else:
            yield text.encode("utf-8", "replace")
    yield body.decode("ascii", "replace").encode()


def _normalised(body: bytes) -> Iterator[bytes]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    yield unicodedata.normalize("NFC", text).encode()
    yield unicodedata.normalize("NFD", text).encode()


def _encoded(body: bytes) -> Iterator[bytes]:
    yield base64.b64encode(body)
    yield body.hex().encode()
    yield quote(body, safe="").encode()
    yield quote_plus(body).encode()


def _digest(body: bytes) -> Iterator[bytes]:
    for digest in (hashlib.sha256(body), hashlib.md5(body, usedforsecurity=False)):
        yield digest.hexdigest().encode()
        yield digest.hexdigest().upper().encode()
        yield base64.b64encode(digest.digest())
        yield digest.digest()


def _unpacked(body: bytes) -> Iterator[bytes]:
    for bits in (31, 15, -15):  # gzip, deflate with and without its header
        try:
            yield zlib.decompressobj(bits).decompress(body, MAX_UNPACKED)
        except zlib.error:
            continue


def _of_other_message(right: StringToSign, context: Context) -> Iterator[StringToSign]:
    other = context.message.other
    if other is not None and other.body is not None:
        yield from bodies(lambda _: [other.body or b""])(right, context)


def _body(
    id_: str, title: str, signed: str, remedy: str, variants: Variants, *, step: int = 0
) -> StringMistake:
    return StringMistake(id_, title, signed, remedy, Part.BODY, variants, step=step)


_SIGN_BYTES: Final = "Write the body to bytes once, sign these bytes, and send the same ones."
_VERIFY_BYTES: Final = (
    "Take the bytes of the body as they are on the wire, before anything parses or changes them."
)
_REMEDY: Final = f"{_SIGN_BYTES} To verify: {_VERIFY_BYTES[0].lower()}{_VERIFY_BYTES[1:]}"

BODIES: Final[tuple[StringMistake, ...]] = (
    _body(
        "body-line-end",
        "a line end at the end of the body was signed and not sent, or sent and not signed",
        "the body with a line feed, or with CR LF, behind it",
        f"{_SIGN_BYTES} `echo` and editors add a line end; use `printf` or `--data-binary`.",
        bodies(_line_end),
        step=3,
    ),
    _body(
        "body-crlf",
        "the body was signed with other line ends",
        "CR LF for LF, or LF for CR LF",
        f"{_SIGN_BYTES} Open files in binary mode.",
        bodies(_other_line_ends),
        step=3,
    ),
    _body(
        "body-one-line",
        "the line ends within the body were signed and not sent, or sent and not signed",
        "the body without its line ends, as `curl -d @file` sends it",
        f"{_SIGN_BYTES} With curl use `--data-binary @file`.",
        bodies(_no_line_ends),
    ),
    _body(
        "body-bom",
        "a byte-order mark was signed and not sent, or sent and not signed",
        "the bytes EF BB BF before the body",
        "Write UTF-8 without a byte-order mark.",
        bodies(_bom),
        step=3,
    ),
    _body(
        "body-trimmed",
        "white space around the body was not signed",
        "the trimmed body",
        _REMEDY,
        bodies(_trimmed),
    ),
    _body(
        "json-compact",
        "the JSON was signed without white space: it was written again",
        "compact JSON",
        _REMEDY,
        bodies(json_forms.compact),
        step=1,
    ),
    _body(
        "json-spaced",
        "the JSON was signed with spaces after colons and commas: it was written again",
        '`{"a": "b", "c": "d"}`',
        _REMEDY,
        bodies(json_forms.spaced),
        step=1,
    ),
    _body(
        "json-indented",
        "the JSON was signed indented: it was written again",
        "each member on a line of its own",
        _REMEDY,
        bodies(json_forms.indented),
        step=1,
    ),
    _body(
        "json-escaped",
        "characters beyond ASCII were signed as escapes: the JSON was written again",
        "`\\u4e2d` for the character itself",
        _REMEDY,
        bodies(json_forms.escaped),
        step=2,
    ),
    _body(
        "json-unescaped",
        "escaped characters were signed as themselves: the JSON was written again",
        "a character for its `\\u` escape",
        _REMEDY,
        bodies(json_forms.unescaped),
        step=2,
    ),
    _body(
        "json-slashes",
        "slashes in the JSON were signed escaped, or no longer escaped",
        "`\\/` for `/`, as PHP writes it",
        f"{_REMEDY} In PHP, JSON_UNESCAPED_SLASHES.",
        bodies(json_forms.slashes),
        step=2,
    ),
    _body(
        "json-html",
        "`<`, `>`, `&`, `=` were signed as escapes, or no longer",
        "`\\u003d` for `=`, as Gson and Go write it",
        f"{_REMEDY} In Gson, disableHtmlEscaping; in Go, SetEscapeHTML(false).",
        bodies(json_forms.html),
        step=2,
    ),
    _body(
        "json-sorted",
        "the JSON was signed with its members sorted: it was written again",
        "the members in the order of their names",
        _REMEDY,
        bodies(json_forms.ordered),
        step=1,
    ),
    _body(
        "json-nulls",
        "members that are null were not signed: the JSON was written again",
        "the object without them",
        _REMEDY,
        bodies(json_forms.without_nulls),
        step=1,
    ),
    _body(
        "json-member",
        "one member of the body was signed in its place",
        "the object in `result` or another member",
        "Sign the whole body.",
        bodies(json_forms.member),
    ),
    _body(
        "json-quoted",
        "the body was signed as a JSON string: it was written as JSON twice",
        '`"{\\"a\\":…}"`',
        "Write the object as JSON once; the result is the body.",
        bodies(json_forms.quoted),
    ),
    _body(
        "body-empty",
        "no body was signed",
        "an empty text, `{}` or `null`: often a stream that was read before",
        "Read the body once and keep its bytes, for the signature and for the parser.",
        bodies(_empty),
    ),
    _body(
        "body-other-message",
        "the body of the other message was signed",
        "the body of the request in the answer, or the other way round",
        "An answer signs its own body, with the URI of its request.",
        _of_other_message,
    ),
    _body(
        "body-charset",
        "the body was signed in another charset than it was sent in",
        "Latin-1, GBK, UTF-16 or question marks, for UTF-8",
        "Name UTF-8 wherever text becomes bytes: `getBytes(UTF_8)`, `encode('utf-8')`.",
        bodies(_in_other_charset),
        step=3,
    ),
    _body(
        "body-normalised",
        "the body was signed in another Unicode normal form",
        "composed characters for decomposed ones",
        _REMEDY,
        bodies(_normalised),
    ),
    _body(
        "body-encoded",
        "the body was signed encoded",
        "base64, hex or percent-escapes of the body",
        "Sign the bytes of the body as they are sent.",
        bodies(_encoded),
    ),
    _body(
        "body-digest",
        "a digest of the body was signed in its place",
        "SHA-256 or MD5 of the body, as hex, base64 or bytes",
        "Sign the body itself; the signature hashes the string.",
        bodies(_digest),
    ),
    _body(
        "body-unpacked",
        "the body was signed before it was compressed",
        "the body without its Content-Encoding",
        "Send signed messages uncompressed: switch off compression for these paths.",
        bodies(_unpacked),
    ),
)
