"""The views of the peer ``django-otp``; Django imports them once it is set up."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django_otp import verify_token
from django_otp.plugins.otp_email.models import EmailDevice


def send(request: HttpRequest) -> JsonResponse:
    """Send a code, unless one was sent within the cool-down."""
    device = _device(json.loads(request.body))
    allowed, _ = device.generate_is_allowed()
    return JsonResponse({"detail": device.generate_challenge()}, status=200 if allowed else 429)


def verify(request: HttpRequest) -> JsonResponse:
    """Verify a code, unless the device is throttled, as the library's own form does."""
    fields = json.loads(request.body)
    device = _device(fields)
    allowed, _ = device.verify_is_allowed()
    if not allowed:
        return JsonResponse({"verified": False}, status=429)
    verified = verify_token(device.user, device.persistent_id, fields["code"]) is not None
    return JsonResponse({"verified": verified}, status=200 if verified else 400)


def _device(fields: dict[str, Any]) -> Any:
    return EmailDevice.objects.select_related("user").get(user__username=fields["token"])


urlpatterns = [path("send", send), path("verify", verify)]
