"""What the document says of Google: the messages inside the envelopes, results and errors.

Google Standard Payments v1: sendOtp, verifyOtp, echo, ErrorResponse.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.google.account_members import Errors
from flask_otp_mpp.protocols.google.accounts import Account, PlainAccount
from flask_otp_mpp.protocols.google.fields import (
    FIELDS,
    HEADER,
    HEADER_FIELDS,
    MESSAGE,
    TIME,
    USER_FIELDS,
    VERSION,
    VERSION_FIELDS,
)
from flask_otp_mpp.protocols.google.messages import MAX_VERIFY_ID
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.protocols.google.results import CODES, NO_BODY, RESULT, SUCCESS, row_for
from flask_otp_mpp.protocols.values import CodeRow, Operation
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

_TITLE: Final = "Google Standard Payments"
_ABOUT: Final = (
    "The body on the wire is sealed: by JOSE or PGP, as was agreed for the account of the path. "
    "The schemas are those of the JSON inside. Results, a wrong code too, have HTTP status 200."
)
_SEALED: Final = "The body on the wire is sealed. The schema is that of the JSON inside."
_PLAIN: Final = "An account for trials: the body on the wire is the JSON itself."
_ERROR: Final = "google_error"
_ID: Final = {"type": "string", "minLength": 1}


def describe_google(protocol: GoogleStandardPayments) -> Described:
    """Describe sendOtp, verifyOtp and echo at each account of an app."""
    schemas: Json = {_ERROR: _error()}
    for operation in FIELDS:
        schemas[f"google_{operation}_request"] = _request(operation)
        schemas[f"google_{operation}_response"] = _response(operation, protocol)
    paths = {}
    for number, mount in enumerate(protocol.mounts):
        account = protocol.account_at(mount)
        for path, operation in protocol.paths.items():
            paths[path_of(mount, path)] = {
                "post": {
                    "operationId": operation_id("google", operation, number),
                    "summary": f"Google: {path.strip('/')}, account {account.name}",
                    "description": _PLAIN if isinstance(account, PlainAccount) else _SEALED,
                    "tags": [_TITLE],
                    **_messages(protocol, account, operation),
                }
            }
    return Described(_TITLE, _ABOUT, paths, {"schemas": schemas})


def _request(operation: Operation) -> Json:
    version = object_of(VERSION_FIELDS)
    header = object_of(HEADER_FIELDS, inner={VERSION: version})
    message = object_of(FIELDS[operation], inner={HEADER: header})
    if operation is Operation.SEND:
        # A member that is null is absent, so what is required must be a text, too.
        users = {one.name: schema_of(one) for one in USER_FIELDS}
        message["properties"] |= {
            name: {**one, "type": ["string", "null"]} for name, one in users.items()
        }
        message["oneOf"] = [
            {"required": [name], "properties": {name: {"type": "string"}}} for name in users
        ]
    return message


def _response(operation: Operation, protocol: GoogleStandardPayments) -> Json:
    if operation is Operation.ECHO:
        return _answer({MESSAGE.name: schema_of(MESSAGE)}, required=[MESSAGE.name])
    rows = {SUCCESS.code: SUCCESS} | {
        row.code: row
        for row in CODES.values()
        if row.status == RESULT and operation in row.operations
    }
    agreed = sorted(protocol.send_results - rows.keys()) if operation is Operation.SEND else []
    result = {"type": "string", "enum": [*rows, *agreed], "description": code_list(rows.values())}
    if operation is Operation.SEND:
        known = {"paymentIntegratorSendOtpId": {**_ID, "description": "Only with SUCCESS."}}
        return _answer({"result": result, **known}, required=["result"])
    members = {
        "result": result,
        "paymentIntegratorVerifyOtpId": {**_ID, "maxLength": MAX_VERIFY_ID},
    }
    return _answer(members, required=list(members))


def _error() -> Json:
    rows = {row.code: row for row in CODES.values() if row.status != RESULT and row.code != NO_BODY}
    return _answer(
        {
            "errorResponseCode": {"type": "string", "enum": list(rows)},
            "errorDescription": {
                "type": "string",
                "description": "For people; no part of a value.",
            },
            "paymentIntegratorErrorIdentifier": {
                **_ID,
                "description": "Names the line of the log.",
            },
        },
        required=["errorDescription", "paymentIntegratorErrorIdentifier"],
    )


def _answer(members: Json, required: list[str]) -> Json:
    """Return the schema of an answer; every one bears the header."""
    meaning = "When it was written, in milliseconds since 1970."
    time = {"type": "string", "pattern": f"^{TIME.rule.characters}*$", "description": meaning}
    name = "responseTimestamp"
    header = {"type": "object", "properties": {name: time}, "required": [name]}
    return {
        "type": "object",
        "properties": {"responseHeader": header, **members},
        "required": ["responseHeader", *required],
    }


def _messages(protocol: GoogleStandardPayments, account: Account, operation: Operation) -> Json:
    media_type = protocol.sealers[account.name].media_type.partition(";")[0]

    def content(name: str) -> Json:
        return {"content": {media_type: {"schema": reference("schemas", name)}}}

    responses: Json = {
        RESULT: {
            "description": "A result.",
            "headers": NO_STORE,
            **content(f"google_{operation}_response"),
        }
    }
    for status, rows in _errors(protocol, operation).items():
        sealed = account.errors is Errors.SEALED or any(row.code != NO_BODY for row in rows)
        responses[status] = {
            "description": _told(rows, account.errors),
            "headers": {**_headers(status), **NO_STORE},
            **(content(_ERROR) if sealed else {}),
        }
    return {
        "requestBody": {"required": True, **content(f"google_{operation}_request")},
        "responses": responses,
    }


def _errors(protocol: GoogleStandardPayments, operation: Operation) -> dict[str, list[CodeRow]]:
    """Return the errors of an operation by their HTTP status, as the host has chosen them."""
    found: dict[str, dict[tuple[str, str], CodeRow]] = {}
    for reason in Reason:
        row = row_for(operation, reason, protocol.chosen_codes)
        if row.status != RESULT:
            found.setdefault(row.status, {}).setdefault((row.code, row.message), row)
    return {status: list(found[status].values()) for status in sorted(found)}


def _told(rows: Iterable[CodeRow], errors: Errors) -> str:
    if errors is Errors.SEALED:
        none = "What has no code is an ErrorResponse without one."
    else:
        none = "What has no code has no body, nor has any answer to a caller who is not proven."
    named = [replace(row, code="no code") if row.code == NO_BODY else row for row in rows]
    return f"{code_list(named)}\n\n{none}"


def _headers(status: str) -> Json:
    """Return the headers that HTTP wants for the status of an error."""
    if status == "405":
        return {"Allow": {"schema": {"const": "POST"}}}
    if status == "503":
        return {"Retry-After": {"schema": {"type": "integer"}, "description": "In seconds."}}
    return {}
