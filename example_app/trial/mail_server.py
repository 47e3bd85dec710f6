"""A mail server on this machine: it stores the e-mails to users of the wallet as received."""

from __future__ import annotations

import asyncio
import atexit
import email.policy
import logging
import threading

from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask

from example_app.records import BY_EMAIL, find, receive

HOST = "127.0.0.1"
logger = logging.getLogger(__name__)


class MailServer:
    """Receive e-mail by SMTP, on a free port and in a thread of its own.

    It starts when its address is first asked for, so that each process that sends has one.

    :param app: the wallet whose users have mailboxes here.
    """

    def __init__(self, app: Flask) -> None:
        self._mailboxes = Mailboxes(app)
        self._lock = threading.Lock()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Server, threading.Thread] | None
        self._running = None

    def address(self) -> str:
        """Return host and port; start the server if it is not running."""
        with self._lock:
            if self._running is None:
                self._running = self._start()
            port: int = self._running[1].sockets[0].getsockname()[1]
        return f"{HOST}:{port}"

    def stop(self) -> None:
        """Stop the server, if it is running."""
        with self._lock:
            if self._running is None:
                return
            loop, server, thread = self._running
            self._running = None
        atexit.unregister(self.stop)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()

    def _start(self) -> tuple[asyncio.AbstractEventLoop, asyncio.Server, threading.Thread]:
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(
            loop.create_server(lambda: SMTP(self._mailboxes, hostname=HOST, loop=loop), HOST, 0)
        )
        thread = threading.Thread(target=loop.run_forever, name="mail server", daemon=True)
        thread.start()
        atexit.register(self.stop)
        return loop, server, thread


class Mailboxes:
    """What the server does at each step of a conversation."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    async def handle_RCPT(  # noqa: N802 - the library's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Accept the address of a user, and refuse any other."""
        with self._app.app_context():
            if find(BY_EMAIL, address) is None:
                return "550 5.1.1 there is no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Store the text of an e-mail for each of its recipients."""
        assert isinstance(envelope.content, bytes)  # noqa: S101 - it is, unless told otherwise
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = letter.get_body(("plain",))
        if body is None:
            return "554 5.6.0 the e-mail has no plain text"
        with self._app.app_context():
            for address in envelope.rcpt_tos:
                receive("EMAIL", address, body.get_content().strip())
        return "250 2.0.0 stored"

    async def handle_exception(self, error: Exception) -> str:
        """Tell the sender that it may try again; nothing of an e-mail is logged."""
        logger.error("the mail server failed by %s", type(error).__name__)
        return "451 4.3.0 not stored"
