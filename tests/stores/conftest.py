"""Mark claims of the store contract: the contract itself has no markers of ours."""

from __future__ import annotations

import pytest

_NAMES = (
    "test_users_whose_names_look_alike_share_nothing",
    "test_a_user_who_looks_like_a_forgotten_one_is_not_forgotten",
)
_AGREEMENT = "test_a_store_agrees_with_the_rules_whatever_is_asked"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark races between processes, the agreement of stores not in memory, and alike names."""
    for item in items:
        if "_in_four_processes_" in item.name or (
            item.name == _AGREEMENT and "test_memory" not in item.nodeid
        ):
            item.add_marker(pytest.mark.slow)
        if item.name.startswith(_NAMES):
            item.add_marker(pytest.mark.alike(6))
