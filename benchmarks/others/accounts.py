"""The users of the other libraries: rows in their tables, which are written without the library."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

Rows = dict[str, list[dict[str, Any]]]


def user_of(number: int) -> str:
    """Return the name of a user, which is an address for e-mail as well."""
    return f"u{number:08d}@example.com"


def django_otp(numbers: Iterable[int]) -> Rows:
    """Return a user and a device for each number."""
    known = list(numbers)
    devices = [
        {
            "id": number,
            "user_id": number,
            "name": "email",
            "confirmed": True,
            "valid_until": _now(),
            "throttling_failure_count": 0,
        }
        for number in known
    ]
    return {"auth_user": _django_users(known), "otp_email_emaildevice": devices}


def allauth(numbers: Iterable[int]) -> Rows:
    """Return a user with a verified address for each number."""
    known = list(numbers)
    addresses = [
        {
            "id": number,
            "user_id": number,
            "email": user_of(number),
            "verified": True,
            "primary": True,
        }
        for number in known
    ]
    return {"auth_user": _django_users(known), "account_emailaddress": addresses}


def flask_security(numbers: Iterable[int]) -> Rows:
    """Return a user for each number; all have one secret, since to encrypt one takes long."""
    import json  # noqa: PLC0415

    from benchmarks.others.flask_security_app import new_secret  # noqa: PLC0415

    secrets = json.dumps({"email": new_secret()})
    users = [
        {
            "id": number,
            "email": user_of(number),
            "active": True,
            "fs_uniquifier": f"{number:032x}",
            "us_totp_secrets": secrets,
        }
        for number in numbers
    ]
    return {"user": users}


def _django_users(numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "username": user_of(number),
            "email": user_of(number),
            "password": "!",
            "first_name": "",
            "last_name": "",
            "is_active": True,
            "is_staff": False,
            "is_superuser": False,
            "date_joined": _now(),
        }
        for number in numbers
    ]


def _now() -> datetime:
    return datetime.now(UTC)
