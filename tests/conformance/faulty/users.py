"""Faults of tokens and users, and of whose challenge a code is for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.wire import Request, Response
from tests.conformance.endpoints import SECOND_CLIENT
from tests.conformance.faulty.fault import FaultList
from tests.conformance.faulty.layer import Layer, Next
from tests.conformance.faulty.messages import code_of, fields, with_body, with_fields
from tests.conformance.faulty.signing import is_right, sealed_for, signed
from tests.conformance.wallet_app import SECOND

FAULTS: Final = FaultList()


def _token(change: Callable[[Request, str], str]) -> Layer:
    def layer(request: Request, answer: Next) -> Response:
        token = fields(request).get("accessToken")
        if not isinstance(token, str):
            return answer(request)
        return answer(with_fields(request, accessToken=change(request, token)))

    return layer


def _replaced(token: str, other: str) -> Layer:
    return _token(lambda _, given: other if given == token else given)


def _of_its_client(request: Request, token: str) -> str:
    """Return the token of the same user that was given to the client that asks."""
    bare = token.removeprefix(SECOND)
    if not bare.startswith("tok-"):
        return token
    return SECOND + bare if request.header("client-id") == SECOND_CLIENT else bare


FAULTS.add(
    "frozen-accepted",
    "A frozen user is served.",
    "answers.seen-user-abnormal",
    "users.send-frozen-user",
    "users.verify-frozen-user",
)(_replaced("frozen", "tok-frozen"))
FAULTS.add(
    "expired-accepted",
    "An expired token is accepted.",
    "answers.seen-token-expired",
    "users.send-expired-token",
    "users.stays-out",
    "users.verify-expired-token",
)(_replaced("expired", "tok-expired"))
FAULTS.add(
    "scope-not-checked",
    "A token is accepted that is not for codes.",
    "users.send-no-scope",
    "users.verify-no-scope",
)(_replaced("unscoped", "tok-unscoped"))
FAULTS.add(
    "missing-user-bad-token",
    "The token of a missing user is called invalid.",
    "answers.seen-user-missing",
    "users.send-missing-user",
    "users.verify-missing-user",
)(_replaced("gone", "no-such-token"))
FAULTS.add(
    "expired-bad-token",
    "An expired token is called invalid.",
    "answers.seen-token-expired",
    "users.send-expired-token",
    "users.stays-out",
    "users.verify-expired-token",
)(_replaced("expired", "no-such-token"))
FAULTS.add(
    "token-in-any-case", "The case of a token does not matter.", "users.token-in-other-case"
)(_token(lambda _, token: token.lower()))
FAULTS.add("token-padded", "Spaces behind a token do not matter.", "users.token-with-space")(
    _token(lambda _, token: token.rstrip(" "))
)
FAULTS.add(
    "token-of-any-client",
    "A token is accepted from whichever client.",
    "isolation.token-of-first-client",
    "isolation.token-of-other-client",
)(_token(_of_its_client))


# Whose challenge it is.


class _Remembering:
    """Remember which request has opened each challenge."""

    def __init__(self) -> None:
        self._sent: dict[str, Request] = {}

    def __call__(self, request: Request, answer: Next) -> Response:
        opened = self._sent.get(str(fields(request).get("verifyRequestId")))
        if opened is not None and is_right(request):
            return sealed_for(request, answer(self.as_opened(request, opened)))
        response = answer(request)
        if code_of(response) == "SUCCESS" and "verifyRequestId" in fields(response):
            self._sent[fields(response)["verifyRequestId"]] = request
        return response

    def as_opened(self, request: Request, opened: Request) -> Request:
        """Return the attempt that is made in place of the one that came."""
        raise NotImplementedError


@FAULTS.add_stateful(
    "challenge-of-any-user",
    "The code of a challenge proves any user.",
    "isolation.other-user",
    "isolation.other-user-spends-nothing",
)
class ChallengeOfAnyUser(_Remembering):
    def as_opened(self, request: Request, opened: Request) -> Request:
        same_client = request.header("client-id") == opened.header("client-id")
        if not same_client or not str(fields(request).get("accessToken")).startswith("tok-"):
            return request
        return with_fields(request, accessToken=fields(opened)["accessToken"])


@FAULTS.add_stateful(
    "challenge-of-any-client",
    "A challenge is open to any client.",
    "isolation.foreign-attempts",
    "isolation.other-client",
    "isolation.other-client-same-token",
    "isolation.other-client-spends-nothing",
    "isolation.owner-unharmed",
)
class ChallengeOfAnyClient(_Remembering):
    def as_opened(self, request: Request, opened: Request) -> Request:
        client = opened.header("client-id")
        if request.header("client-id") == client:
            return request
        members = {**fields(request), "accessToken": fields(opened)["accessToken"]}
        body = json.dumps(members).encode()
        return signed(replace(request.with_header("client-id", client), body=body))


@FAULTS.add_stateful(
    "challenge-of-any-acquirer", "A challenge is open to any acquirer.", "isolation.other-acquirer"
)
class ChallengeOfAnyAcquirer(_Remembering):
    def as_opened(self, request: Request, opened: Request) -> Request:
        acquirer = fields(request).get("acquirerId")
        if not isinstance(acquirer, str) or not 0 < len(acquirer) <= 64:
            return request
        return with_fields(request, acquirerId=fields(opened)["acquirerId"])


@FAULTS.add(
    "long-challenge-id", "The verifyRequestId has more than 64 characters.", "happy.challenge-id"
)
def long_challenge_id(request: Request, answer: Next) -> Response:
    name = str(fields(request).get("verifyRequestId", ""))
    if name.endswith("-" * 64):
        return answer(with_fields(request, verifyRequestId=name.rstrip("-")))
    response = answer(request)
    if "verifyRequestId" not in fields(response):
        return response
    long = {**fields(response), "verifyRequestId": fields(response)["verifyRequestId"] + "-" * 64}
    return with_body(request, response, json.dumps(long).encode())


@FAULTS.add_stateful(
    "request-id-ignored",
    "Each request is worked on, whatever its id is.",
    "races.same-id",
    "repeats.id-after-the-pause",
    "repeats.id-other-channel",
    "repeats.id-other-user",
    "repeats.id-refused-stays-refused",
    "repeats.id-same-result",
    "repeats.id-stays-with-its-user",
    "repeats.send-keeps-the-code",
    "repeats.send-same-answer",
    wire=Wire.AMS,
)
class RequestIdIgnored:
    """Give each initAuthentication an id of its own; an attempt is at the last one."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._count = 0

    def __call__(self, request: Request, answer: Next) -> Response:
        name = fields(request).get("authenticationRequestId")
        if not isinstance(name, str) or not 0 < len(name) <= 50:
            return answer(request)
        if request.uri.endswith("/initAuthentication"):
            self._count += 1
            self._last[name] = f"{name}-{self._count}"
        changed = with_fields(request, authenticationRequestId=self._last.get(name, name))
        response = answer(changed)
        if "authenticationRequestId" not in fields(response):
            return response
        echoed = {**fields(response), "authenticationRequestId": name}
        return with_body(request, response, json.dumps(echoed).encode())
