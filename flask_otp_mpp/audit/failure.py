"""What becomes of an answer whose event could not be recorded."""

from __future__ import annotations

from enum import StrEnum

from flask_otp_mpp.core.ports import StoreError


class AuditError(StoreError):
    """Report that an event could not be recorded; what it tells of has been done."""


class OnFailure(StrEnum):
    """Say what becomes of an answer whose event could not be recorded."""

    CLOSED = "closed"
    OPEN = "open"
