"""A request below a prefix as the protocols read it: from the WSGI environ.

The app's ``Request`` is not asked, because a host may replace its class.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wsgi import get_input_stream

from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.protocols.values import Inbound, Mount
from flask_otp_mpp.web.in_sync import END_OF_PROCESS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_NO_BODY: Final = Secret(b"")
_PATH_SAFE: Final = "/:@!$&'()*+,;=~"
_SLASH: Final = "(?:/|%2[Ff])"
# How a request's target begins in its absolute form; gevent's pywsgi leaves that in PATH_INFO.
_ORIGIN: Final = re.compile("((?i:https?)://[^/?#]*)?")


class InboundReader:
    """Tells which requests are below a mount, and reads them."""

    def __init__(self, mount: Mount) -> None:
        self._mount = mount
        decoded = _pattern(mount.prefix, "/", re.escape)
        self._prefix = re.compile(f"{_ORIGIN.pattern}{decoded}")
        self._encoded_prefix = re.compile(_pattern(mount.prefix, _SLASH, _spellings))
        self._public_prefix = re.compile(_pattern(mount.public_prefix, _SLASH, _spellings))

    def path_below(self, environ: WSGIEnvironment) -> str | None:
        """Return the path below the prefix, with its slash; None if the request is not below it.

        The server has decoded escapes. Slashes above and in the prefix may be doubled, as callers
        write them who join a base URL and a path; below it each path is what it is.
        """
        path: str = environ.get("PATH_INFO", "")
        prefix = self._prefix.match(path)
        if prefix is None:
            return None
        return path[prefix.end() :].encode("latin-1").decode(errors="replace")

    def read(
        self, environ: WSGIEnvironment, below: str, address: str, body: Secret[bytes] | None
    ) -> Inbound:
        """Return a request below the prefix.

        :param below: its path there.
        :param address: the network address that its traffic counts for.
        :param body: what was read of it; None if it could not be read, or was not.
        """
        return Inbound(
            method=environ["REQUEST_METHOD"].upper(),
            uri=self._as_called(environ, below),
            path=below,
            headers=_Headers(environ),
            body=(body or _NO_BODY).reveal(),
            address=address,
            prefix=self._mount.prefix,
            complete=body is not None,
        )

    def _as_called(self, environ: WSGIEnvironment, below: str) -> str:
        """Return path and query as the caller wrote them: the signature covers these.

        Most servers tell them. For those that do not, the path is encoded again, in the usual way.
        If a proxy has changed the prefix, the public one stands for it.
        """
        query = environ.get("QUERY_STRING", "")
        told: str = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""
        path, mark, asked = told.partition("?")
        called = self._as_public(path, below) if asked == query else None
        if called is None:
            whole = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
            path, mark = quote(whole.encode("latin-1"), _PATH_SAFE), "?" if query else ""
            called = self._as_public(path, below)
            called = called or self._mount.public_prefix + quote(below, _PATH_SAFE)
        return f"{called}{mark}{query}"

    def _as_public(self, path: str, below: str) -> str | None:
        """Return an encoded path with the prefix that the caller has called.

        :returns: None if it is not the path that is below the prefix.
        """
        path = _ORIGIN.sub("", path, count=1)
        if not path.isascii():
            return None
        if (public := self._public_prefix.match(path)) and unquote(path[public.end() :]) == below:
            return path
        prefix = self._encoded_prefix.search(path)
        if prefix is None or unquote(path[prefix.end() :]) != below:
            return None
        return self._mount.public_prefix + path[prefix.end() :]


def read_body(request: Request, limit: int) -> Secret[bytes]:
    """Read a body up to a limit of bytes, and leave what was read for the hooks of the host.

    :raises Refused: BODY_TOO_LARGE or BODY_UNREADABLE.
    """
    read = b""
    try:
        if "stream" in vars(request):  # such as a session interface has begun to read it
            read = WerkzeugRequest.get_data(request)
        else:  # without a length it is cut at the limit, silently
            read = get_input_stream(request.environ, max_content_length=limit + 1).read()
    except RequestEntityTooLarge:
        refuse(Reason.BODY_TOO_LARGE)
    except END_OF_PROCESS:
        raise
    except BaseException:  # noqa: BLE001 - servers have their own for a bad chunk, or a time-out
        refuse(Reason.BODY_UNREADABLE, "body: could not be read to its end.")
    finally:
        request.environ["wsgi.input"] = io.BytesIO(read)
        request.environ["wsgi.input_terminated"] = True
        with suppress(AttributeError):  # a class may have made it a property
            request.stream = io.BytesIO(read)  # no limit of the host applies to it
    if len(read) > limit:
        refuse(Reason.BODY_TOO_LARGE)
    return Secret(read)


class _Headers(Mapping[str, str]):
    """A request's headers, read from the WSGI environ when asked for: few of them ever are."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        if name == "content-type":
            return str(self._environ.get("CONTENT_TYPE", ""))
        return str(self._environ["HTTP_" + name.upper().replace("-", "_")])

    def __iter__(self) -> Iterator[str]:
        yield "content-type"
        for name in self._environ:
            if name.startswith("HTTP_"):
                yield name[5:].replace("_", "-").lower()

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _pattern(prefix: str, slash: str, spellings: Callable[[str], str]) -> str:
    """Return a pattern for a prefix, however many slashes there are above and in it.

    :param spellings: returns a pattern for a character.
    """
    segments = ["".join(map(spellings, segment)) for segment in prefix.strip("/").split("/")]
    return f"{slash}*{f'{slash}+'.join(segments)}(?={slash}|\\Z)"


def _spellings(character: str) -> str:
    return f"(?:{re.escape(character)}|(?i:%{ord(character):02x}))"
