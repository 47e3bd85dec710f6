"""E-mails go to a mail server by SMTP, and its refusals decide the answer."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from smtplib import SMTP

import pytest
from click.testing import Result
from flask import Flask

from example_app.demo.server import ROOT
from example_app.providers import mail_server
from flask_otp_mpp.callers.alipayplus import AlipayPlusAnswer, AlipayPlusCaller

Wallet = Callable[..., Result]
SAID: Mapping[str, bytes] = {
    "": b"220 mail.example\r\n",
    "EHLO": b"250 mail.example\r\n",
    "MAIL": b"250 OK\r\n",
    "RCPT": b"250 OK\r\n",
    "DATA": b"354 go on\r\n",
    ".": b"250 OK\r\n",
    "QUIT": b"221 bye\r\n",
}


@contextmanager
def mail_server_that_says(**other: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one conversation; yield the address, and the lines that were received.

    :param other: what is said to a command instead of the usual; nothing for an empty text.
    """
    said, lines = {**SAID, **other}, list[bytes]()

    def converse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as received:
            connection.settimeout(5)
            connection.sendall(said[""])
            in_letter = False
            for line in received:
                lines.append(line)
                command = line.strip().decode().partition(" ")[0].upper()
                if in_letter and command != ".":
                    continue
                answer = said.get(command, b"250 OK\r\n")
                in_letter = command == "DATA" and answer.startswith(b"354")
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        thread = threading.Thread(target=converse, args=(listener,))
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", lines
        finally:
            thread.join(10)


def mailed(alipayplus: AlipayPlusCaller, wallet: Wallet) -> AlipayPlusAnswer:
    return alipayplus.send(wallet("token", "ada").stdout.strip(), verifyType="EMAIL")


def test_an_email_is_a_whole_one(app: Flask, alipayplus: AlipayPlusCaller, wallet: Wallet) -> None:
    with mail_server_that_says() as (address, lines):
        app.config["WALLET_SMTP"] = address
        assert mailed(alipayplus, wallet).code == "SUCCESS"
    assert lines[0] == b"ehlo wallet.example\r\n"
    assert [line for line in lines if line[:4] == b"rcpt"] == [b"rcpt TO:<ada@mail.example>\r\n"]
    begin, end = lines.index(b"data\r\n"), lines.index(b".\r\n")
    letter = message_from_bytes(b"".join(lines[begin + 1 : end]), policy=policy.default)
    assert letter["To"] == "ada@mail.example"
    assert letter["From"] == "Example Wallet <codes@wallet.example>"
    assert "is your Example Wallet code" in letter.get_content()
    assert app.test_client().get("/phone.json").get_json() == []  # it was received elsewhere


@pytest.mark.parametrize(
    ("command", "said", "code"),
    [
        ("RCPT", b"550 5.1.1 no such mailbox\r\n", "PROCESS_FAIL"),
        ("MAIL", b"553 5.7.1 not from you\r\n", "PROCESS_FAIL"),
        (".", b"554 5.6.0 not like this\r\n", "PROCESS_FAIL"),
        ("RCPT", b"450 4.2.0 come back later\r\n", "UNKNOWN_EXCEPTION"),
        (".", b"451 4.3.0 not now\r\n", "UNKNOWN_EXCEPTION"),
    ],
)
def test_a_refusal_for_good_is_told_and_another_is_unknown(
    app: Flask, alipayplus: AlipayPlusCaller, wallet: Wallet, command: str, said: bytes, code: str
) -> None:
    with mail_server_that_says(**{command: said}) as (address, _):
        app.config["WALLET_SMTP"] = address
        assert mailed(alipayplus, wallet).code == code


@pytest.mark.slow
def test_a_mail_server_that_is_silent_is_given_up(
    app: Flask, alipayplus: AlipayPlusCaller, wallet: Wallet
) -> None:
    with mail_server_that_says(EHLO=b"") as (address, _):
        app.config["WALLET_SMTP"] = address
        assert mailed(alipayplus, wallet).code == "UNKNOWN_EXCEPTION"


def test_the_wallets_own_mail_server_stores_what_it_accepts(app: Flask) -> None:
    letter = EmailMessage()
    letter["To"] = "ada@mail.example"
    letter.set_content("Größe: 123456", cte="base64")
    letter.add_alternative("<p>123456</p>", subtype="html")
    with app.app_context():
        address = mail_server()
    with SMTP(address, timeout=5) as server:
        server.send_message(letter, "a@b.example")
    (message,) = app.test_client().get("/phone.json").get_json()
    assert message["channel"] == "EMAIL"
    assert message["address"] == "ada@mail.example"
    assert message["text"] == "Größe: 123456"


def test_the_wallets_own_mail_server_refuses_whom_it_does_not_know(app: Flask) -> None:
    with app.app_context():
        address = mail_server()
    with SMTP(address, timeout=5) as server:
        server.ehlo()
        server.mail("a@b.example")
        assert server.rcpt("zoe@mail.example")[0] == 550


def test_the_wallets_own_mail_server_refuses_what_has_no_text(app: Flask) -> None:
    with app.app_context():
        address = mail_server()
    with SMTP(address, timeout=5) as server:
        server.ehlo()
        server.mail("a@b.example")
        server.rcpt("ada@mail.example")
        assert server.data(b"Content-Type: image/png\r\n\r\nnone")[0] == 554


def test_the_wallets_own_mail_server_says_if_it_can_not_store(app: Flask) -> None:
    with app.app_context():
        address = mail_server()
    app.extensions["records"] = None
    with SMTP(address, timeout=5) as server:
        server.ehlo()
        server.mail("a@b.example")
        assert server.rcpt("ada@mail.example")[0] == 451


@pytest.mark.slow
def test_a_wallet_that_is_forked_after_loading_sends_from_each_process(home: Path) -> None:
    """As gunicorn does with an app that it has preloaded."""
    program = f"""
import os
from example_app import create_app
from example_app.demo.server import ROOT
from example_app.providers import mail_server
app = create_app({str(home)!r})
children = []
for _ in range(2):
    if not (child := os.fork()):
        from smtplib import SMTP
        with app.app_context(), SMTP(mail_server(), timeout=5) as server:
            server.sendmail("a@b.example", "ada@mail.example", "\\n123456 is your code")
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
print(len(app.test_client().get("/phone.json").get_json()))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.stdout == "2\n", done.stderr
