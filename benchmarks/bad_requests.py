"""The kinds of bad requests of a flood, and the result codes that may answer them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias

from benchmarks.wire import PREFIX

NO_BODY: Final = ""

Environ: TypeAlias = dict[str, Any]


class CutOff(io.RawIOBase):
    """A body whose chunks can't be read, as a server reports it."""

    def read(self, _size: int = -1) -> bytes:
        raise OSError("bad chunk")


@dataclass(frozen=True, slots=True)
class BadRequest:
    """One kind of bad request.

    :param change: makes a request of this kind from a forged one, by its number.
    :param codes: the result codes that may answer it.
    """

    change: Callable[[Environ, int], object]
    codes: frozenset[str]


def _bad(change: Callable[[Environ, int], object], *codes: str) -> BadRequest:
    return BadRequest(change, frozenset(codes))


def _replace(**values: object) -> Callable[[Environ, int], None]:
    """Replace members of the environ; a text may name the number as ``{n}``."""

    def change(environ: Environ, number: int) -> None:
        for name, value in values.items():
            environ[name] = value.format(n=number) if isinstance(value, str) else value

    return change


def _path(text: str) -> Callable[[Environ, int], None]:
    return _replace(PATH_INFO=PREFIX + text, RAW_URI=PREFIX + text)


def set_body(environ: Environ, body: bytes) -> None:
    """Give a request another body."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def _unreadable(environ: Environ, _number: int) -> None:
    environ |= {"wsgi.input": CutOff(), "wsgi.input_terminated": True}
    del environ["CONTENT_LENGTH"]


def _key_version(environ: Environ, number: int) -> None:
    header = environ["HTTP_SIGNATURE"]
    environ["HTTP_SIGNATURE"] = header.replace("keyVersion=1", f"keyVersion=no{number}")


BAD: Final = {
    "wrong signature": _bad(lambda *_: None, "INVALID_SIGNATURE"),
    "malformed signature": _bad(_replace(HTTP_SIGNATURE="{n}"), "INVALID_SIGNATURE"),
    "unknown client": _bad(_replace(HTTP_CLIENT_ID="C{n}"), "INVALID_CLIENT"),
    "unknown key": _bad(_key_version, "KEY_NOT_FOUND"),
    "unknown path": _bad(_path("/no/{n}"), "NO_INTERFACE_DEF", NO_BODY),
    "unknown query": _bad(_replace(QUERY_STRING="n={n}"), "INVALID_SIGNATURE", NO_BODY),
    "wrong method": _bad(_replace(REQUEST_METHOD="GET"), "METHOD_NOT_SUPPORTED", NO_BODY),
    "invented method": _bad(_replace(REQUEST_METHOD="X{n}"), "METHOD_NOT_SUPPORTED", NO_BODY),
    "wrong media type": _bad(_replace(CONTENT_TYPE="text/{n}"), "MEDIA_TYPE_NOT_ACCEPTABLE"),
    "over-long body": _bad(lambda environ, n: set_body(environ, b"%20000d" % n), "PARAM_ILLEGAL"),
    "unreadable body": _bad(_unreadable, "PARAM_ILLEGAL"),
}
"""The kinds that anybody can send."""
SIGNED: Final = {
    "stale, signed": (timedelta(hours=1), b"{}", "ACCESS_DENIED"),
    "no JSON, signed": (timedelta(), b"{", "PARAM_ILLEGAL"),
    "no fields, signed": (timedelta(), b"{}", "PARAM_ILLEGAL"),
}
"""The kinds that need the key of a client: the age of the request, its body, and the code."""
ABOVE_LIMIT: Final = {
    "address above its limit": _bad(lambda *_: None, "REQUEST_TRAFFIC_EXCEED_LIMIT"),
    "the same, unknown path": _bad(_path("/no/{n}"), NO_BODY),
}
