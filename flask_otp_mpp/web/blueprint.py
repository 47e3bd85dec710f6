"""The routes and handlers of one path prefix; every answer below the prefix is sealed.

A request is ours by its path: not by what Flask's routing makes of its host name, slashes, method
or upgrade. It is given our route before anything of the host is asked.

Before any hook of the host runs, the traffic of the address is counted and then the body is read.
Error handlers turn HTTP errors and crashes into answers. An after-request function runs after every
hook of the host, and answers by the protocol whatever is not sealed yet. What is sealed is not
changed any more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Flask, Request, Response, current_app, request
from flask.signals import got_request_exception, request_started
from werkzeug.exceptions import HTTPException, SecurityError, default_exceptions

from flask_otp_mpp.core.deadline import ANSWER_SECONDS, answer_within
from flask_otp_mpp.core.reasons import Outcome, Reason, Refused
from flask_otp_mpp.core.service import OtpService
from flask_otp_mpp.core.trace import Trace
from flask_otp_mpp.protocols.base import WireProtocol, handle, reject
from flask_otp_mpp.protocols.events import event_of
from flask_otp_mpp.protocols.values import Event, Inbound, Mount, Outbound, RequestContext
from flask_otp_mpp.web.addresses import network_of
from flask_otp_mpp.web.audit import journal_of, record, record_refusal
from flask_otp_mpp.web.crash_log import CrashLog
from flask_otp_mpp.web.events import announce
from flask_otp_mpp.web.exemptions import exempt_from_csrf, exempt_from_limits
from flask_otp_mpp.web.in_sync import END_OF_PROCESS
from flask_otp_mpp.web.inbound import InboundReader, read_body
from flask_otp_mpp.web.response import SealedResponse
from flask_otp_mpp.web.spans import request_span
from flask_otp_mpp.web.traffic import FlaskTrafficLimiter

logger = logging.getLogger("flask_otp_mpp")

BODY: Final = "flask_otp_mpp.body"
_SEALED: Final = "flask_otp_mpp.sealed"
_SECONDS: Final = "flask_otp_mpp.seconds"  # that are left when the body was read
_TRACE: Final = "flask_otp_mpp.trace"
_RECORDED: Final = "flask_otp_mpp.recorded"  # or tried to: in the audit trail
_UNSIGNED_503: Final = Outbound((("content-length", "0"), ("cache-control", "no-store")), b"", 503)
_REASONS: Final = {
    404: Reason.PATH_UNKNOWN,
    405: Reason.METHOD_UNSUPPORTED,
    413: Reason.BODY_TOO_LARGE,
    415: Reason.MEDIA_TYPE_UNSUPPORTED,
    429: Reason.TRAFFIC_EXCEEDED,
}


class ProtocolBlueprint:
    """Serve one mount of a protocol in one app."""

    def __init__(
        self,
        protocol: WireProtocol,
        mount: Mount,
        service: OtpService,
        traffic: FlaskTrafficLimiter,
        *,
        body_limit: int,
        ipv6_prefix: int,
        host_limits: bool,
        check_hooks: Callable[[], None],
    ) -> None:
        self._protocol = protocol
        self._mount = mount
        self._reader = InboundReader(mount)
        self._service = service
        self._traffic = traffic
        self._body_limit = body_limit
        self._ipv6_prefix = ipv6_prefix
        self._host_limits = host_limits
        self._check_hooks = check_hooks
        number = protocol.mounts.index(mount)
        self._name = f"otp_mpp_{protocol.name}" + (f"_{number + 1}" if number else "")
        self._started = False
        self._crashes = CrashLog()

    def register(self, app: Flask) -> None:
        """Register routes, error handlers, and the functions before and after a request."""
        self._blueprint = blueprint = Blueprint(self._name, __name__)
        for code in default_exceptions:
            # By code: a handler that the host registered for a code precedes one for a class.
            blueprint.register_error_handler(code, self._on_http_error)
        blueprint.register_error_handler(HTTPException, self._on_http_error)
        blueprint.register_error_handler(Refused, self._on_refusal)
        blueprint.register_error_handler(Exception, self._on_crash)
        rules = {path: operation.value for path, operation in self._protocol.paths.items()}
        for path, endpoint in {**rules, "/": "prefix", "/<path:rest>": "unknown"}.items():
            blueprint.add_url_rule(
                path, endpoint, self._view, methods=["POST"], provide_automatic_options=False
            )
        app.register_blueprint(blueprint, url_prefix=self._mount.prefix)
        self._rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}
        request_started.connect(self._claim, app)
        app.url_value_preprocessors.setdefault(None, []).insert(0, self._admit)
        # After-request functions run in reverse: the first one has the last word.
        app.after_request_funcs.setdefault(None, []).insert(0, self._seal_response)

    def _view(self, **_: str) -> Response:
        try:
            current, app = _request(), _app()
            trace = _trace(current)
            trace.journal = journal_of(app, self._protocol, trace)
            with answer_within(current.environ[_SECONDS]), request_span(app, trace):
                outbound, event = handle(
                    self._protocol, self._inbound(current), self._service, self._traffic, trace
                )
                current.environ[_RECORDED] = True
                if not trace.recorded:
                    record(app, event)
        except (Exception, *END_OF_PROCESS):
            raise
        except BaseException as error:  # noqa: BLE001 - Flask hands on an Exception only
            return self._on_crash(error)
        return _seal(current, app, outbound, event)

    def _claim(self, _app: Flask | None = None, **_: Any) -> bool:
        """Tell whether the request is ours, by its path; give it our route if it has another.

        A route of the host keeps it if the text of its rule names our prefix.
        """
        current = _request()
        rule = current.url_rule
        if rule is not None and rule.endpoint.startswith(f"{self._name}."):
            return True
        below = self._reader.path_below(current.environ)
        if below is None or (rule and f"{rule.rule}/".startswith(f"{self._mount.prefix}/")):
            return False
        endpoint = self._protocol.paths.get(below) or ("unknown" if below.strip("/") else "prefix")
        current.url_rule = self._rules[f"{self._name}.{endpoint}"]
        current.view_args = {}
        if not (isinstance(current.routing_exception, SecurityError) and current.trusted_hosts):
            current.routing_exception = None
        return True

    def _admit(self, _endpoint: str | None, _values: dict[str, Any] | None) -> None:
        """Count the traffic of the address and read the body, before any hook of the host."""
        if not self._claim():
            return
        if not self._started:
            self._before_first_request()
        current = _request()
        for name in (BODY, _SEALED, _RECORDED):
            current.environ.pop(name, None)
        current.environ[_TRACE] = Trace()
        try:
            self._receive(current)
        except (Exception, *END_OF_PROCESS):
            raise
        except BaseException as error:  # Flask hands on an Exception only
            raise RuntimeError("the traffic of the address could not be counted") from error

    def _receive(self, current: Request) -> None:
        """Count the traffic of the address; within its limit, read the body up to its own.

        A slow caller takes its own time: that of the body does not count for the deadline.

        :raises Refused: TRAFFIC_EXCEEDED, BODY_TOO_LARGE or BODY_UNREADABLE.
        """
        begin = time.monotonic()
        try:
            self._traffic.check_address(self._network(current))
        except BaseException as error:
            if not isinstance(error, (Refused, *END_OF_PROCESS)):
                self._read_body(current)  # it still proves the caller: the answer is signed then
            raise
        current.environ[_SECONDS] = begin + ANSWER_SECONDS - time.monotonic()
        self._read_body(current)

    def _read_body(self, current: Request) -> None:
        current.environ[BODY] = read_body(current, self._body_limit)

    def _on_refusal(self, refusal: Refused) -> Response:
        """Answer a hook of the host that refuses before a request reaches the view."""
        return self._reject(refusal.outcome)

    def _on_http_error(self, error: HTTPException) -> Response:
        given = None if error.response is None else error.response.status_code  # abort(response)
        return self._reject(Outcome(reason=_reason_of_status(error.code or given or 500)))

    def _on_crash(self, error: BaseException) -> Response:
        app = _app()
        got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=error)
        return self._reject(self._outcome_of(error))

    def _outcome_of(self, error: BaseException) -> Outcome:
        """Return how a request ends by an exception; one that is no refusal is logged."""
        if isinstance(error, Refused):
            return error.outcome
        _trace(_request()).reference = reference = self._crashes.log(error)
        return Outcome(reason=Reason.UNFORESEEN, detail=f"Reference {reference}.")

    def _seal_response(self, response: Response) -> Response:
        """Return a sealed response as it is, and replace any other one below the prefix."""
        if type(response) is SealedResponse and response.sealed is _request().environ.get(_SEALED):
            return response  # whatever a hook has done to it, it sends what was sealed
        if not self._claim():
            return response
        answer = self._reject(Outcome(reason=_reason_of_status(response.status_code)))
        answer.call_on_close(response.close)
        return answer

    def _reject(self, outcome: Outcome) -> Response:
        """Answer a refusal, unless an answer is sealed already: that one is final."""
        current, app = _request(), _app()
        if (sealed := current.environ.get(_SEALED)) is not None:
            return SealedResponse(sealed)
        trace = _trace(current)
        try:
            outbound, event = reject(self._protocol, self._inbound(current), outcome, trace)
        except Exception as error:  # noqa: BLE001 - the signer is down: no answer can be signed
            trace.reference = self._crashes.log(error)
            context = trace.context or RequestContext(self._inbound(current))
            outcome = Outcome(reason=Reason.UNFORESEEN)
            outbound = _UNSIGNED_503
            event = event_of(self._protocol.name, context, outcome, outbound.told, trace)
        if not (trace.recorded or current.environ.get(_RECORDED)):
            with answer_within(ANSWER_SECONDS - trace.total):
                record_refusal(app, event)
        return _seal(current, app, outbound, event)

    def _inbound(self, current: Request) -> Inbound:
        environ = current.environ
        below = self._reader.path_below(environ) or ""
        return self._reader.read(environ, below, self._network(current), environ.get(BODY))

    def _network(self, current: Request) -> str:
        return network_of(current.remote_addr or "", self._ipv6_prefix)

    def _before_first_request(self) -> None:
        """Do what can be done only when the host has initialised everything."""
        self._check_hooks()
        exempt_from_csrf(current_app, self._blueprint)
        if not self._host_limits:
            exempt_from_limits(current_app, self._blueprint)
        self._traffic.see_processes(several=request.is_multiprocess)
        self._started = True


def _reason_of_status(status: int) -> Reason:
    """Return the reason for an HTTP status that Flask or a hook of the host has decided on."""
    other = Reason.ACCESS_DENIED if 300 <= status < 500 else Reason.UNFORESEEN
    return _REASONS.get(status, other)


def _request() -> Request:
    """Return the request itself: each look through Flask's proxy costs as much."""
    current: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return current


def _trace(current: Request) -> Trace:
    """Return what is known of the request; a hook of the host may have failed before it began."""
    trace: Trace | None = current.environ.get(_TRACE)
    if trace is None:
        trace = current.environ[_TRACE] = Trace()
    return trace


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return app


def _seal(current: Request, app: Flask, outbound: Outbound, event: Event) -> Response:
    current.environ[_SEALED] = outbound
    announce(app, event)
    return SealedResponse(outbound)
