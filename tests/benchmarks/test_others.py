"""The other libraries are called as their documentation says, and only expected answers count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchmarks.beside import Comparison
from benchmarks.contract import spread
from benchmarks.others.api import Outcome
from benchmarks.others.library_apis import AllauthApi, DjangoOtpApi, FlaskSecurityApi, StatusApi
from benchmarks.others.opened import LIBRARIES, Users
from benchmarks.others.server import Served, served, wrong
from tests.benchmarks.test_load import bench, rows


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with served([request.param], "sqlite", tmp_path, warm=1) as [one]:
        yield one


@dataclass
class Mistaken:
    """Users who misread their codes."""

    users: Users

    def add(self, count: int) -> list[str]:
        return self.users.add(count)

    def codes(self, tokens: Iterable[str]) -> dict[str, str]:
        return {user: f"{int(code) ^ 1:06d}" for user, code in self.users.codes(tokens).items()}

    def messages(self, user: str, answered: int) -> int:
        return self.users.messages(user, answered)

    def judged(self, user: str, answered: int) -> int:
        return self.users.judged(user, answered)


@pytest.mark.slow
def test_a_library_sends_a_code_tells_it_from_a_wrong_one_and_is_measured(library: Served) -> None:
    """In one test, since the server takes the time."""
    users, sends = library.sent(2)
    assert library.outcomes(sends) == [Outcome.DONE] * 2
    assert [library.peer.users.messages(user, 0) for user in users] == [1, 1]
    right, other = library.guesses(users, sends)
    tried = library.drive(library.peer.api.verifies([right, wrong(other)]))
    assert library.outcomes(tried) == [Outcome.DONE, Outcome.UNMATCHED]
    assert library.peer.users.judged(other.user, 1) == 1
    compared = Comparison()
    compared.measure("sqlite", [library], 1, 0.1)
    assert compared.faults == []
    assert {row[3] for row in compared.rows()} == {"no"}  # it signs nothing


@pytest.mark.slow
def test_a_code_that_is_misread_makes_the_comparison_fail(tmp_path: Path) -> None:
    with served(["lean"], "sqlite", tmp_path, warm=1) as [one]:
        misread = Served(replace(one.peer, users=Mistaken(one.peer.users)), one.server)
        compared = Comparison()
        compared.measure("sqlite", [misread], 1, 0.1)
    assert [fault.split(": ")[0] for fault in compared.faults] == ["sqlite right lean"]
    assert "unmatched" in compared.faults[0]


@pytest.mark.slow
def test_a_run_measures_each_load_of_a_peer() -> None:
    status, reports = bench(
        "peers", "--store=sqlite", "--only=wallet", "--rounds=1", "--seconds=0.2"
    )
    assert status == 0, reports
    assert [row["load"] for row in rows(reports)] == ["send", "right", "wrong"]
    for row in rows(reports):
        assert (row["peer"], row["signs"]) == ("wallet", "yes")
        assert row["wallet / peer"] == row["low"] == row["high"] == 1
        assert row["req/s"] > 0
        assert row["CPU us"] > 0


@pytest.mark.slow
def test_races_show_what_a_peer_keeps_to() -> None:
    """And the package keeps to one success, five guesses and one message."""
    status, reports = bench("contract", "--store=sqlite", "--only=lean", "--rounds=2")
    assert status == 0, reports
    assert [[*row.values()] for row in rows(reports)] == [["sqlite", "lean", "1", "5", "1", 0]]


@pytest.mark.parametrize("api", [DjangoOtpApi(), AllauthApi(), FlaskSecurityApi()])
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nanother page",
        b"HTTP/1.1 400 Bad Request\r\n\r\nanother fault",
        b'HTTP/1.1 401 Unauthorized\r\n\r\n{"data": {"flows": [{"id": "login"}]}}',
    ],
)
def test_an_answer_that_is_not_expected_has_failed(api: StatusApi, raw: bytes) -> None:
    assert api.outcome(raw) is Outcome.FAILED


def test_races_are_told_by_the_fewest_and_the_most() -> None:
    assert spread([3, 8, 5]) == "3 to 8"
    assert spread([1, 1]) == "1"
