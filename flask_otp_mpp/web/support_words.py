"""What support finds and does, in words for people and as JSON for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any, Final

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.limits import ClientLimits
from flask_otp_mpp.core.reasons import FOREVER
from flask_otp_mpp.core.user_state import (
    CodeStatus,
    NextSend,
    RecentEvent,
    SentCode,
    Unlocked,
    UserState,
    Wait,
)

_CHANNELS: Final = {Channel.MOBILE: "by SMS", Channel.EMAIL: "by e-mail", None: "on some channel"}
_NOTHING: Final = (
    "Nothing is stored of this user: no code was sent, or not for a long time, or the user has "
    "another name. A code may be sent now."
)


def in_words(state: UserState, recent: Sequence[RecentEvent] = ()) -> list[str]:
    """Return lines that tell whether a user may be sent a code, and how the last ones ended.

    Times are UTC; one of another day than that of the state is written with its date.
    """
    today = state.at.astimezone(UTC).date()
    lines = [f"It is {state.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC."]
    lines += [_NOTHING] if state.is_empty else _state_lines(state, today)
    if recent:
        lines += ["Recent events:", *(f"  {_time(one.at, today)} {one.text}" for one in recent)]
    return lines


def _state_lines(state: UserState, today: date) -> Iterator[str]:
    if state.disabled:
        yield "OTP is disabled for this user: too many wrong codes. Only an unlock ends that."
    locks = [one for one in state.clients if one.locked_until is not None]
    yield from (f"Locked at {_lock(one, today)}." for one in locks)
    if not state.disabled and not locks:
        yield "Not locked."
    if state.failures or state.clients:
        places = ", ".join(
            f"{one.failures} at {one.client}{' since the lock' if one.locks else ''}"
            for one in state.clients
            if one.failures
        )
        behind = f" ({places})" if places else ""
        yield f"{_count(state.failures, 'wrong code')} since the last right one{behind}."
    for following in state.next_sends:
        yield _next_send(following, today)
    if state.sends:
        last = max(state.sends, key=lambda one: one.at)
        yield (
            f"Last send: {_time(last.at, today)} {_CHANNELS[last.channel]} for {last.client}; "
            f"{_count(len(state.sends), 'send')} counted."
        )
    if state.codes:
        yield "Codes:"
        yield from (f"  {_sent_code(code, today)}" for code in state.codes)


def _next_send(following: NextSend, today: date) -> str:
    place = f"{_CHANNELS[following.channel]} for {following.client}"
    if following.wait is None or following.at is None:
        return f"May be sent a code {place} now."
    if following.wait is Wait.DISABLED:
        return f"May not be sent a code {place}."
    return f"May be sent a code {place} at {_time(following.at, today)} ({following.wait})."


def _sent_code(code: SentCode, today: date) -> str:
    client = "" if code.client is None else f" for {code.client}"
    until = _time(code.until, today)
    status = {
        CodeStatus.OPEN: f"open until {until}",
        CodeStatus.USED: f"entered right at {until}",
        CodeStatus.REPLACED: f"replaced by a newer code at {until}",
        CodeStatus.NOT_DELIVERED: f"not delivered, closed at {until}",
        CodeStatus.TRIES_SPENT: "its tries are used up",
        CodeStatus.EXPIRED: f"expired at {until}",
    }[code.status]
    tries = f"{code.attempts} of {code.tries} tries used"
    return f"{_time(code.sent_at, today)} {_CHANNELS[code.channel]}{client}: {status}, {tries}"


def unlocked_in_words(done: Unlocked, client: str | None, *, quota: bool, now: datetime) -> str:
    """Return what an unlock has changed.

    :param client: at which client it was to be; None for all.
    :param quota: whether counted sends were to be forgotten, too.
    """
    place = "" if client is None else f" at {client}"
    if not done.changed:
        nothing = "no lock, failures or counted sends" if quota else "no lock or failures"
        return f"The user had {nothing}{place}."
    today = now.astimezone(UTC).date()
    changes = [f"the lock at {_lock(one, today)}" for one in done.locks]
    if done.failures:
        changes.append(_count(done.failures, "wrong code"))
    if done.sends:
        changes.append(_count(done.sends, "counted send"))
    what = ", ".join(changes) or "an earlier lock"
    return f"The user is unlocked{place}. Forgotten: {what}."


def as_json(state: UserState, recent: Sequence[RecentEvent] = ()) -> dict[str, Any]:
    """Return a state as JSON has it, with the words for people under ``words``."""
    return {
        **plain(asdict(state)),
        "recent": [plain(asdict(one)) for one in recent],
        "words": in_words(state, recent),
    }


def plain(value: Any) -> Any:
    """Return a value with times as text; FOREVER is the text "unlock", which is what ends it."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return "unlock" if value == FOREVER else f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return value


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _lock(entry: ClientLimits, today: date) -> str:
    until = "" if entry.locked_until is None else f" until {_time(entry.locked_until, today)}"
    return f"{entry.client}{until}"


def _time(at: datetime, today: date) -> str:
    at = at.astimezone(UTC)
    return f"{at:%H:%M:%S}" if at.date() == today else f"{at:%Y-%m-%d %H:%M:%S}"
