"""Access tokens: they can't be forged, they expire, and they have one scope."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp import Caller
from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.signing.tokens import MAX_TOKEN, SEND_OTP, AccessTokens
from flask_otp_mpp.testing import FrozenClock
from tests.signing.test_rsa256 import text_flips

LIFE = timedelta(hours=1)
SECRET = "a secret that only these tests use"
TOKENS = AccessTokens("a secret of this test, of 32 bytes", LIFE)
CLIENT = "CLIENT_1"
CALLER = Caller("alipayplus", CLIENT)


def mint(tokens: AccessTokens, user_id: str, scopes: Sequence[str] = (SEND_OTP,)) -> str:
    return tokens.mint(user_id, scopes, client=CLIENT)


def reason_for(tokens: AccessTokens, token: str, scope: str = SEND_OTP) -> Reason:
    with pytest.raises(Refused) as caught:
        tokens.load(token, CALLER, scope)
    assert token not in caught.value.detail
    return caught.value.reason


def test_a_token_loads_as_the_user_it_was_made_for() -> None:
    assert TOKENS.load(mint(TOKENS, "u-4711"), CALLER) == "u-4711"
    assert TOKENS.load(mint(TOKENS, "u", ["PAY", "SEND_OTP"]), CALLER) == "u"
    assert TOKENS.load(mint(TOKENS, "u", ["PAY"]), CALLER, "PAY") == "u"


def test_a_token_is_never_longer_than_the_protocols_allow() -> None:
    """They allow 128 characters; a longer token is refused when it is made."""
    user_id = hashlib.sha512(b"an id that does not compress").hexdigest()
    fitting = [length for length in range(1, 128) if _fits(user_id[:length])]
    assert fitting[-1] >= 36  # a UUID
    assert all(len(mint(TOKENS, user_id[:length])) <= MAX_TOKEN == 128 for length in fitting)
    with pytest.raises(ValueError, match="the protocols allow 128"):
        mint(TOKENS, user_id)


def _fits(user_id: str) -> bool:
    try:
        mint(TOKENS, user_id)
    except ValueError:
        return False
    return True


def test_a_token_is_valid_for_its_lifetime_and_not_a_second_longer() -> None:
    clock = FrozenClock()
    tokens = AccessTokens(SECRET, LIFE, clock)
    token = mint(tokens, "u")
    clock.forward(seconds=3600)
    assert tokens.load(token, CALLER) == "u"
    clock.forward(seconds=1)
    assert reason_for(tokens, token) is Reason.TOKEN_EXPIRED


@pytest.mark.parametrize(("ahead", "reason"), [(2, None), (60, None), (61, Reason.TOKEN_EXPIRED)])
def test_a_token_of_a_host_whose_clock_is_ahead_is_valid(ahead: int, reason: Reason | None) -> None:
    """K1: as far as clocks may be apart; one from further ahead is of no use yet."""
    here, there = FrozenClock(), FrozenClock()
    there.forward(seconds=ahead)
    token = mint(AccessTokens(SECRET, LIFE, there), "u")
    tokens = AccessTokens(SECRET, LIFE, here)
    if reason is None:
        assert tokens.load(token, CALLER) == "u"
    else:
        assert reason_for(tokens, token) is reason


def test_a_token_is_checked_in_the_order_signature_scope_expiry() -> None:
    """As "Going live" requires: token, then scope, then expiry, then user."""
    clock = FrozenClock()
    tokens = AccessTokens(SECRET, LIFE, clock)
    token = mint(tokens, "u", ["PAY"])
    forged = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    clock.forward(hours=2)
    assert reason_for(tokens, forged) is Reason.TOKEN_INVALID
    assert reason_for(tokens, token) is Reason.TOKEN_INVALID  # lacks the scope, and is too old
    assert reason_for(tokens, token, "PAY") is Reason.TOKEN_EXPIRED


def test_a_token_uses_the_system_clock_by_default() -> None:
    outdated = AccessTokens(SECRET, LIFE, FrozenClock(datetime.now(UTC) - 2 * LIFE)).mint(
        "u", client=CLIENT
    )
    assert reason_for(AccessTokens(SECRET, LIFE), outdated) is Reason.TOKEN_EXPIRED
    assert AccessTokens(SECRET, 3 * LIFE).load(outdated, CALLER) == "u"


def test_a_token_without_the_scope_says_which_one_it_lacks() -> None:
    with pytest.raises(Refused, match="lacks the scope SEND_OTP"):
        TOKENS.load(mint(TOKENS, "u", ["PAY"]), CALLER)


def test_no_character_of_a_token_can_be_changed() -> None:
    token = mint(TOKENS, "u-4711")
    decoded = [flipped for flipped in text_flips(token) if flipped.isascii()]
    assert len(decoded) > 300
    # The last character of base64 holds loose bits that itsdangerous does not look at.
    accepted = {flipped[:-1] for flipped in decoded if _loads(flipped)}
    assert accepted <= {token[:-1]}


def _loads(token: str) -> bool:
    try:
        TOKENS.load(token, CALLER)
    except Refused:
        return False
    return True


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=128))
def test_any_other_text_is_refused_as_an_invalid_token(text: str) -> None:
    assert reason_for_text(text) is Reason.TOKEN_INVALID


def reason_for_text(text: str) -> Reason | None:
    try:
        TOKENS.load(text, CALLER)
    except Refused as refusal:
        return refusal.reason
    return None


def test_a_secret_is_rotated_without_a_failed_request() -> None:
    """K1: the newest secret signs, the older ones still verify."""
    newer = SECRET[::-1]
    old = AccessTokens(SECRET, LIFE)
    both = AccessTokens([SECRET, newer], LIFE)
    new = AccessTokens(newer, LIFE)
    assert both.load(mint(old, "u"), CALLER) == "u"
    assert new.load(mint(both, "u"), CALLER) == "u"
    assert reason_for(old, mint(both, "u")) is Reason.TOKEN_INVALID
    assert reason_for(new, mint(old, "u")) is Reason.TOKEN_INVALID


@pytest.mark.parametrize("scope", [SEND_OTP, "PAY"])
def test_a_token_is_valid_for_the_client_for_which_it_was_made(scope: str) -> None:
    """C1: another client that has seen it can't use it, nor learn whether it is still in time."""
    other = Caller("alipayplus", "CLIENT_2")
    clock = FrozenClock()
    tokens = AccessTokens(SECRET, LIFE, clock)
    token = tokens.mint("u", client="CLIENT_2")
    assert tokens.load(token, other) == "u"
    assert reason_for(tokens, token, scope) is Reason.TOKEN_INVALID
    clock.forward(hours=2)
    assert reason_for(tokens, token, scope) is Reason.TOKEN_INVALID


@pytest.mark.parametrize(
    "secret", ["", "x" * 31, [], ["x" * 32, "short"], "\N{SNOWMAN}" * 10], ids=str
)
def test_a_short_secret_is_refused(secret: str | list[str]) -> None:
    """G12: it must not be easier to guess than the HMAC that it keys."""
    with pytest.raises(ValueError, match="32 bytes or more") as caught:
        AccessTokens(secret, LIFE)
    assert not secret or "short" not in str(caught.value)
    assert AccessTokens("\N{SNOWMAN}" * 11, LIFE)


def test_a_token_from_before_it_named_a_client_is_invalid() -> None:
    """C1: it was signed for nobody in particular."""
    old = TOKENS._serializer.dumps(["u", SEND_OTP], salt="flask-otp-mpp.access-token")
    assert reason_for(TOKENS, str(old)) is Reason.TOKEN_INVALID
