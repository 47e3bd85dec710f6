"""Answers to callers who have not proven who they are: signed, but only a few in a second.

A signature costs more than all else that a refused request does, and covers the called path, the
client, the time and the body. Whoever varies these could have each answer signed again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias, TypeVar

from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.protocols.values import Inbound
from flask_otp_mpp.signing import rsa256
from flask_otp_mpp.signing.budget import SigningBudget, TokenBucket

REUSE: Final = timedelta(seconds=60)
"""How long a signed answer may be given again, with its time, when signatures are scarce."""
_REMEMBERED: Final = 1024

_Text: TypeAlias = tuple[str, str, str, bytes]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class TimedSignature:
    """The Response-Time of an answer, and the Signature header that covers it."""

    time: str
    moment: datetime
    signature: str


class UnprovenAnswers:
    """Signs answers to unproven callers within a budget.

    An answer that was signed within a minute leaves half of its part of the budget to those that
    were not. So a flood that repeats a few answers, as any on the paths that are served must, does
    not keep a genuine caller from the first signature of another one.

    :param sign: makes the Signature header for what is to be signed.
    :param uris: what a genuine caller calls: public prefix and path.
    """

    def __init__(
        self, sign: Callable[[bytes], str], budget: SigningBudget, uris: Collection[str]
    ) -> None:
        self._sign = sign
        self._budget = budget
        self._uris = frozenset(uris)
        self._lock = threading.Lock()
        self._signed: dict[_Text, TimedSignature] = {}
        self._familiar: dict[tuple[str, str], None] = {}

    def remember(self, client: str, address: str) -> None:
        """Remember from where a client has proven itself: floods come from elsewhere."""
        with self._lock:
            _put(self._familiar, (client, address), None)

    def sign(
        self, inbound: Inbound, reason: Reason | None, client: str, body: bytes, now: datetime
    ) -> TimedSignature | None:
        """Sign an answer, or return the signature of an equal one.

        :param reason: why the request is refused.
        :param client: as the answer names it; empty unless it is a registered one.
        :returns: None if the answer is to have no body: there are no signatures left.
        """
        bucket = self._bucket(inbound, reason, client)
        if bucket is None:
            return None
        text = (inbound.method, inbound.uri, client, body)
        time = now.isoformat(timespec="seconds")
        with self._lock:
            known = self._signed.get(text)
        if known is not None and known.time == time:
            return known
        if known is not None and abs(now - known.moment) > REUSE:
            known = None
        if not bucket.take(leaving=0 if known is None else bucket.size / 2):
            return known
        data = rsa256.canonical(inbound.method, inbound.uri, client, time, body)
        signed = TimedSignature(time, now, self._sign(data))
        with self._lock:
            _put(self._signed, text, signed)
        return signed

    def _bucket(self, inbound: Inbound, reason: Reason | None, client: str) -> TokenBucket | None:
        """Return the part of the budget that an answer is signed from, None for no part."""
        served = inbound.method == "POST" and inbound.uri in self._uris
        if reason is Reason.TRAFFIC_EXCEEDED and not served:
            return None
        if not served or reason is Reason.UNFORESEEN:  # whose answer has a reference of its own
            return self._budget.other
        if (client, inbound.address) in self._familiar:
            return self._budget.familiar
        return self._budget.known


def _put(entries: dict[K, V], key: K, value: V) -> None:
    """Add the newest entry; the oldest one goes if there are too many."""
    entries.pop(key, None)
    entries[key] = value
    if len(entries) > _REMEMBERED:
        del entries[next(iter(entries))]
