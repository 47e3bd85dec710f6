"""Serve an app from a thread of this process, for as long as it is called."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.web.known_callers import rewrites

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@contextmanager
def serving(app: Flask, protocol: WireProtocol, url: str | None) -> Iterator[str]:
    """Give the URL of a server: one that runs, or one of this process."""
    if url is not None:
        yield url
        return
    server = make_server(
        "127.0.0.1",
        0,
        _as_behind_a_proxy(app, rewrites(protocol)),
        threaded=True,
        request_handler=_Quiet,
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(WSGIRequestHandler):
    """Serve without a line for each request."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - as it is overridden
        pass


def _as_behind_a_proxy(app: Flask, prefixes: Mapping[str, str]) -> WSGIApplication:
    """Rewrite public prefixes of paths, as the proxy does in front of the app."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        for public, inner in prefixes.items():
            if public != inner and f"{environ['PATH_INFO']}/".startswith(f"{public}/"):
                for name in ("PATH_INFO", "REQUEST_URI", "RAW_URI"):
                    environ[name] = environ[name].replace(public, inner, 1)
                break
        return app(environ, start_response)

    return call
