"""Mistakes in client and time: other texts than those of the headers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from flask_otp_mpp.conformance.explain import times
from flask_otp_mpp.conformance.explain.base import Context, StringMistake, texts
from flask_otp_mpp.conformance.explain.captured import Direction
from flask_otp_mpp.conformance.explain.masking import is_secret
from flask_otp_mpp.conformance.explain.string_to_sign import Part
from flask_otp_mpp.conformance.explain.uris import other_case

_IDS: Final = ("acquirerId", "pspId", "merchantId", "clientId", "partnerId", "appId")


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


_TIME_REMEDY: Final = (
    "Write the time once, and put that same text into the header and into the string."
)

CLIENTS_AND_TIMES: Final = (
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
        *(Part.CLIENT, texts(Part.CLIENT, other_case)),
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
