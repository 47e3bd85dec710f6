"""The peer ``django-otp``: its EmailDevice, with throttling and cool-down as they are by default.

The library has no HTTP API. Its documentation says what a view of one's own calls, so these views
do that and no more: a user is named by a token, as in the other peers, and there are no sessions.
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
    """Configure Django; there is no middleware, since the views need none."""
    django_project.set_up(
        settings,
        ["django.contrib.humanize", "django_otp", "django_otp.plugins.otp_email"],
        MIDDLEWARE=[],
        OTP_EMAIL_SENDER="wallet@example.com",
        ROOT_URLCONF="benchmarks.others.django_otp_views",
    )


if __name__ == "__main__":
    set_up(os.environ)
    django_project.create_tables()
