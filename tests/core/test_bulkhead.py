"""Deliveries that hang hold some places; quick ones all come through."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_otp_mpp.core import bulkhead
from flask_otp_mpp.core.bulkhead import Bulkhead, Full, deliveries
from flask_otp_mpp.core.reasons import Reason

PLACES = 2


def outcome(places: Bulkhead, deliver: threading.Event | float) -> Reason | None:
    try:
        with places:
            if isinstance(deliver, float):
                time.sleep(deliver)
            else:
                assert deliver.wait(30)
    except Full:
        return Reason.OVERLOADED
    return None


def test_deliveries_that_hang_hold_no_more_than_their_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """O7: the others are refused, at once when nothing has moved for a while."""
    monkeypatch.setattr(bulkhead, "MOVING_SECONDS", 0.3)
    places, answers = deliveries(PLACES), threading.Event()
    with ThreadPoolExecutor(8) as pool:
        hung = [pool.submit(outcome, places, answers) for _ in range(8)]
        time.sleep(0.7)
        refused = [one.result() for one in hung if one.done()]
        assert refused == [Reason.OVERLOADED] * (8 - PLACES)
        begin = time.monotonic()
        assert outcome(places, answers) is Reason.OVERLOADED
        assert time.monotonic() - begin < 0.25
        answers.set()
    assert [one.result() for one in hung].count(None) == PLACES
    assert outcome(places, answers) is None


def test_a_crowd_of_quick_deliveries_comes_through() -> None:
    """O7: each waits for its turn."""
    places = deliveries(PLACES)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: outcome(places, 0.01), range(32)))
    assert found == [None] * 32


def test_a_place_is_left_however_a_delivery_ends() -> None:
    places = deliveries(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), places:
            raise ZeroDivisionError
    assert outcome(places, 0.0) is None
