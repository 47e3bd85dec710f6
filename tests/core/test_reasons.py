"""A refusal says why in its own words, until when if that is known, and never too much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.core.reasons import Outcome, Reason, Refused, catch_refusal, refuse

END = datetime(2026, 1, 1, 12, 30, 15, 999_999, tzinfo=UTC)


def test_refuse_raises_what_it_was_given() -> None:
    with pytest.raises(Refused) as caught:
        refuse(Reason.USER_ABNORMAL, "frozen", END)
    refused = caught.value
    assert (refused.reason, refused.detail, refused.until) == (
        Reason.USER_ABNORMAL,
        "frozen",
        END,
    )
    assert refused.outcome == Outcome("", Reason.USER_ABNORMAL, "frozen", END)


def test_a_refusal_is_caught_as_a_value_and_nothing_else_is() -> None:
    refused = catch_refusal(refuse, Reason.USER_ABNORMAL, "frozen", until=END)
    assert refused == Outcome("", Reason.USER_ABNORMAL, "frozen", END)
    assert catch_refusal(int, "12", base=3) == 5
    with pytest.raises(ZeroDivisionError):
        catch_refusal(divmod, 1, 0)


@pytest.mark.parametrize(
    ("refused", "explanation"),
    [
        (Outcome(reason=Reason.SEND_LIMITED), ""),
        (Outcome(reason=Reason.SEND_LIMITED, detail="Wait."), "Wait."),
        (Outcome(reason=Reason.SEND_LIMITED, until=END), "Not before 2026-01-01T12:30:15Z."),
        (
            Outcome(reason=Reason.SEND_LIMITED, detail="Wait.", until=END),
            "Wait. Not before 2026-01-01T12:30:15Z.",
        ),
    ],
)
def test_a_refusal_tells_its_end(refused: Outcome, explanation: str) -> None:
    """A5: the end of a lock is told to the caller."""
    assert refused.explain() == explanation


def test_an_end_is_told_in_utc() -> None:
    local = END.astimezone(timezone(timedelta(hours=8)))
    assert "T12:30:15Z" in Outcome(reason=Reason.USER_LOCKED, until=local).explain()


def test_a_long_detail_of_a_host_leaves_space_for_the_end() -> None:
    explanation = Outcome("", Reason.USER_LOCKED, "x" * 1000, END).explain()
    assert explanation == "x" * 200 + " Not before 2026-01-01T12:30:15Z."


def test_every_reason_states_a_condition_of_its_own() -> None:
    """Two reasons with one value would be one reason with two names."""
    assert len({reason.value for reason in Reason}) == len(Reason.__members__)


def test_the_default_clock_is_aware_utc() -> None:
    before = datetime.now(UTC)
    now = utc_now()
    assert now.tzinfo is UTC
    assert before <= now <= datetime.now(UTC)
