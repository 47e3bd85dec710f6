"""Schemathesis makes requests from an OpenAPI document; here is what callers do with them.

It takes half a second to import, so tests import this module only when they run.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final, TypeAlias

import jsonschema_rs
import schemathesis
from flask import Flask
from schemathesis.core import NotSet
from schemathesis.engine import events, from_schema

from example_app import instance
from flask_otp_mpp.callers import (
    AlipayPlusCaller,
    AmsCaller,
    Call,
    GoogleAnswer,
    GoogleCaller,
    Response,
    SignedAnswer,
    SigningOptions,
    Transport,
)
from flask_otp_mpp.signing import load_private_key, load_public_key

Json: TypeAlias = dict[str, Any]
Case: TypeAlias = schemathesis.Case[Any]
Caller: TypeAlias = AlipayPlusCaller | AmsCaller | GoogleCaller

SETTINGS: Final[Json] = {
    "seed": 1,
    "generation": {"deterministic": True, "max-examples": 10},
    # Nothing is learned from answers or source text, so that each run makes the same requests.
    "analysis": {"constants": {"enabled": False}},
    "phases": {
        "examples": {"enabled": False},
        "coverage": {"extra-data-sources": {"responses": False}},
        "fuzzing": {
            "extra-data-sources": {"responses": False},
            "error-feedback": {"enabled": False},
        },
        "stateful": {"enabled": False},
    },
    # These want another HTTP status for what is forbidden, and a body where Google has none.
    "checks": {
        name: {"enabled": False}
        for name in (
            *("positive_data_acceptance", "negative_data_rejection", "missing_required_header"),
            *("unsupported_method", "content_type_conformance", "response_schema_conformance"),
        )
    },
}
JOSE: Final = "application/jose"
REFUSALS: Final = {
    *("PARAM_ILLEGAL", "MISSING_REQUIRED_FIELD", "INVALID_FIELD_VALUE", "INVALID_API_VERSION"),
    "INVALID_DECRYPTED_REQUEST",  # no JSON object was sealed
}
# CHANNEL_UNAVAILABLE is answered as an illegal parameter is; others raise exceptions, which
# Schemathesis takes for findings.
TOKENS: Final = (
    *(f"TRIAL_USER_{number}" for number in range(30)),
    *("TRIAL_TOKEN_EXPIRED", "TRIAL_USER_MISSING", "TRIAL_USER_ABNORMAL", "TRIAL_ACCESS_DENIED"),
    *("TRIAL_PROCESS_FAILED", "TRIAL_TRAFFIC_EXCEEDED", "TRIAL_DELIVERY_REFUSED"),
    "TRIAL_THEN_USER_ABNORMAL",
)
KNOWN: Final = {
    **dict.fromkeys(("accessToken", "userIdentityValue", "associationId"), TOKENS),
    **dict.fromkeys(("otpCode", "authenticationValue", "otp"), ("123456", "654321")),
    "accountPhoneNumber": ("+639175550101",),
    "pspId": (instance.PSP_ID,),
}
"""Values that the wallet knows: with others a request does not get past the user."""
SENT: Final = ("verifyRequestId", "authenticationRequestId", "sendOtpRequestId")


class Run:
    """Call an app with what its document allows and forbids; :meth:`play` is called once.

    :ivar proven: how many requests that were signed or sealed had each answer, by path and by code,
        or HTTP status where there is none; ``unproven`` the same of the others.
    :param home: the instance folder, with the keys of all callers.
    :param merchant: the client id of the merchant in production.
    """

    def __init__(self, app: Flask, home: Path, document: Json, merchant: str) -> None:
        self.proven: Counter[tuple[str, str]] = Counter()
        self.unproven: Counter[tuple[str, str]] = Counter()
        self._random = random.Random(1)
        self._sent: dict[str, tuple[Call, bytes]] = {}
        self._ids = ["none"]
        self._response = Response(0, (), b"")
        self._callers = callers(home, merchant, lambda call: self._response)
        config = schemathesis.Config.from_dict(SETTINGS)
        self._schema = schemathesis.openapi.from_dict(document, config=config)
        self._schema.app = app
        self._rules = {
            path: jsonschema_rs.Draft202012Validator(
                {**content["schema"], "components": document["components"]}
            )
            for path, item in document["paths"].items()
            for content in item["post"]["requestBody"]["content"].values()
        }

    def play(self) -> list[str]:
        """Return what was found: nothing, if each answer is what the document says."""
        self._register()
        found = []
        for event in from_schema(self._schema).execute():
            if isinstance(event, events.NonFatalError):
                found.append(f"{event.label}: {event.info}")
            if isinstance(event, events.ScenarioFinished):
                found += [
                    f"{event.label}: {check.failure_info.failure}"
                    for checks in event.recorder.checks.values()
                    for check in checks
                    if check.failure_info is not None
                ]
        return found

    def _register(self) -> None:
        """Have Schemathesis call us: it takes functions only, and for all schemas of a process."""

        @schemathesis.serializer(JOSE)
        def serialize(context: schemathesis.SerializationContext, value: Any) -> bytes:
            return encoded(value)

        @schemathesis.deserializer(JOSE)
        def deserialize(
            context: schemathesis.DeserializationContext, response: schemathesis.Response
        ) -> Json:
            assert context.case is not None
            return self._open(context.case, response).json

        @schemathesis.hook
        def before_call(context: schemathesis.HookContext, case: Case, kwargs: Json) -> None:
            self._prove(case, kwargs)

        @schemathesis.check
        def is_what_the_document_says(
            context: schemathesis.CheckContext,
            response: schemathesis.Response,
            case: Case,
        ) -> None:
            self._check(case, response)

    def _prove(self, case: Case, kwargs: Json) -> None:
        """Sign or seal a request, unless it is one that shall prove nothing."""
        caller, name = self._caller(case)
        google = isinstance(caller, GoogleCaller)
        whole = google or {"Client-Id", "Request-Time", "Signature"} <= case.headers.keys()
        if case.method != "POST" or not whole or self._random.random() < 0.05:
            return
        if isinstance(case.body, dict):
            self._put_known(case, case.body)
        body = encoded(case.body)
        call, _ = caller.prepare(name if google else f"/{name}", body)
        self._sent[case.id] = call, body
        case.headers.update(call.headers)
        kwargs["data"] = call.body

    def _put_known(self, case: Case, body: Json) -> None:
        """Put values that the wallet knows in place of others that the schema allows as well."""
        header = body.get("requestHeader")
        if isinstance(header, dict) and str(header.get("requestTimestamp")).isdigit():
            header["requestTimestamp"] = str(int(time.time() * 1000))
        if case.meta is None or case.meta.phase.name == "coverage":
            return  # its values are those at the edges
        known = {**KNOWN, **dict.fromkeys(SENT, tuple(self._ids))}
        for name, values in known.items():
            if name in body and self._random.random() < 0.8:
                other = {**body, name: self._random.choice(values)}
                if self._allows(case, other) is self._allows(case, body):
                    body[name] = other[name]

    def _check(self, case: Case, response: schemathesis.Response) -> None:
        """Check an answer: what the schema forbids is refused, and nothing else."""
        answer = self._open(case, response)
        sent = self._sent.get(case.id)
        count = self.unproven if sent is None else self.proven
        count[case.path, answer.code or str(response.status_code)] += 1
        if response.content:
            assert answer.verified, "the answer is not signed"
            case.operation.validate_response(response, case=case)
        if sent is None:
            return
        assert answer.response.body, "a proven caller gets no body"
        asked = decoded(sent[1])
        conflict = "came before with other parameters" in answer.response.body.decode()
        refused = answer.code in REFUSALS and not conflict
        assert refused is not self._allows(case, asked), f"{answer.code} is the answer to {asked}"
        if answer.code == "SUCCESS":
            self._ids += [answer.json[name] for name in SENT if name in answer.json]

    def _allows(self, case: Case, body: Any) -> bool:
        if not self._rules[case.path].is_valid(body):
            return False
        # One member is not null: no keyword of JSON Schema counts so.
        context = body.get("otpContext")
        return context is None or list(context.values()).count(None) == len(context) - 1

    def _caller(self, case: Case) -> tuple[Caller, str]:
        prefix, _, name = case.path.rpartition("/")
        return self._callers[prefix], name

    def _open(self, case: Case, response: schemathesis.Response) -> SignedAnswer | GoogleAnswer:
        """Let the caller check an answer, as if it had come to it."""
        headers = ((name, value) for name, values in response.headers.items() for value in values)
        self._response = Response(response.status_code, tuple(headers), response.content)
        as_made = {name.lower(): value for name, value in case.headers.items()}
        call, _ = self._sent.get(case.id, (Call(case.method, case.path, as_made, b""), b""))
        return self._caller(case)[0].deliver(call)


def encoded(body: object) -> bytes:
    """Return a body as bytes; none if the request has no body."""
    if isinstance(body, NotSet):
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def decoded(body: bytes) -> Any:
    """Return the JSON value of a body; None, which no schema allows, if it is no JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def callers(home: Path, merchant: str, transport: Transport) -> dict[str, Caller]:
    """Return who calls below each prefix, with the keys of the instance folder."""
    wallet = {"1": load_public_key(str(home / "wallet.pub"))}

    def who(name: str, client_id: str) -> SigningOptions:
        key = load_private_key(str(home / f"{name}.pem"))
        return {"client_id": client_id, "key": key, "server_keys": wallet}

    google = {"our_keys": str(home / "google.jwks"), "their_keys": str(home / "wallet.pub.jwks")}
    alipayplus = who("alipayplus", instance.CLIENT_ID)
    return {
        "/aps/api/v1/users": AlipayPlusCaller(transport, psp_id=instance.PSP_ID, **alipayplus),
        "/ams/api/v1/users": AmsCaller(transport, **who("merchant", merchant)),
        "/ams/sandbox/api/v1/users": AmsCaller(transport, **who("merchant", instance.MERCHANT_ID)),
        "/google/v1": GoogleCaller.from_account(transport, {"envelope": "jose", **google}),
    }
