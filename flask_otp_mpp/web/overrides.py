"""What tests put in the place of senders and clock, for the apps that are initialised meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.service import Sender
from flask_otp_mpp.web.hooks import Hooks


@dataclass(frozen=True, slots=True)
class _Overrides:
    inbox: Sender | None = None
    clock: Clock | None = None


_in_force = _Overrides()


@contextmanager
def override(*, inbox: Sender | None = None, clock: Clock | None = None) -> Iterator[None]:
    """Give the apps that are initialised inside the ``with`` block another sender and clock.

    It holds for every ``OtpMpp`` and every thread. Such an app keeps both after the block; apps
    that were initialised before do not change. Blocks may be nested: what the inner one leaves out
    is that of the outer one.

    :param inbox: takes the place of all senders, such as an :class:`Inbox`. A channel without a
        sender stays without.
    :param clock: the time, such as a :class:`FrozenClock`; it takes the place of ``OtpMpp``'s. A
        store that was passed to ``OtpMpp``, and a database server, have a clock of their own.
    """
    global _in_force  # noqa: PLW0603 - the factory of a host calls init_app without arguments
    before = _in_force
    _in_force = _Overrides(
        before.inbox if inbox is None else inbox, before.clock if clock is None else clock
    )
    try:
        yield
    finally:
        _in_force = before


def clock_in_force(usual: Clock) -> Clock:
    """Return the clock of an app that is initialised now."""
    return usual if _in_force.clock is None else _in_force.clock


def hooks_in_force(usual: Hooks) -> Hooks:
    """Return the hooks of an app that is initialised now."""
    if _in_force.inbox is None:
        return usual
    senders: dict[Any, Any] = dict.fromkeys(usual.senders, _in_force.inbox)
    return replace(usual, senders=senders)
