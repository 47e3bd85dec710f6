"""Tools for tests: an inbox for messages, a clock that is set by hand, and the contract of stores.

:func:`override` gives an inbox and a clock to the apps that a test makes; the fixtures of
``flask_otp_mpp.testing.plugin`` do it for pytest. Public are the names in ``__all__`` and the
fixtures; other modules below this package are not. The suite
(``StoreContract``, ``SharedStoreContract``, ``BackendFaults``) needs pytest and hypothesis, the
extra ``testing``, and is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_otp_mpp.testing.doubles import FrozenClock, Inbox
from flask_otp_mpp.web.overrides import override

if TYPE_CHECKING:
    from flask_otp_mpp.testing.contract import BackendFaults, SharedStoreContract, StoreContract

__all__ = [
    "BackendFaults",
    "FrozenClock",
    "Inbox",
    "SharedStoreContract",
    "StoreContract",
    "override",
]

_SUITES = ("BackendFaults", "SharedStoreContract", "StoreContract")


def __getattr__(name: str) -> Any:
    if name not in _SUITES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from flask_otp_mpp.testing import contract  # noqa: PLC0415 - a host has no pytest
    except ModuleNotFoundError as error:
        missing = f"{name} needs {error.name}: install flask-otp-mpp[testing]"
        raise ImportError(missing, name=error.name) from error
    return getattr(contract, name)
