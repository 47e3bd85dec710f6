"""A request of Flask as the protocols read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from flask import Request

from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.protocols.values import Inbound, Mount

_NO_BODY: Final = Secret(b"")
_PATH_SAFE: Final = "/:@!$&'()*+,;=~"


def read_inbound(
    request: Request, mount: Mount, address: str, body: Secret[bytes] | None
) -> Inbound:
    """Return a request under a mount.

    :param address: the network address that its traffic counts for.
    :param body: what was read of it; None if it could not be read, or was not.
    """
    below = request.path.removeprefix(mount.prefix)
    return Inbound(
        method=request.method,
        uri=mount.public_prefix + _as_called(request.environ, mount.prefix, below),
        path=below,
        headers=_Headers(request.environ),
        body=(body or _NO_BODY).reveal(),
        address=address,
        prefix=mount.prefix,
        complete=body is not None,
    )


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


def _as_called(environ: Mapping[str, Any], prefix: str, below: str) -> str:
    """Return path and query below the prefix as the caller wrote them: the signature covers these.

    Most servers pass them on. For those that do not, the path is encoded again, in the usual way.
    """
    query = environ.get("QUERY_STRING", "")
    raw: str = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""
    spelt = raw.partition(prefix)[2]
    path, _, asked = spelt.partition("?")
    if spelt.isascii() and unquote(path) == below and asked == query:
        return spelt
    path = quote(below, _PATH_SAFE)
    return f"{path}?{query}" if query else path
