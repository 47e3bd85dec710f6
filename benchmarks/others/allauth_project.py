"""The peer ``allauth``: django-allauth's login by code, by its headless API for apps.

A send starts a login, and its answer names the session that the code must be tried in. Sessions are
in the database, as Django's are by default. Limits by address are left out, since all requests come
from one; those by user are as they are by default, counted in each worker's memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from benchmarks.others import django_project


def create_app(settings: Mapping[str, str] = os.environ) -> Any:
    """Make the WSGI app."""
    set_up(settings)
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 - once Django is set up

    return get_wsgi_application()


def set_up(settings: Mapping[str, str]) -> None:
    """Configure Django, with no more middleware than the library needs."""
    django_project.set_up(
        settings,
        ["django.contrib.sessions", "allauth", "allauth.account", "allauth.headless"],
        ACCOUNT_EMAIL_VERIFICATION="none",
        ACCOUNT_LOGIN_BY_CODE_ENABLED=True,
        ACCOUNT_LOGIN_BY_CODE_FORMAT={"numeric": True, "length": 6, "dashed": False},
        ACCOUNT_LOGIN_METHODS={"email"},
        ACCOUNT_RATE_LIMITS={"request_login_code": "3/m/key"},
        ACCOUNT_SIGNUP_FIELDS=["email*"],
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        HEADLESS_CLIENTS=("app",),
        HEADLESS_ONLY=True,
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        ROOT_URLCONF="benchmarks.others.allauth_urls",
    )


if __name__ == "__main__":
    set_up(os.environ)
    django_project.create_tables()
