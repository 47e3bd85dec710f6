"""The operator's page counts what happened, and shows and unlocks a user."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from click.testing import Result
from flask import Flask

from example_app.instance import CLIENT_ID
from example_app.trial import statistics
from example_app.trial.chart import HEIGHT, WIDTH, chart
from example_app.trial.statistics import Latency, percentile
from flask_otp_mpp import StoreUnavailable, state_of
from flask_otp_mpp.callers.alipayplus import AlipayPlusCaller
from flask_otp_mpp.callers.transport import over_wsgi

Wallet = Callable[..., Result]


@pytest.fixture(autouse=True)
def quick_lock(plain_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lock a user after three wrong codes, and disable OTP for them after the fourth."""
    monkeypatch.setenv("FLASK_OTP_MPP_FAILURE_LIMIT", "3")
    monkeypatch.setenv("FLASK_OTP_MPP_DISABLE_AFTER", "4")


@pytest.fixture
def ada(wallet: Wallet) -> str:
    """Make an access token of Ada."""
    return wallet("token", "ada").stdout.strip()


def words_of(page: str) -> str:
    """Return what a page says, without its tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


def look(app: Flask, user: str = "") -> str:
    return words_of(app.test_client().get("/operator", query_string={"user": user}).text)


def unlock(app: Flask, user: str, **more: str) -> str:
    client, form = app.test_client(), {"user": user, **more}
    done = client.post("/operator/unlock", data=form, headers={"Origin": "http://localhost"})
    assert done.status_code == 303
    return words_of(client.get(done.headers["Location"]).text)


def code_of(app: Flask) -> str:
    message = app.test_client().get("/phone.json").get_json()[0]
    return str(message["text"]).split()[0]


def lock(alipayplus: AlipayPlusCaller, token: str) -> None:
    request = alipayplus.send(token).verify_request_id
    for _ in range(3):
        alipayplus.verify(token, request, "000000")


def test_without_a_request_it_says_that_nothing_has_happened(app: Flask) -> None:
    page = look(app)
    for part in ("Codes sent 0", "Verification rate none", "Nothing was refused", "Locks begun 0"):
        assert part in page
    assert "Nothing has happened yet" in page
    assert "No request in the last ten minutes" in page


def test_the_figures_count_what_happened(
    app: Flask, alipayplus: AlipayPlusCaller, wallet: Wallet, ada: str
) -> None:
    request = alipayplus.send(ada).verify_request_id
    alipayplus.verify(ada, request, "000000")
    assert alipayplus.verify(ada, request, code_of(app)).code == "SUCCESS"
    assert alipayplus.send(wallet("token", "nora").stdout.strip()).code == "SUCCESS"
    alipayplus.send(ada)
    alipayplus.send("nonsense")
    page = look(app)
    for part in ("Codes sent 2", "Right codes 1", "50 % 1 of 2 codes", "Refused 3"):
        assert part in page
    for reason in ("CODE_UNMATCHED", "SEND_LIMITED", "TOKEN_INVALID"):
        assert re.search(rf"{reason} [^0-9]+ 1 ", page), reason
    rows = re.search(r"p50 p95 p99 (.+?) Recent events", page)
    assert rows is not None
    counts = re.findall(r"\d\d:\d\d:\d\d (\d+) [\d.]+ [\d.]+ [\d.]+", rows[1])
    assert sum(map(int, counts)) == 6


def test_a_repeat_is_listed_and_not_counted(
    app: Flask, alipayplus: AlipayPlusCaller, ada: str
) -> None:
    sent = alipayplus.send(ada)
    over_wsgi(app)(sent.call)
    page = look(app)
    assert "Codes sent 1" in page
    assert "alipayplus send by SMS a repeat" in page


def test_a_lock_is_counted_and_shown_and_ended(
    app: Flask, alipayplus: AlipayPlusCaller, ada: str
) -> None:
    assert "Not locked" in look(app, "ada") or "Nothing is stored" in look(app, "ada")
    lock(alipayplus, ada)
    page = look(app, "ada")
    assert "Locks begun 1" in page
    until = r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC"  # with its day if that is not today
    assert re.search(f"ada Locked Locked at SA…4124 until {until}", page)
    assert "Wrong codes since the last right one 3" in page
    after = unlock(app, "ada")
    assert "The user is unlocked." in after
    assert "Not locked" in after
    assert "operator unlock" in after
    assert "There was no lock" in unlock(app, "ada")


def test_an_unlock_may_forget_sends_too(app: Flask, alipayplus: AlipayPlusCaller, ada: str) -> None:
    lock(alipayplus, ada)
    unlock(app, "ada")
    assert alipayplus.send(ada).code == "OTP_SEND_TIMES_EXCEED_LIMIT"
    unlock(app, "ada", quota="on")
    assert alipayplus.send(ada).code == "SUCCESS"


def test_a_disabled_user_is_shown_as_one(
    app: Flask, alipayplus: AlipayPlusCaller, ada: str
) -> None:
    lock(alipayplus, ada)
    with app.app_context():  # the count over all clients stays
        state_of(app).support.unlock("ada", CLIENT_ID, quota=True)
    lock(alipayplus, ada)
    page = look(app, "ada")
    assert "ada Disabled" in page
    assert "after an unlock" in page


def test_a_user_of_whom_nothing_is_stored_is_no_error(app: Flask) -> None:
    assert "Nothing is stored of this user" in look(app, "zoe")


def test_users_and_clients_are_masked_and_codes_absent_in_the_events(
    app: Flask, alipayplus: AlipayPlusCaller, ada: str
) -> None:
    request = alipayplus.send(ada).verify_request_id
    code = code_of(app)
    alipayplus.verify(ada, request, code)
    page = app.test_client().get("/operator").text
    events = words_of(page[page.index('id="events"') : page.index('id="user-title"')])
    assert "a… SA…4124" in events
    for secret in ("ada", CLIENT_ID, code, "+63", ada):
        assert secret not in events


@pytest.mark.parametrize("verb", ["look_up", "unlock"])
def test_a_store_that_does_not_answer_is_told(
    app: Flask, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(type(state_of(app).store), verb, fail)
    if verb == "look_up":
        answer = app.test_client().get("/operator?user=ada")
        assert answer.status_code == 503
        assert "The store does not answer" in answer.text
    else:
        assert "The store did not answer" in unlock(app, "ada")


def test_old_events_make_room_for_new_ones(app: Flask, alipayplus: AlipayPlusCaller) -> None:
    for _ in range(statistics.EVENTS + 3):
        alipayplus.send("nonsense")
    page = look(app)
    assert "TOKEN_INVALID the access token" in page
    events = page[page.index("Recent events") : page.index("One user")]
    assert events.count("INVALID_TOKEN") == statistics.EVENTS


def test_a_name_of_a_user_is_text_on_the_page(app: Flask) -> None:
    page = app.test_client().get("/operator", query_string={"user": "<script>x"}).text
    assert "<script>x" not in page


@pytest.mark.parametrize(
    ("count", "rank", "expected"),
    [(1, 50, 1), (1, 99, 1), (100, 50, 50), (100, 95, 95), (100, 99, 99), (3, 50, 2), (20, 99, 20)],
)
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(
    count: int, rank: int, expected: float
) -> None:
    assert percentile(range(1, count + 1), rank) == expected


def latencies(*milliseconds: float) -> list[Latency]:
    begin = datetime(2026, 1, 1, 12, tzinfo=UTC)
    return [
        Latency(
            begin + number * timedelta(seconds=15),
            int(value > 0),
            dict.fromkeys((50, 95, 99), value) if value else {},
        )
        for number, value in enumerate(milliseconds)
    ]


def test_a_chart_leaves_gaps_where_nothing_was_measured() -> None:
    (line, *_) = chart(latencies(3, 7, 0, 0, 5)).lines
    assert len(line.points) == 3
    assert re.sub(r"[^ML]", "", line.path) == "MLM"


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (0, ["0", "1", "2", "3", "4"]),
        (7.5, ["0", "2", "4", "6", "8"]),
        (81, ["0", "50", "100", "150", "200"]),
        (4100, ["0", "2000", "4000", "6000", "8000"]),
    ],
)
def test_a_chart_has_a_round_scale_and_all_points_in_it(highest: float, labels: list[str]) -> None:
    drawn = chart(latencies(1, highest, highest / 3))
    assert [label for _, label in drawn.ticks] == labels
    for x, y in drawn.lines[0].points:
        assert 0 < x < WIDTH
        assert 0 < y < HEIGHT
