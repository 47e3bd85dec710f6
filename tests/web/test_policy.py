"""``flask otp-mpp policy``: the policy in force, its odds, and the clauses of the profiles."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp import Channel, Policy, Resend, SendLimit
from flask_otp_mpp.core.policy import DAY
from flask_otp_mpp.core.settings import key_of, settings_of
from flask_otp_mpp.web.cli.chart import bars
from flask_otp_mpp.web.policy_report import (
    BOUNDS,
    DAYS,
    Successes,
    in_words,
    odds_over,
    time_at_one_client,
)
from flask_otp_mpp.web.profiles import RULES
from tests.commands import flask
from tests.core.attack import Attack, guess_all
from tests.web.deployment import PASSWORD, Deployment
from tests.web.test_checks import deployment

__all__ = ["deployment"]  # the fixture


def run_policy(deployment: Deployment, *options: str, status: int = 0) -> str:
    result = flask(deployment, "otp-mpp", "policy", *options)
    assert result.exit_code == status, result.output
    assert PASSWORD not in result.output
    return result.output if status else result.stdout


def test_the_policy_is_told_in_words(deployment: Deployment) -> None:
    """A3, O13: what a code is, how often it is sent, and when a user is locked and disabled."""
    deployment.config.update(
        OTP_MPP_CODE_DIGITS=8,
        OTP_MPP_CODE_LIFE=90,
        OTP_MPP_RESEND="reuse",
        OTP_MPP_SEND_LIMITS="3 per hour; 7 per day",
        OTP_MPP_FIRST_LOCK=5400,
    )
    told = " ".join(run_policy(deployment).split())
    for text in (
        "A code has 8 digits, is accepted for 1 minute 30 seconds and has 5 tries; a new send "
        "sends the open code again",
        "One client may send 3 per hour; 7 per day, 45 seconds apart, to one user and channel; all "
        "clients together 6 per hour; 14 per day.",
        "10 wrong codes in a row at one client lock the user there for 1 hour 30 minutes; each "
        "further lock is twice as long, 1 day at most.",
        "50 wrong codes in a row at all clients disable OTP for the user",
        "With no right code by the user, at most 50 wrong codes are compared in a day: a chance of "
        "1 in 2,000,000, or 5e-05 %.",
        "With one right code a day by the user, at most 100 wrong",
        "there is one channel.",
    ):
        assert text in told


def test_the_odds_are_those_of_the_policy(deployment: Deployment) -> None:
    """A3, O13: on the channels that have a sender; as JSON to the last byte."""
    deployment.senders[Channel.EMAIL] = deployment.senders[Channel.MOBILE]
    told = json.loads(run_policy(deployment, "--json"))
    odds = {(one["day"], one["successes"]): (one["guesses"], one["chance"]) for one in told["odds"]}
    policy = Policy()
    assert told["channels"] == 2
    assert odds[1, "none"] == (policy.guesses_a_day(), policy.guess_odds()) == (50, 0.00005)
    assert odds[1, "daily"][0] == policy.guesses_a_day(2, successes=1) == 100
    assert odds[1, "any"][0] == policy.guesses_a_day(2, successes=1000) == 300
    assert odds[30, "none"] == odds[1, "none"]
    assert odds[30, "daily"][0] == 31 * 50
    assert {day for day, _ in odds} == set(DAYS)
    assert told["policy"] == {
        "OTP_MPP_CODE_DIGITS": 6,
        "OTP_MPP_CODE_LIFE": 300,
        "OTP_MPP_CODE_TRIES": 5,
        "OTP_MPP_RESEND": "rotate",
        "OTP_MPP_COOL_DOWN": 45,
        "OTP_MPP_SEND_LIMITS": "5 per 10 minutes; 10 per day",
        "OTP_MPP_USER_SEND_LIMITS": None,
        "OTP_MPP_FAILURE_LIMIT": 10,
        "OTP_MPP_DISABLE_AFTER": 50,
        "OTP_MPP_FIRST_LOCK": 900,
        "OTP_MPP_LONGEST_LOCK": 86400,
        "OTP_MPP_FORGET_AFTER": 86400,
        "OTP_MPP_RETENTION": 86400,
    }
    assert told["one_client_is_locked_for_seconds"] == (15 + 30 + 60 + 120) * 60


@pytest.mark.parametrize(
    ("successes", "unlocks", "reached"),
    [(Successes.NONE, 0, 50), (Successes.DAILY, 1, 200), (Successes.ANY, 100, 600)],
)
def test_an_attack_over_days_stays_within_the_bound(
    successes: Successes, unlocks: int, reached: int
) -> None:
    """A3: forty clients guess for three days; an operator unlocks the user so often each day."""
    policy = Policy()
    attack = Attack(policy)

    def send_and_guess() -> None:
        for client in range(40):
            for channel in Channel:
                attack.send(channel, f"client {client}", f"acquirer {attack.sends}")
        guess_all(attack)

    for _ in range(3):
        left = unlocks
        for _ in range(24):
            send_and_guess()
            while left and attack.limits.failures >= policy.disable_after:
                attack.unlock()
                left -= 1
                send_and_guess()
            attack.wait(timedelta(hours=1))
    bound = odds_over(policy, 3, len(Channel), successes).guesses
    assert reached <= len(attack.wrong) <= bound


@pytest.mark.parametrize(
    ("changed", "locked"),
    [
        ({"failure_limit": 50}, timedelta()),
        ({"failure_limit": 25}, timedelta(minutes=15)),
        ({"failure_limit": 10, "longest_lock": timedelta(minutes=20)}, timedelta(minutes=75)),
    ],
)
def test_one_client_waits_for_its_locks(changed: dict[str, object], locked: timedelta) -> None:
    """A5: as the pure rules lock it."""
    assert time_at_one_client(Policy(**changed)) == locked  # type: ignore[arg-type]


def test_every_clause_of_every_profile_is_listed(deployment: Deployment) -> None:
    """O6, O13: and whether it is met, whichever profile is in force."""
    deployment.config.update(OTP_MPP_PROFILE="nist")
    told = json.loads(run_policy(deployment, "--json"))
    assert told["profile"] == "nist"
    rules = [(profile, rule.clause) for profile, rules in RULES.items() for rule in rules]
    assert [(one["profile"], one["clause"]) for one in told["clauses"]] == rules
    unmet = [one for one in told["clauses"] if one["finding"]]
    assert [(one["key"], one["finding"]) for one in unmet] == [
        ("OTP_MPP_FAILURE_LIMIT", "is 10; set it to 5 or less")
    ]
    words = " ".join(run_policy(deployment).split())
    assert "The profile 'nist' is in force." in words
    assert "psd2: OTP_MPP_FAILURE_LIMIT (RTS (EU) 2018/389, 4(3)(b)): not met: it is 10" in words
    for name, bound in BOUNDS.items():
        assert f"always: {key_of(Policy, name)}: {bound}." in words


def test_a_policy_that_was_passed_is_the_one_that_is_told(deployment: Deployment) -> None:
    """A3: its clauses name what to change."""
    deployment.options["policy"] = Policy(disable_after=20, resend=Resend.REUSE)
    told = json.loads(run_policy(deployment, "--json"))
    assert told["policy"]["OTP_MPP_DISABLE_AFTER"] == 20
    assert "policy=Policy(failure_limit=…)" in {one["key"] for one in told["clauses"]}


def test_a_policy_at_fault_is_an_error(deployment: Deployment) -> None:
    """F2: no odds are told of a policy that is not in force; other faults do not matter."""
    deployment.config["OTP_MPP_PEPPER"] = None
    assert "A code has 6 digits" in run_policy(deployment)
    deployment.config["OTP_MPP_CODE_DIGITS"] = 4
    assert "'OTP_MPP_CODE_DIGITS': 4 is too small" in run_policy(deployment, status=1)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_chart_has_the_width_of_the_terminal(
    columns: int, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O13: a bar for each day, which never falls, of plain characters."""
    module = import_module("flask_otp_mpp.web.cli.policy")  # its command has the same name
    monkeypatch.setattr(module, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run_policy(deployment).splitlines()
    assert [line for line in lines if len(line) > columns] == []
    found = [re.fullmatch(r" *day (\d+) \|(#+)(\+*)(\.*) (\d+) (\d+) (\d+)", one) for one in lines]
    drawn = [one for one in found if one]
    assert [int(one[1]) for one in drawn] == list(DAYS)
    lengths = [len(one[2] + one[3] + one[4]) for one in drawn]
    assert lengths == sorted(lengths)
    assert len(max(lines[-len(DAYS) :], key=len)) == columns


numbers = st.lists(st.integers(0, 10**6), min_size=2, max_size=2).map(sorted)


@given(st.lists(numbers, min_size=1, max_size=8), st.integers(1, 200))
def test_bars_fit_their_width_and_show_what_is_more(rows: list[list[int]], width: int) -> None:
    """O13: a part that is more than nothing has a mark, as far as there is room."""
    lines = bars([(f"row {n}", row) for n, row in enumerate(rows)], "#+", width)
    least = 2 + len("row 0 |") + len(f" {10**6} {10**6}")
    assert all(len(line) <= max(width, least) for line in lines)
    for line, (first, second) in zip(lines, rows, strict=True):
        bar = line.partition("|")[2].partition(" ")[0]
        assert ("#" in bar) >= (first > 0)
        assert line.endswith(f" {first} {second}")


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=90), "1 minute 30 seconds"),
        (DAY, "1 day"),
        (timedelta(days=2, hours=3), "2 days 3 hours"),
    ],
)
def test_a_length_of_time_is_told_in_words(time: timedelta, words: str) -> None:
    """O13: in the units that people use."""
    assert in_words(time) == words


def test_a_bound_names_a_setting() -> None:
    """O6: of the policy."""
    assert set(BOUNDS) <= set(settings_of(Policy))
    assert Policy(send_limits=(SendLimit(3, DAY),)).guesses_a_day() <= 50
