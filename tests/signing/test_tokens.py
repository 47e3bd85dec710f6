"""Access tokens: they can't be forged, they expire, and they have one scope."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_otp_mpp.core.reasons import Reason, Refused
from flask_otp_mpp.signing.tokens import MAX_TOKEN, SEND_OTP, AccessTokens
from flask_otp_mpp.testing import FrozenClock
from tests.signing.test_rsa256 import text_flips

LIFE = timedelta(hours=1)
TOKENS = AccessTokens("a secret of this test", LIFE)


def reason_for(tokens: AccessTokens, token: str, scope: str = SEND_OTP) -> Reason:
    with pytest.raises(Refused) as caught:
        tokens.load(token, scope)
    assert token not in caught.value.detail
    return caught.value.reason


def test_a_token_loads_as_the_user_it_was_made_for() -> None:
    assert TOKENS.load(TOKENS.mint("u-4711")) == "u-4711"
    assert TOKENS.load(TOKENS.mint("u", ["PAY", "SEND_OTP"])) == "u"
    assert TOKENS.load(TOKENS.mint("u", ["PAY"]), "PAY") == "u"


def test_a_token_is_never_longer_than_the_protocols_allow() -> None:
    """They allow 128 characters; a longer token is refused when it is made."""
    user_id = hashlib.sha512(b"an id that does not compress").hexdigest()
    fitting = [length for length in range(1, 128) if _fits(user_id[:length])]
    assert fitting[-1] >= 36  # a UUID
    assert all(len(TOKENS.mint(user_id[:length])) <= MAX_TOKEN == 128 for length in fitting)
    with pytest.raises(ValueError, match="the protocols allow 128"):
        TOKENS.mint(user_id)


def _fits(user_id: str) -> bool:
    try:
        TOKENS.mint(user_id)
    except ValueError:
        return False
    return True


def test_a_token_is_valid_for_its_lifetime_and_not_a_second_longer() -> None:
    clock = FrozenClock()
    tokens = AccessTokens("secret", LIFE, clock)
    token = tokens.mint("u")
    clock.forward(seconds=3600)
    assert tokens.load(token) == "u"
    clock.forward(seconds=1)
    assert reason_for(tokens, token) is Reason.TOKEN_EXPIRED


def test_a_token_is_checked_in_the_order_signature_scope_expiry() -> None:
    """As "Going live" requires: token, then scope, then expiry, then user."""
    clock = FrozenClock()
    tokens = AccessTokens("secret", LIFE, clock)
    token = tokens.mint("u", ["PAY"])
    forged = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    clock.forward(hours=2)
    assert reason_for(tokens, forged) is Reason.TOKEN_INVALID
    assert reason_for(tokens, token) is Reason.TOKEN_INVALID  # lacks the scope, and is too old
    assert reason_for(tokens, token, "PAY") is Reason.TOKEN_EXPIRED


def test_a_token_uses_the_system_clock_by_default() -> None:
    outdated = AccessTokens("secret", LIFE, FrozenClock(datetime.now(UTC) - 2 * LIFE)).mint("u")
    assert reason_for(AccessTokens("secret", LIFE), outdated) is Reason.TOKEN_EXPIRED
    assert AccessTokens("secret", 3 * LIFE).load(outdated) == "u"


def test_a_token_without_the_scope_says_which_one_it_lacks() -> None:
    with pytest.raises(Refused, match="lacks the scope SEND_OTP"):
        TOKENS.load(TOKENS.mint("u", ["PAY"]))


def test_no_character_of_a_token_can_be_changed() -> None:
    token = TOKENS.mint("u-4711")
    decoded = [flipped for flipped in text_flips(token) if flipped.isascii()]
    assert len(decoded) > 300
    # The last character of base64 holds loose bits that itsdangerous does not look at.
    accepted = {flipped[:-1] for flipped in decoded if _loads(flipped)}
    assert accepted <= {token[:-1]}


def _loads(token: str) -> bool:
    try:
        TOKENS.load(token)
    except Refused:
        return False
    return True


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=128))
def test_any_other_text_is_refused_as_an_invalid_token(text: str) -> None:
    assert reason_for_text(text) is Reason.TOKEN_INVALID


def reason_for_text(text: str) -> Reason | None:
    try:
        TOKENS.load(text)
    except Refused as refusal:
        return refusal.reason
    return None


def test_a_secret_is_rotated_without_a_failed_request() -> None:
    """K1: the newest secret signs, the older ones still verify."""
    old = AccessTokens("old", LIFE)
    both = AccessTokens(["old", "new"], LIFE)
    new = AccessTokens("new", LIFE)
    assert both.load(old.mint("u")) == "u"
    assert new.load(both.mint("u")) == "u"
    assert reason_for(old, both.mint("u")) is Reason.TOKEN_INVALID
    assert reason_for(new, old.mint("u")) is Reason.TOKEN_INVALID
