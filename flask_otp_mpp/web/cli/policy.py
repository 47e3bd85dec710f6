"""``flask otp-mpp policy`` tells the policy in force, and the odds of guessing under it."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

import click
from flask.cli import ScriptInfo

from flask_otp_mpp.core.policy import Policy, Resend
from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.web import policy_report as report
from flask_otp_mpp.web.checks import CheckedApp
from flask_otp_mpp.web.cli.chart import bars
from flask_otp_mpp.web.cli.group import echo, echo_json, is_terminal
from flask_otp_mpp.web.cli.options import examples, json_option
from flask_otp_mpp.web.extension import state_of
from flask_otp_mpp.web.policy_report import Successes, in_words, odds_over
from flask_otp_mpp.web.settings import ComplianceSettings, Profile

_WIDTH: Final = 80
_MARKS: Final = {Successes.NONE: "#", Successes.DAILY: "+", Successes.ANY: "."}


@click.command(
    epilog=examples(
        "flask --app wallet otp-mpp policy",
        "flask --app wallet otp-mpp policy --json",
        status="0; 1 if the policy is at fault.",
    )
)
@json_option
@click.pass_context
def policy(context: click.Context, as_json: bool) -> None:
    """Print the policy in force, and the odds of guessing under it.

    The odds are bounds for one user: no strategy of those who can present codes in the user's name
    exceeds them, whatever they send, guess and wait, at any number of clients. The clauses are
    those of OTP_MPP_PROFILE, and of the profile that is not chosen.
    """
    app = context.ensure_object(ScriptInfo).load_app()
    checked = CheckedApp(app, state_of(app))
    if as_json:
        echo_json(_as_json(checked))
        return
    width = shutil.get_terminal_size().columns if is_terminal() else _WIDTH
    for part in _parts(checked, width):
        echo(part)


def _channels(checked: CheckedApp) -> int:
    return max(1, len(checked.hooks.senders))


def _as_json(checked: CheckedApp) -> dict[str, object]:
    policy, channels = checked.state.policy, _channels(checked)
    return {
        "policy": report.values_of(policy),
        "channels": channels,
        "one_client_is_locked_for_seconds": report.time_at_one_client(policy).total_seconds(),
        "odds": [
            {"day": day, "successes": successes, "guesses": odds.guesses, "chance": odds.chance}
            for day in report.DAYS
            for successes in Successes
            for odds in [odds_over(policy, day, channels, successes)]
        ],
        "profile": checked.settings(ComplianceSettings).profile,
        "clauses": [
            {"profile": one.profile, "clause": one.clause, "key": one.key, "finding": one.finding}
            for one in report.clauses_of(checked.configuration)
        ],
    }


def _parts(checked: CheckedApp, width: int) -> Iterator[str]:
    policy, channels = checked.state.policy, _channels(checked)
    yield _section("Policy", _rules_in_words(policy), width)
    yield _section("Odds", _odds_in_words(policy, channels), width)
    yield _section("Clauses", _clauses_in_words(checked), width)
    yield _chart(policy, channels, width)


def _section(head: str, paragraphs: Sequence[str], width: int) -> str:
    wrapped = [
        textwrap.fill(
            text,
            max(width, 20),
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for text in paragraphs
    ]
    return "\n".join((head, *wrapped, ""))


def _rules_in_words(policy: Policy) -> list[str]:
    own, all_ = (
        "; ".join(map(report.limit_in_words, limits))
        for limits in (policy.send_limits, policy.overall_send_limits)
    )
    again = {
        Resend.ROTATE: "a new send closes the open code",
        Resend.REUSE: "a new send sends the open code again, with its tries and end as they are",
    }
    locks = (
        f"{policy.failure_limit} wrong codes in a row at one client lock the user there for "
        f"{in_words(policy.first_lock)}; each further lock is twice as long, "
        f"{in_words(policy.longest_lock)} at most."
    )
    return [
        f"A code has {policy.digits} digits, is accepted for {in_words(policy.life)} and has "
        f"{policy.tries} tries; {again[policy.resend]}.",
        f"One client may send {own}, {in_words(policy.cool_down)} apart, to one user and channel; "
        f"all clients together {all_}.",
        locks,
        f"{policy.disable_after} wrong codes in a row at all clients disable OTP for the user, "
        "until `flask otp-mpp unlock`.",
        f"What is counted at a client is forgotten after {in_words(policy.forget_after)} of quiet; "
        f"a closed challenge is kept for {in_words(policy.retention)}.",
    ]


def _odds_in_words(policy: Policy, channels: int) -> list[str]:
    texts = []
    for successes in Successes:
        odds = odds_over(policy, 1, channels, successes)
        texts.append(
            f"With {successes.words} by the user, at most {odds.guesses} wrong codes are compared "
            f"in a day: a chance of {odds.words}."
        )
    many = f"codes can be sent on {channels} channels" if channels > 1 else "there is one channel"
    return [
        *texts,
        f"This holds for one user and all clients together; {many}. A single client is locked for "
        f"{in_words(report.time_at_one_client(policy))} before it has {policy.disable_after} "
        "guesses.",
    ]


def _clauses_in_words(checked: CheckedApp) -> list[str]:
    in_force = checked.settings(ComplianceSettings).profile
    texts = [
        "No profile is in force (OTP_MPP_PROFILE)."
        if in_force is Profile.NONE
        else f"The profile {in_force.value!r} is in force.",
        *(f"always: {key_of(Policy, name)}: {bound}." for name, bound in report.BOUNDS.items()),
    ]
    for one in report.clauses_of(checked.configuration):
        met = f"not met: it {one.finding}" if one.finding else "met"
        texts.append(f"{one.profile.value}: {one.key} ({one.clause}): {met}.")
    return texts


def _chart(policy: Policy, channels: int, width: int) -> str:
    rows = [
        (
            f"day {day}",
            [odds_over(policy, day, channels, successes).guesses for successes in Successes],
        )
        for day in report.DAYS
    ]
    head = "Wrong codes compared at most until the end of a day"
    legend = ", ".join(f"{mark} {successes.words}" for successes, mark in _MARKS.items())
    lines = textwrap.wrap(f"{head}: {legend}", max(width, 20))
    return "\n".join((*lines, *bars(rows, "".join(_MARKS.values()), width)))
