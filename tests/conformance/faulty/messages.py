"""What stands in requests and answers, and how a layer changes it: what it changes, it signs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from flask_otp_mpp.conformance.wire import Request, Response
from tests.conformance.faulty.signing import is_right, sealed, signed, with_header


def fields(message: Request | Response) -> dict[str, Any]:
    """Return the members of a body; none if it is no JSON object."""
    try:
        value = json.loads(message.body.decode())
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def code_of(response: Response) -> str:
    """Return the result code of an answer; empty if it has none."""
    result = fields(response).get("result", {})
    code: str = result.get("resultCode", "")
    return code


def with_fields(request: Request, **changed: Any) -> Request:
    """Return a request with other values of these fields, signed; a wrong one stays as it is."""
    members = fields(request)
    if {**members, **changed} == members or not is_right(request):
        return request
    return signed(replace(request, body=json.dumps({**members, **changed}).encode()))


def with_result(request: Request, response: Response, **changed: str | None) -> Response:
    """Return an answer with other members of its result, signed; those that are None are left out.

    An answer without a result, to a caller who has asked too often, stays as it is.
    """
    members = fields(response)
    if "result" not in members:
        return response
    result = {name: one for name, one in {**members["result"], **changed}.items() if one}
    body = json.dumps({**members, "result": result}, separators=(",", ":")).encode()
    return with_body(request, response, body)


def refusal(request: Request, response: Response, code: str) -> Response:
    """Return an answer that refuses, in place of another one."""
    return with_result(
        request, response, resultCode=code, resultStatus="F", resultMessage="Refused."
    )


def with_body(request: Request, response: Response, body: bytes) -> Response:
    """Return an answer with another body, signed."""
    changed = with_header(replace(response, body=body), "content-length", str(len(body)))
    return sealed(request, changed)
