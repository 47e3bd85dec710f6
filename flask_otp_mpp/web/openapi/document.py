"""Make the OpenAPI document of the protocols that an app serves."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Final

from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus
from flask_otp_mpp.protocols.alipay.ams import Ams
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.web.openapi.google import describe_google
from flask_otp_mpp.web.openapi.schemas import Described, Json
from flask_otp_mpp.web.openapi.signed import describe_alipayplus, describe_ams

VERSION: Final = "3.1.0"


def document(protocols: Sequence[WireProtocol], servers: Sequence[str] = ()) -> Json:
    """Return the document; the same app and release make the same one.

    :param protocols: those to describe; one that is not the package's own is left out.
    :param servers: the base URLs that callers call, without a path; ``/`` if there are none.
    """
    described = [one for one in map(_describe, protocols) if one is not None]
    components: dict[str, Json] = {}
    for one in described:
        for kind, parts in one.components.items():
            components.setdefault(kind, {}).update(parts)
    paths = {path: item for one in described for path, item in one.paths.items()}
    return {
        "openapi": VERSION,
        "info": {
            "title": f"One-time passwords: {', '.join(one.title for one in described)}",
            "version": metadata.version("flask-otp-mpp"),
        },
        "servers": [{"url": url} for url in servers or ("/",)],
        "tags": [{"name": one.title, "description": one.about} for one in described],
        "paths": paths,
        "components": components,
    }


def _describe(protocol: WireProtocol) -> Described | None:
    if isinstance(protocol, AlipayPlus):
        return describe_alipayplus(protocol)
    if isinstance(protocol, Ams):
        return describe_ams(protocol)
    if isinstance(protocol, GoogleStandardPayments):
        return describe_google(protocol)
    return None
