"""The kit learns codes from each kind of inbox."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flask_otp_mpp.conformance.inbox import (
    Command,
    File,
    Fixed,
    Inbox,
    JsonUrl,
    Terminal,
    Waiting,
    follow,
)


def code_of(inbox: Inbox, before: str | None = None, challenge: str = "sent-1") -> str | None:
    return Waiting(inbox, "tok-ada", before).code(challenge, 0.0)


class Messages(BaseHTTPRequestHandler):
    """Answers with the messages that the test has put there, by path."""

    answers: ClassVar[dict[str, str]]

    def do_GET(self) -> None:
        found = self.answers.get(self.path)
        self.send_response(200 if found is not None else 404)
        self.end_headers()
        self.wfile.write((found or "nothing").encode())

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def messages() -> Iterator[tuple[str, dict[str, str]]]:
    class Handler(Messages):
        answers: ClassVar[dict[str, str]] = {}

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", Handler.answers
        server.shutdown()
        thread.join()


def test_a_fixed_code_is_that_of_each_challenge() -> None:
    inbox = Fixed("123456")
    assert inbox.newest("tok-ada", "") is None
    assert code_of(inbox) == "123456"


def test_a_command_prints_the_message_of_user_and_challenge() -> None:
    inbox = Command(("sh", "-c", 'echo "$0 $1: your code is 048213."', "{user}", "{id}"))
    assert inbox.newest("tok-ada", "sent-1") == "tok-ada sent-1: your code is 048213.\n"
    assert code_of(inbox) == "048213"


@pytest.mark.parametrize("words", [("false",), ("true",), ("sh", "-c", "echo 123456; exit 3")])
def test_a_command_that_fails_or_prints_nothing_gives_no_code(words: tuple[str, ...]) -> None:
    assert code_of(Command(words)) is None


def test_a_url_gives_the_last_message_of_a_list(messages: tuple[str, dict[str, str]]) -> None:
    url, answers = messages
    answers["/of/tok%2Fada%20b"] = json.dumps({"all": [{"text": "111111"}, {"text": "222222"}]})
    inbox = JsonUrl(f"{url}/of/{{user}}", "/all/-/text")
    assert inbox.newest("tok/ada b", "") == '"222222"'
    assert Waiting(inbox, "tok/ada b", '"111111"').code("sent-1", 0.0) == "222222"


@pytest.mark.parametrize("answer", [None, "no JSON", '{"all": []}', '{"other": 1}', "7"])
def test_a_url_without_a_message_gives_no_code(
    answer: str | None, messages: tuple[str, dict[str, str]]
) -> None:
    url, answers = messages
    if answer is not None:
        answers["/sent-1"] = answer
    assert code_of(JsonUrl(f"{url}/{{id}}", "/all/-/text")) is None
    assert code_of(JsonUrl("http://127.0.0.1:9/{id}", "")) is None


def test_a_file_of_each_user_gives_its_last_line(tmp_path: Path) -> None:
    inbox = File(str(tmp_path / "{user}.log"))
    assert code_of(inbox) is None
    (tmp_path / "tok-ada.log").write_text("code 111111\ncode 222222\n")
    assert code_of(inbox) == "222222"


def test_a_file_of_all_users_gives_the_last_line_that_names_the_user(tmp_path: Path) -> None:
    path = tmp_path / "all.log"
    path.write_text("tok-ada: 111111\ntok-bob: 222222\n")
    assert code_of(File(str(path))) == "111111"
    path.write_text("sent-1: 333333\nsent-2: 444444\n")
    assert code_of(File(str(path))) == "333333"


def test_the_same_line_once_more_is_another_message(tmp_path: Path) -> None:
    path = tmp_path / "tok-ada"
    path.write_text("code 111111\n")
    inbox = File(str(tmp_path / "{user}"))
    before = inbox.newest("tok-ada", "")
    assert code_of(inbox, before) is None
    path.write_text("code 111111\ncode 111111\n")
    assert code_of(inbox, before) == "111111"


def test_the_person_at_the_terminal_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("123456\n"))
    assert Terminal().newest("tok-ada", "") is None
    assert code_of(Terminal()) == "123456"
    assert capsys.readouterr().err == "The code that tok-ada received for sent-1: "


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your code is 123456.", "123456"),
        ("Order 12345678901 of 2026: 0482130", "0482130"),
        ("111111 is old, 222222 is new", "222222"),
        ("no code: 12345", None),
    ],
)
def test_the_code_is_the_last_run_of_6_to_10_digits(text: str, code: str | None) -> None:
    assert code_of(Fixed(text)) == code


def test_a_pointer_is_followed_as_rfc_6901_has_it() -> None:
    value = {"a/b": [{"m~n": 1}, {"m~n": 2}], "": 3}
    assert follow(value, "/a~1b/0/m~0n") == 1
    assert follow(value, "/a~1b/-/m~0n") == 2
    assert follow(value, "/") == 3
    assert follow(value, "") is value
    with pytest.raises(LookupError):
        follow(value, "/missing")
