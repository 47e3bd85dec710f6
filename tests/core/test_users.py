"""A user is named by what users usually have, unless a hook names them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from flask_otp_mpp.core.users import identity_of

NUMBER = UUID("00000000-0000-0000-0000-000000000007")


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("alice", "alice"),
        (SimpleNamespace(id=7), "7"),
        (SimpleNamespace(id=0), "0"),
        (SimpleNamespace(id="u-7"), "u-7"),
        (SimpleNamespace(id=NUMBER), str(NUMBER)),
        # Flask-Login's get_id() may change with the password, and a lock would end by that.
        (SimpleNamespace(id=7, get_id=lambda: "of this password"), "7"),
        (SimpleNamespace(get_id=lambda: "seven"), "seven"),
        (SimpleNamespace(id=None, get_id=lambda: 7), "7"),
        (SimpleNamespace(id=7, get_id="not a method"), "7"),
    ],
)
def test_a_user_without_a_hook_is_named_as_a_text_by_id_or_by_get_id(user: Any, name: str) -> None:
    """A2: by what stays the same."""
    assert identity_of(user) == name


@pytest.mark.parametrize(
    "user",
    [
        None,
        7,
        b"alice",
        SimpleNamespace(id=None),
        SimpleNamespace(get_id=lambda: None),
        SimpleNamespace(id=True),
        SimpleNamespace(id=b"7"),
        SimpleNamespace(id=lambda: 7),
        SimpleNamespace(id=7.0),
    ],
)
def test_a_user_with_no_name_needs_a_hook(user: Any) -> None:
    """A2: nobody shares the limits of a user called None."""
    with pytest.raises(TypeError, match=r"register @otp\.user_identity"):
        identity_of(user)
