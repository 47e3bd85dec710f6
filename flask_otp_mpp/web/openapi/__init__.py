"""The OpenAPI document of an app: what its protocols serve, for those who call and those who test.

OpenAPI Specification 3.1. The document is made from the tables that the server works by: fields,
codes, mounts and paths.
"""

from __future__ import annotations

from flask_otp_mpp.web.openapi.document import document

__all__ = ["document"]
