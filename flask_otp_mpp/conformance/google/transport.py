"""Cases of HTTP: methods, paths and media types."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from flask_otp_mpp.conformance.case import GOOGLE, Group, Severity
from flask_otp_mpp.conformance.google.dialect import Api, Means, written
from flask_otp_mpp.conformance.google.play import GoogleCases, GooglePlay

CASES: Final = GoogleCases(Group.TRANSPORT, GOOGLE, written("HTTP request"))


def _method(name: str, play: GooglePlay) -> None:
    message = play.message(Api.ECHO)
    request = replace(play.posted(Api.ECHO, play.seal(message)), method=name)
    play.expect(play.deliver(request, message), Means.HTTP_METHOD, Means.NO_API)


for _name in ("GET", "PUT", "DELETE"):
    CASES.add(
        f"transport.{_name.lower()}",
        f"echo by {_name} is refused",
        "The methods are called by POST.",
        source=written("HTTP request", "405 or 404."),
        users=0,
    )(partial(_method, _name))


def _path(name: str, play: GooglePlay) -> None:
    message = play.message(Api.ECHO)
    answer = play.deliver(play.posted(name, play.seal(message)), message)
    play.expect(answer, Means.NO_API)


for _name, _what, _part in (
    ("unknown-path", "An unknown method", "conformance"),
    ("lower-case", "sendotp in lower case", "sendotp"),
    ("path-behind", "A path behind echo", "echo/conformance"),
):
    CASES.add(
        f"transport.{_name}",
        f"{_what} is 404",
        "There are three methods, and paths are compared as they are.",
        severity=Severity.REQUIRED if _name == "unknown-path" else Severity.RECOMMENDED,
        users=0,
    )(partial(_path, _part))


def _media_type(values: tuple[str, ...], means: tuple[Means, ...], play: GooglePlay) -> None:
    message = play.message(Api.ECHO)
    request = play.posted(Api.ECHO, play.seal(message))
    usual = request.header("content-type")
    forms = [value.replace("{usual}", usual.partition(";")[0]) for value in values]
    play.expect(play.deliver(request.with_header("Content-Type", *forms), message), *means)


_SUCCESS: Final = (Means.SUCCESS,)
_ANY: Final = (Means.SUCCESS, Means.MEDIA_TYPE, Means.ENCRYPTION)
for _name, _what, _values, _means in (
    ("no-charset", "without charset is handled", ("{usual}",), _SUCCESS),
    ("capitals", "with UTF-8 in capitals is handled", ("{usual}; charset=UTF-8",), _SUCCESS),
    ("no-space", "without a space is handled", ("{usual};charset=utf-8",), _SUCCESS),
    ("json", "application/json is handled or refused by 415", ("application/json",), _ANY),
    ("none", "missing is handled or refused by 415", (), _ANY),
):
    CASES.add(
        f"transport.media-type-{_name}",
        f"A Content-Type {_what}",
        "A media type has these forms (RFC 9110, section 8.3); what is not sealed does not open.",
        source=written("HTTP request", "Whether another media type is refused is left open."),
        severity=Severity.REQUIRED if _means == _SUCCESS else Severity.RECOMMENDED,
        users=0,
    )(partial(_media_type, _values, _means))
