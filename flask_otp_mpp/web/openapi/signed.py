"""What the document says of Alipay+ and AMS: signed headers, fields and result codes.

Alipay+ API overview, "Message structure"; the pages of the operations.
"""

from __future__ import annotations

from typing import Final

from flask_otp_mpp.core.caller import CLIENT_ID
from flask_otp_mpp.protocols.alipay import alipayplus_codes, ams_codes
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.alipayplus_fields import FIELDS as ALIPAYPLUS_FIELDS
from flask_otp_mpp.protocols.alipay.alipayplus_fields import VERIFY_REQUEST_ID
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.protocols.alipay.ams_fields import FIELDS as AMS_FIELDS
from flask_otp_mpp.protocols.alipay.ams_fields import PASSED, REQUEST_ID
from flask_otp_mpp.protocols.alipay.clients import SANDBOX_CLIENT
from flask_otp_mpp.protocols.alipay.codes import Table
from flask_otp_mpp.protocols.alipay.signed_headers import MAX_MESSAGE
from flask_otp_mpp.protocols.fields import FieldTable
from flask_otp_mpp.protocols.values import CodeRow, Mount, Operation
from flask_otp_mpp.web.openapi.schemas import (
    NO_STORE,
    Described,
    Json,
    code_list,
    object_of,
    operation_id,
    path_of,
    reference,
    schema_of,
)

_ABOUT: Final = (
    "Requests and answers are signed by RSA256, over `METHOD path LF client.time.body`, each in "
    "its own headers. Every answer has HTTP status 200 and tells its result in `result`, but for "
    "the two without a body."
)
_SIGNATURE: Final = (
    "`algorithm=RSA256,keyVersion=…,signature=…`, with the signature in base64, percent-encoded."
)
_TIME: Final = "ISO 8601 with an offset, or milliseconds since 1970; it must be of now."
_CLIENT: Final = {"type": "string", "pattern": f"^{CLIENT_ID.pattern}$"}
_TEXT: Final = {"type": "string"}
_ABSENT: Final = "`null` stands for an absent field; fields that are not listed are ignored."
_STATUS: Final = "S: done. F: failed for good. U: not known; ask again."


def _parameter(name: str, schema: Json, meaning: str) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": meaning,
        "schema": schema,
    }


_PARAMETERS: Final[Json] = {
    "ClientId": _parameter("Client-Id", _CLIENT, "The caller, whose key has signed."),
    "RequestTime": _parameter("Request-Time", _TEXT, f"When it was signed: {_TIME}"),
    "Signature": _parameter("Signature", _TEXT, f"Of the request: {_SIGNATURE}"),
}
_HEADERS: Final[Json] = {
    "Client-Id": {
        "description": "That of the request; empty if this wallet does not know it.",
        "schema": _TEXT,
    },
    "Response-Time": {
        "description": "When the answer was signed, in ISO 8601 with an offset.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "Signature": {
        "description": f"Of the answer, by a key of the wallet: {_SIGNATURE}",
        "schema": _TEXT,
    },
}
_NO_BODY: Final[Json] = {
    "429": {
        "description": "Too many requests of callers who have proven nothing: no body, unsigned.",
        "headers": NO_STORE,
    },
    "503": {
        "description": "The answer can't be signed: no body. Nobody knows how it ended; ask again.",
        "headers": NO_STORE,
    },
}


def describe_alipayplus(protocol: AlipayPlus) -> Described:
    """Describe sendOTP and verifyOTP as an app serves them."""
    sent = {VERIFY_REQUEST_ID.name: schema_of(VERIFY_REQUEST_ID)}
    answers = {Operation.SEND: sent, Operation.VERIFY: {}}
    return _described(protocol, "Alipay+", ALIPAYPLUS_FIELDS, alipayplus_codes.TABLE, answers)


def describe_ams(protocol: Ams) -> Described:
    """Describe initAuthentication and verifyAuthentication as an app serves them."""
    values = [value for one in protocol.passed.values() for value in one.values()]
    kind = "boolean" if isinstance(values[0], bool) else "string"
    passed = {"type": kind, "enum": values, "description": "Whether the code was the right one."}
    answers = {
        Operation.SEND: {REQUEST_ID.name: schema_of(REQUEST_ID)},
        Operation.VERIFY: {PASSED: passed},
    }
    return _described(protocol, "AMS", AMS_FIELDS, ams_codes.TABLE, answers)


def _described(
    protocol: AlipayPlus | Ams,
    title: str,
    fields: FieldTable,
    table: Table,
    answers: dict[Operation, Json],
) -> Described:
    name = protocol.name
    schemas: Json = {}
    paths: Json = {}
    for operation, listed in fields.items():
        schemas[f"{name}_{operation}_request"] = object_of(listed, _ABSENT)
        rows = [row for row in table.values() if operation in row.operations]
        schemas[f"{name}_{operation}_response"] = _response(rows, answers[operation])
    for number, mount in enumerate(protocol.mounts):
        for path, operation in protocol.paths.items():
            about = {
                "operationId": operation_id(name, operation, number),
                "summary": f"{title}: {path.strip('/')}",
                "tags": [title],
                **_only_sandbox(protocol, mount),
            }
            # If two mounts look the same to callers, they are one path; the usual one comes first.
            paths.setdefault(
                path_of(mount, path), {"post": {**about, **_messages(name, operation)}}
            )
    return Described(title, _ABOUT, paths, {"schemas": schemas, "parameters": _PARAMETERS})


def _only_sandbox(protocol: AlipayPlus | Ams, mount: Mount) -> Json:
    if mount is protocol.mounts[0]:
        return {}
    return {"description": f"For clients whose ids start with {SANDBOX_CLIENT}."}


def _messages(name: str, operation: Operation) -> Json:
    """Return what an operation reads and answers, the same at each mount."""
    request = reference("schemas", f"{name}_{operation}_request")
    response = reference("schemas", f"{name}_{operation}_response")
    return {
        "parameters": [reference("parameters", one) for one in _PARAMETERS],
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {
                "description": "How it ended.",
                "headers": {**_HEADERS, **NO_STORE},
                "content": {"application/json": {"schema": response}},
            },
            **_NO_BODY,
        },
    }


def _response(rows: list[CodeRow], more: Json) -> Json:
    codes = {"type": "string", "enum": [row.code for row in rows], "description": code_list(rows)}
    statuses = sorted({row.status for row in rows})
    message = "The message of the code, and what explains it; for people."
    result = {
        "resultCode": codes,
        "resultStatus": {"type": "string", "enum": statuses, "description": _STATUS},
        "resultMessage": {"type": "string", "maxLength": MAX_MESSAGE, "description": message},
    }
    shape = {"type": "object", "properties": result, "required": list(result)}
    return {"type": "object", "properties": {"result": shape, **more}, "required": ["result"]}
