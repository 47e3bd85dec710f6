"""The services that carry the messages of the example wallet; a real wallet has others."""

from __future__ import annotations

from flask import current_app

from example_app.records import receive
from example_app.trial.mail_server import MailServer


def send_text(number: str, text: str) -> None:
    """Send a text. There is no SMS provider: it is stored, and the page of the phone shows it."""
    receive("MOBILE", number, text)


def mail_server() -> str:
    """Return host and port of the mail server: WALLET_SMTP, or a server of this process."""
    configured: str | None = current_app.config.get("WALLET_SMTP")
    if configured is not None:
        return configured
    server: MailServer = current_app.extensions["mail_server"]
    return server.address()
