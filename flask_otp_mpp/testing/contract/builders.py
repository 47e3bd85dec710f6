"""Drafts and attempts as the service makes them, each with an idempotency key of its own."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from flask_otp_mpp.core.challenge import Attempt, Challenge, Channel, Draft
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.policy import Policy, SendLimit
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Outcome, Reason

# With microseconds, so that a store that rounds times fails.
START: Final = datetime(2026, 1, 1, 12, 30, 45, 123_457, UTC)
KEEP: Final = timedelta(minutes=10)
RIGHT: Final = b"\x00right\xff".ljust(32, b"\x80")
WRONG: Final = b"wrong".ljust(32, b"\x80")
CLIENT: Final = "0123456789abcdef"
POLICY: Final = Policy()
# Without a cool-down, so that five sends are allowed at one time.
QUICK: Final = Policy(cool_down=timedelta(), send_limits=(SendLimit(5, timedelta(minutes=10)),))


def request() -> IdempotencyKey:
    return IdempotencyKey(uuid.uuid4().hex, KEEP)


def named(
    name: str | None = None,
    digest: str = "these parameters",
    not_cached: frozenset[Reason] = frozenset(),
) -> IdempotencyKey:
    """Return an idempotency key that was chosen by the caller."""
    return IdempotencyKey(name or uuid.uuid4().hex, KEEP, digest, not_cached)


def draft(
    subject: str = "alice",
    *,
    challenge_id: str | None = None,
    caller: str = "caller",
    client: str = CLIENT,
    channel: Channel = Channel.MOBILE,
    key: IdempotencyKey | None = None,
) -> Draft:
    known = challenge_id or uuid.uuid4().hex
    return Draft(known, subject, caller, client, channel, RIGHT, key or request())


def attempt(
    challenge_id: str,
    *digests: bytes,
    subject: str = "alice",
    caller: str = "caller",
    client: str = CLIENT,
    key: IdempotencyKey | None = None,
) -> Attempt:
    return Attempt(challenge_id, subject, caller, client, digests, key or request())


def opened(
    store: Store,
    subject: str = "alice",
    *,
    caller: str = "caller",
    client: str = CLIENT,
    channel: Channel = Channel.MOBILE,
    policy: Policy = POLICY,
) -> Challenge:
    """Reserve a challenge and settle its delivery as successful."""
    asked = draft(subject, caller=caller, client=client, channel=channel)
    reserved = store.reserve(asked, policy)
    assert isinstance(reserved, Challenge), reserved
    store.settle(asked, Outcome(reserved.id))
    return reserved


def answer(
    store: Store,
    challenge: Challenge,
    *digests: bytes,
    client: str = CLIENT,
    policy: Policy = POLICY,
) -> Reason | None:
    """Spend an attempt for the user and the caller of the challenge; return the reason."""
    subject, caller = challenge.subject, challenge.caller
    asked = attempt(challenge.id, *digests, subject=subject, caller=caller, client=client)
    return store.spend(asked, policy).reason


def refused(
    store: Store,
    subject: str = "alice",
    *,
    caller: str = "caller",
    client: str = CLIENT,
    policy: Policy = POLICY,
) -> Outcome:
    """Reserve a challenge, which must be refused; return the outcome."""
    found = store.reserve(draft(subject, caller=caller, client=client), policy)
    assert isinstance(found, Outcome), found
    return found
