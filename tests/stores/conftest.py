"""Mark the slow claims of the store contract: the contract itself has no markers of ours."""

from __future__ import annotations

import pytest

_AGREEMENT = "test_a_store_agrees_with_the_rules_whatever_is_asked"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark races between processes, and the agreement of stores that are not in memory."""
    for item in items:
        if "_in_four_processes_" in item.name or (
            item.name == _AGREEMENT and "test_memory" not in item.nodeid
        ):
            item.add_marker(pytest.mark.slow)
