"""The HTTP APIs of the other libraries, as their documentation describes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.others.api import Guess, Outcome

_ALLAUTH: Final = "/_allauth/app/v1/auth/code"
_SESSION: Final = re.compile(rb'"session_token": "(\w+)"')
Meanings = tuple[tuple[int, bytes, Outcome], ...]


def post(path: str, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
    """Return a POST of JSON as HTTP/1.1."""
    body = json.dumps(fields, separators=(",", ":")).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Accept: application/json",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class StatusApi:
    """An API whose answers are told apart by their HTTP status and a part of their body.

    :param meanings: status, part and outcome; the first that fits counts.
    """

    meanings: Meanings

    def outcome(self, raw: bytes) -> Outcome:
        status = int(raw[9:12]) if raw.startswith(b"HTTP/1.") else 0
        for wanted, part, outcome in self.meanings:
            if status == wanted and part in raw:
                return outcome
        return Outcome.FAILED


@dataclass(frozen=True, slots=True)
class DjangoOtpApi(StatusApi):
    """The views of the peer ``django-otp``."""

    meanings: Meanings = (
        (200, b'"detail": "sent by email"', Outcome.DONE),
        (200, b'"verified": true', Outcome.DONE),
        (400, b'"verified": false', Outcome.UNMATCHED),
        (429, b"", Outcome.REFUSED),
    )

    def sends(self, users: Sequence[str]) -> list[bytes]:
        return [post("/send", {"token": user}) for user in users]

    def verifies(self, guesses: Sequence[Guess]) -> list[bytes]:
        return [post("/verify", {"token": one.user, "code": one.code}) for one in guesses]


@dataclass(frozen=True, slots=True)
class AllauthApi(StatusApi):
    """The headless API of django-allauth, for apps.

    A login that waits for its code is answered by 401; one that has ended, by 409 or 410.
    """

    meanings: Meanings = (
        (401, b'"id": "login_by_code", "is_pending": true', Outcome.DONE),
        (200, b'"is_authenticated": true', Outcome.DONE),
        (400, b'"incorrect_code"', Outcome.UNMATCHED),
        (400, b'"too_many_login_attempts"', Outcome.REFUSED),
        (409, b"", Outcome.REFUSED),
        (410, b"", Outcome.REFUSED),
    )

    def sends(self, users: Sequence[str]) -> list[bytes]:
        return [post(f"{_ALLAUTH}/request", {"email": user}) for user in users]

    def verifies(self, guesses: Sequence[Guess]) -> list[bytes]:
        return [
            post(
                f"{_ALLAUTH}/confirm",
                {"code": one.code},
                {"X-Session-Token": _session_of(one.sent)},
            )
            for one in guesses
        ]


def _session_of(sent: bytes) -> str:
    found = _SESSION.search(sent)
    return found[1].decode() if found else "none"


@dataclass(frozen=True, slots=True)
class FlaskSecurityApi(StatusApi):
    """The JSON API of Flask-Security's unified sign-in."""

    meanings: Meanings = (
        (200, b'"meta":{"code":200}', Outcome.DONE),
        (400, b'"passcode":', Outcome.UNMATCHED),
    )

    def sends(self, users: Sequence[str]) -> list[bytes]:
        fields = {"chosen_method": "email"}
        return [post("/us-signin/send-code", {"identity": user, **fields}) for user in users]

    def verifies(self, guesses: Sequence[Guess]) -> list[bytes]:
        return [post("/us-signin", {"identity": one.user, "passcode": one.code}) for one in guesses]
