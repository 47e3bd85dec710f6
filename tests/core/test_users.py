"""A user is named by what users usually have, unless a hook names them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flask_otp_mpp.core.users import identity_of


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("alice", "alice"),
        (SimpleNamespace(id=7), "7"),
        (SimpleNamespace(id=0), "0"),
        (SimpleNamespace(id=7, get_id=lambda: "seven"), "seven"),
        (SimpleNamespace(id=7, get_id="not a method"), "7"),
    ],
)
def test_a_user_without_a_hook_is_named_by_get_id_id_or_as_a_text(user: Any, name: str) -> None:
    assert identity_of(user) == name


@pytest.mark.parametrize("user", [None, 7, b"alice", SimpleNamespace(id=None)])
def test_a_user_with_no_name_needs_a_hook(user: Any) -> None:
    with pytest.raises(TypeError, match="has no id; register @otp"):
        identity_of(user)
