"""Drive the caller's console by HTTP, and read its page as a reader would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from html.parser import HTMLParser

from flask import Flask
from werkzeug.test import TestResponse

PROTOCOLS = ("alipayplus", "ams", "google")
ORIGIN = "http://localhost"
CODE = re.compile(r"\d{6}")
Codes = Mapping[str, tuple[str | None, str | None, str | None]]
"""The codes that answer each fault, by protocol; None where a request can't have it."""

SENDS: Codes = {
    "none": ("SUCCESS", "SUCCESS", "SUCCESS"),
    "wrong-key": ("INVALID_SIGNATURE", "SIGNATURE_INVALID", "HTTP 401"),
    "stale-time": ("ACCESS_DENIED", "ACCESS_DENIED", "REQUEST_TIMESTAMP_OUT_OF_RANGE"),
    "altered-body": ("INVALID_SIGNATURE", "SIGNATURE_INVALID", "HTTP 400"),
    "empty-field": ("PARAM_ILLEGAL", "PARAM_ILLEGAL", "INVALID_FIELD_VALUE"),
    "unknown-client": ("INVALID_CLIENT", "CLIENT_INVALID", None),
    "foreign-token": ("INVALID_TOKEN", "INVALID_ACCESS_TOKEN", None),
    "twice": ("SUCCESS SUCCESS", "SUCCESS SUCCESS", "SUCCESS SUCCESS"),
    "burst": (
        "INVALID_TOKEN REQUEST_TRAFFIC_EXCEED_LIMIT",
        "INVALID_ACCESS_TOKEN REQUEST_TRAFFIC_EXCEED_LIMIT",
        "INVALID_IDENTIFIER HTTP 503",
    ),
}
VERIFIES: Codes = {
    "none": ("SUCCESS", "SUCCESS", "SUCCESS"),
    "wrong-key": ("INVALID_SIGNATURE", "SIGNATURE_INVALID", "HTTP 401"),
    "stale-time": ("ACCESS_DENIED", "ACCESS_DENIED", "REQUEST_TIMESTAMP_OUT_OF_RANGE"),
    "altered-body": ("INVALID_SIGNATURE", "SIGNATURE_INVALID", "HTTP 400"),
    "empty-field": ("PARAM_ILLEGAL", "PARAM_ILLEGAL", "INVALID_FIELD_VALUE"),
    "unknown-client": ("INVALID_CLIENT", "CLIENT_INVALID", None),
    "foreign-token": ("INVALID_TOKEN", None, None),
    "twice": ("SUCCESS SUCCESS", "SUCCESS SUCCESS", "SUCCESS SUCCESS"),
    "wrong-codes": (
        "OTP_VERIFY_UNMATCHED " * 5 + "OTP_VERIFY_TIMES_EXCEED_LIMIT",
        "VERIFY_UNMATCHED " * 5 + "VERIFY_TIMES_EXCEED_LIMIT",
        "OTP_NOT_MATCHED " * 5 + "OTP_NOT_MATCHED",
    ),
}


class Texts(HTMLParser):
    """Collects the texts of the elements that a test asks for."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.badges: list[str] = []
        self.texts: dict[str, list[str]] = {}
        """The content of each ``pre``, by its caption."""
        self.words: list[str] = []
        self._path: list[tuple[str, str]] = []
        self._caption = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"input", "meta", "link", "br"}:
            self._path.append((tag, dict(attrs).get("class") or ""))
            if tag == "pre":
                self.texts.setdefault(self._caption, []).append("")

    def handle_endtag(self, tag: str) -> None:
        while self._path and self._path.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, kind = self._path[-1] if self._path else ("", "")
        if kind.startswith("badge"):
            self.badges.append(data)
        elif tag == "strong" and self._path[-2][0] == "figcaption":
            self._caption = data
        elif tag == "pre":
            self.texts[self._caption][-1] += data
        self.words.append(data)


@dataclass
class Page:
    """A page of the console."""

    response: TestResponse

    @property
    def html(self) -> str:
        return unescape(self.response.text)

    @property
    def text(self) -> str:
        """All words of the page, with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self._read.words))

    @property
    def codes(self) -> list[str]:
        """The result code of each exchange, in their order."""
        return self._read.badges

    @property
    def run(self) -> str:
        return re.search(r'name="run" value="([^"]+)"', self.response.text)[1]  # type: ignore[index]

    def texts(self, caption: str) -> list[str]:
        """Return the texts with a caption, byte for byte."""
        return self._read.texts.get(caption, [])

    @cached_property
    def _read(self) -> Texts:
        parser = Texts()
        parser.feed(self.response.text)
        return parser


class Console:
    """The console of an app, without a browser."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._client = app.test_client()

    def get(self, **query: str) -> Page:
        return Page(self._client.get("/console", query_string=query))

    def send(self, protocol: str, **form: str) -> Page:
        """Press Send, and follow to the page that shows what came."""
        return self._post("send", {"protocol": protocol, **form})

    def verify(self, sent: Page, code: str, **form: str) -> Page:
        """Press Verify on a page that shows a send."""
        return self._post("verify", {"run": sent.run, "code": code, **form})

    def reset(self, **form: str) -> Page:
        return self._post("reset", form)

    def messages(self) -> list[dict[str, str]]:
        """Return what is on the phone, newest first."""
        found: list[dict[str, str]] = self._client.get("/phone.json").get_json()
        return found

    def code(self) -> str:
        """Return the code on the phone."""
        return CODE.search(self.messages()[0]["text"])[0]  # type: ignore[index]

    def _post(self, button: str, form: dict[str, str]) -> Page:
        headers = {"Origin": ORIGIN}
        path = f"/console/{button}"
        return Page(self._client.post(path, data=form, headers=headers, follow_redirects=True))
