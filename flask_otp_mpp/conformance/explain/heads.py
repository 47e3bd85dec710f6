"""Mistakes in the first line and in client and time: other texts than those that were sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from flask_otp_mpp.conformance.explain import times
from flask_otp_mpp.conformance.explain.base import PREFIXES, Context, StringMistake, texts
from flask_otp_mpp.conformance.explain.captured import Direction
from flask_otp_mpp.conformance.explain.masking import is_secret
from flask_otp_mpp.conformance.explain.string_to_sign import Part

_IDS: Final = ("acquirerId", "pspId", "merchantId", "clientId", "partnerId", "appId")
_SANDBOX: Final = "/ams/sandbox/"


def _other_methods(right: str, _context: Context) -> Iterator[str]:
    yield from (name for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "") if name != right)


def _other_case(right: str, _context: Context) -> Iterator[str]:
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


def _client_of_other(right: str, context: Context) -> Iterator[str]:
    message = context.message
    for sent in (message.other, message.sent):
        for name, value in (sent.headers if sent is not None else {}).items():
            if value != right and not is_secret(name) and ("client" in name or "id" in name):
                yield value


def _other_client(right: str, context: Context) -> Iterator[str]:
    yield from (client for client in context.known.clients if client != right)


def _client_of_body(_right: str, context: Context) -> Iterator[str]:
    for sent in (context.message.request, context.message.answer):
        try:
            value = json.loads(sent.body or b"") if sent is not None else None
        except ValueError:
            continue
        if isinstance(value, dict):
            yield from (value[name] for name in _IDS if isinstance(value.get(name), str))


def _placeholder(right: str, context: Context) -> Iterator[str]:
    name = "Client-Id" if context.message.direction is Direction.REQUEST else "client-id"
    yield from (f"<{right}>", f"{{{right}}}", f"<{name}>", name, name.lower(), f'"{right}"', "null")


_URI_REMEDY: Final = (
    "Sign path and query exactly as they stand in the request line, whatever a proxy makes of them."
)
_TIME_REMEDY: Final = (
    "Write the time once, and put that same text into the header and into the string."
)

HEADS: Final = (
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
        *(Part.METHOD, texts(Part.METHOD, _other_case)),
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
        *(Part.URI, texts(Part.URI, _other_case)),
    ),
    StringMistake(
        "uri-version",
        "the version of HTTP was signed with the URI",
        "the whole request line",
        "Sign method, a space and the URI; leave out what follows.",
        *(Part.URI, texts(Part.URI, _with_version)),
    ),
    StringMistake(
        "client-other-header",
        "the client id was taken from another header or from the other message",
        "the value of another header",
        "Sign the value of the message's own Client-Id header.",
        *(Part.CLIENT, texts(Part.CLIENT, _client_of_other)),
    ),
    StringMistake(
        "client-other",
        "the id of another client was signed",
        "another client id than the header has",
        "Sign with the client id that the header names, and that the key is registered for.",
        *(Part.CLIENT, texts(Part.CLIENT, _other_client)),
    ),
    StringMistake(
        "client-of-body",
        "an id of the body was signed as the client id",
        "acquirerId, pspId or merchantId",
        "Sign the value of the Client-Id header.",
        *(Part.CLIENT, texts(Part.CLIENT, _client_of_body)),
    ),
    StringMistake(
        "client-case",
        "the client id was signed in another case",
        "the client id in lower or upper case",
        "Sign the client id as the header has it.",
        *(Part.CLIENT, texts(Part.CLIENT, _other_case)),
    ),
    StringMistake(
        "client-placeholder",
        "the client id was signed with marks around it, or its name in its place",
        "`<client id>`, `null`",
        "Put the value of the Client-Id header into the string, without marks.",
        *(Part.CLIENT, texts(Part.CLIENT, _placeholder)),
    ),
    StringMistake(
        "time-other-message",
        "the time of the other message was signed",
        "Request-Time in an answer, Response-Time in a request",
        "A request signs its Request-Time, an answer its own Response-Time.",
        *(Part.TIME, texts(Part.TIME, times.of_other_message)),
    ),
    StringMistake(
        "time-other-header",
        "the time of another header was signed",
        "the Date header, or a time header of a gateway",
        _TIME_REMEDY,
        *(Part.TIME, texts(Part.TIME, times.of_other_header)),
    ),
    StringMistake(
        "time-number",
        "the time was signed as a number, or in another unit",
        "seconds, milliseconds or nanoseconds since 1970",
        _TIME_REMEDY,
        *(Part.TIME, texts(Part.TIME, times.as_number)),
    ),
    StringMistake(
        "time-text",
        "the time was signed in ISO 8601, and sent as a number",
        "`2026-03-01T08:51:49Z` for `1772355109000`",
        _TIME_REMEDY,
        *(Part.TIME, texts(Part.TIME, times.as_text)),
    ),
    StringMistake(
        "time-zone",
        "the time was signed without its offset, or with another one",
        "no offset, `+08:00` for `Z`, `+0800` for `+08:00`",
        _TIME_REMEDY,
        *(Part.TIME, texts(Part.TIME, times.in_other_zone)),
    ),
    StringMistake(
        "time-decimals",
        "the time was signed with other decimals of a second",
        "`…:49.090Z` for `…:49.09Z`, or none",
        _TIME_REMEDY,
        *(Part.TIME, texts(Part.TIME, times.with_other_decimals)),
    ),
    StringMistake(
        "time-marks",
        "the time was signed with other marks between its digits",
        "a space for `T`, no marks at all, percent-escapes",
        _TIME_REMEDY,
        *(Part.TIME, texts(Part.TIME, times.otherwise_written)),
    ),
    StringMistake(
        "time-twice",
        "the clock was read twice: once for the header and once for the string",
        "a time up to two seconds, or five whole seconds, earlier or later",
        _TIME_REMEDY,
        *(Part.TIME, texts(Part.TIME, times.taken_twice)),
        alone=True,
    ),
)
