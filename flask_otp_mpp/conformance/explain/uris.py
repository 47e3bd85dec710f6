"""Mistakes in the first line: another method or URI than that of the request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from flask_otp_mpp.conformance.explain.base import PREFIXES, Context, StringMistake, texts
from flask_otp_mpp.conformance.explain.string_to_sign import Part

_SANDBOX: Final = "/ams/sandbox/"


def _other_methods(right: str, _context: Context) -> Iterator[str]:
    yield from (name for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "") if name != right)


def other_case(right: str, _context: Context) -> Iterator[str]:
    """Yield a text in lower and in upper case."""
    yield from {right.lower(), right.upper(), right.capitalize()} - {right}


def _other_prefixes(right: str, context: Context) -> Iterator[str]:
    """Yield the path without its first segments, and under other prefixes."""
    prefixes = dict.fromkeys((*context.known.prefixes, *PREFIXES))
    rests = [right[place:] for place, letter in enumerate(right.partition("?")[0]) if letter == "/"]
    found = [rest for rest in rests if rest != right]
    for prefix in prefixes:
        found += [prefix.rstrip("/") + rest for rest in rests]
    yield from dict.fromkeys(found)


def _without_query(right: str, _context: Context) -> Iterator[str]:
    path, mark, query = right.partition("?")
    if mark:
        yield from (
            path,
            f"{path}?",
            f"{path}{query}",
            f"{path}?{'&'.join(sorted(query.split('&')))}",
        )
    else:
        yield right + "?"


def _with_scheme(right: str, context: Context) -> Iterator[str]:
    for host in _hosts(context):
        yield from (f"https://{host}{right}", f"http://{host}{right}")


def _with_host(right: str, context: Context) -> Iterator[str]:
    for host in _hosts(context):
        yield from (host + right, f"//{host}{right}")


def _hosts(context: Context) -> Iterator[str]:
    request = context.message.request
    origins = (context.message.origin, request.header("host") if request is not None else "")
    for origin in dict.fromkeys(origin.partition("://")[2] or origin for origin in origins):
        if origin:
            yield origin
            if ":" in origin:
                yield origin.partition(":")[0]


def _no_slash(right: str, _context: Context) -> Iterator[str]:
    yield right.lstrip("/")


def _slash_at_end(right: str, _context: Context) -> Iterator[str]:
    path, mark, query = right.partition("?")
    yield (path.rstrip("/") if path.endswith("/") else path + "/") + mark + query


def _other_api(right: str, context: Context) -> Iterator[str]:
    path, mark, query = right.partition("?")
    for pair in context.known.paths:
        for mine in pair:
            if path.endswith(mine):
                for other in (one for pair in context.known.paths for one in pair if one != mine):
                    yield path.removesuffix(mine) + other + mark + query


def _other_sandbox(right: str, _context: Context) -> Iterator[str]:
    if right.startswith(_SANDBOX):
        yield "/ams/" + right.removeprefix(_SANDBOX)
    elif right.startswith("/ams/"):
        yield _SANDBOX + right.removeprefix("/ams/")


def _otherwise_escaped(right: str, _context: Context) -> Iterator[str]:
    yield unquote_to_bytes(right.encode("latin-1")).decode("latin-1")
    yield quote(right.encode("latin-1"), safe="/?=&%:.-_~")
    yield quote(right.encode("latin-1"), safe="")


def _with_version(right: str, _context: Context) -> Iterator[str]:
    yield from (f"{right} HTTP/1.1", f"{right} HTTP/2")


_URI_REMEDY: Final = (
    "Sign path and query exactly as they are in the request line, however a proxy changes them."
)

URIS: Final = (
    StringMistake(
        "method",
        "another method was signed",
        "GET, PUT or no method, for a POST",
        "Sign the method of the request line; an answer signs that of its request.",
        *(Part.METHOD, texts(Part.METHOD, _other_methods)),
    ),
    StringMistake(
        "method-case",
        "the method was signed in another case",
        "`post` for `POST`",
        "Sign the method in upper case, as the request line has it.",
        *(Part.METHOD, texts(Part.METHOD, other_case)),
    ),
    StringMistake(
        "uri-prefix",
        "the path was signed without its prefix, or with another one",
        "the path behind a proxy or inside a framework",
        f"{_URI_REMEDY} In this package callers' prefix is the setting …_PUBLIC_PREFIX.",
        *(Part.URI, texts(Part.URI, _other_prefixes)),
    ),
    StringMistake(
        "uri-query",
        "the query was signed in another way than it was sent",
        "the path without `?` and query, or with its parameters sorted",
        _URI_REMEDY,
        *(Part.URI, texts(Part.URI, _without_query)),
    ),
    StringMistake(
        "uri-url",
        "the whole URL was signed, with scheme and host",
        "`https://host/path`",
        _URI_REMEDY,
        *(Part.URI, texts(Part.URI, _with_scheme)),
    ),
    StringMistake(
        "uri-host",
        "the host was signed before the path",
        "`host/path`",
        _URI_REMEDY,
        *(Part.URI, texts(Part.URI, _with_host)),
    ),
    StringMistake(
        "uri-no-slash",
        "the path was signed without the slash that it begins with",
        "`aps/api/…`",
        _URI_REMEDY,
        *(Part.URI, texts(Part.URI, _no_slash)),
    ),
    StringMistake(
        "uri-slash-at-end",
        "a slash at the end of the path was added or left out",
        "`…/sendOTP/`",
        _URI_REMEDY,
        *(Part.URI, texts(Part.URI, _slash_at_end)),
    ),
    StringMistake(
        "uri-other-api",
        "the path of the other API was signed",
        "the path of sendOTP for verifyOTP, of initAuthentication for verifyAuthentication",
        "Make the string from the URI of each request; do not keep it from an earlier one.",
        *(Part.URI, texts(Part.URI, _other_api)),
    ),
    StringMistake(
        "uri-sandbox",
        "the path of the sandbox was signed for production, or the other way round",
        "`/ams/sandbox/api/…` for `/ams/api/…`",
        _URI_REMEDY,
        *(Part.URI, texts(Part.URI, _other_sandbox)),
    ),
    StringMistake(
        "uri-escapes",
        "the URI was signed with other percent-escapes",
        "the URI decoded, or encoded once more",
        _URI_REMEDY,
        *(Part.URI, texts(Part.URI, _otherwise_escaped)),
    ),
    StringMistake(
        "uri-case",
        "the URI was signed in another case",
        "the path in lower case",
        _URI_REMEDY,
        *(Part.URI, texts(Part.URI, other_case)),
    ),
    StringMistake(
        "uri-version",
        "the version of HTTP was signed with the URI",
        "the whole request line",
        "Sign method, a space and the URI; leave out what follows.",
        *(Part.URI, texts(Part.URI, _with_version)),
    ),
)
