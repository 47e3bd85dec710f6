"""The TOML file of an endpoint, with comments: what is used, and what could be."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from flask_otp_mpp.conformance.case import GOOGLE, Wire
from flask_otp_mpp.conformance.target import Limits

_EXAMPLES: Final[dict[str, Mapping[str, object]]] = {
    "fixed": {"code": "123456"},
    "command": {"command": ["ssh", "sandbox", "newest-message", "{user}"]},
    "json": {"url": "http://127.0.0.1:8025/messages/{user}", "pointer": "/-/body"},
    "file": {"path": "messages/{user}.log"},
    "terminal": {},
}
_ABOUT: Final = {
    "fixed": "A sandbox whose code is always the same.",
    "command": "A command that prints the newest message.",
    "json": "A URL that answers with JSON; in the pointer (RFC 6901), - is the last of a list.",
    "file": "A file to which the wallet writes messages, a line each.",
    "terminal": "The kit asks you.",
}
_TEMPLATES: Final = Environment(
    loader=PackageLoader(__package__),
    autoescape=select_autoescape(),  # HTML; this is TOML
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known of an endpoint; the usual values are to be replaced.

    :param path: of Google's account below the base URL.
    :param tokens: a template with ``{n}``, or one credential.
    :param inbox: its kind, or ``none``, and its values; a command is one text.
    """

    wire: Wire
    base_url: str = "https://wallet.example"
    client_id: str = "SANDBOX_CLIENT"
    acquirer_id: str = "1022188000000000000"
    psp_id: str = "1022172000000000001"
    private_key: str = "client.pem"
    wallet_key: str = "wallet.pub"
    path: str = "/v1"
    tokens: str = "token-{n}"
    count: int = 200
    inbox: Mapping[str, str] = field(default_factory=lambda: {"kind": "none"})


def usual(wire: Wire) -> Answers:
    """Return the usual values for a protocol."""
    if wire not in GOOGLE:
        return Answers(wire)
    kind = "jwks" if wire is Wire.GOOGLE_JOSE else "asc"
    return Answers(
        wire,
        base_url="https://wallet.example/google",
        private_key=f"google.private.{kind}",
        wallet_key=f"wallet.public.{kind}",
        tokens="+1415555{n:04}",
    )


def to_toml(answers: Answers) -> str:
    """Return the text of the file."""
    given = dict(answers.inbox)
    kind = given.pop("kind")
    values: dict[str, object] = {
        name: shlex.split(value) if name == "command" else value for name, value in given.items()
    }
    _TEMPLATES.filters["toml"] = _toml
    return _TEMPLATES.get_template("target.toml").render(
        answers=answers,
        google=answers.wire in GOOGLE,
        alipayplus=answers.wire is Wire.ALIPAYPLUS,
        kind=kind,
        inboxes=_EXAMPLES | ({kind: values} if kind in _EXAMPLES else {}),
        about=_ABOUT,
        limits=Limits(freshness_seconds=60) if answers.wire in GOOGLE else Limits(),
    )


def _toml(value: object) -> str:
    """Write a text, a number or a list; JSON's are TOML's, too."""
    return json.dumps(value, ensure_ascii=False)
