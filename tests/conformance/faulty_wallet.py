"""The right wallet with one fault, served to the kit: each fault must fail its cases, and no other.

The faults stand in :mod:`tests.conformance.faulty`: what answers are like, what is let in, what
bodies and tokens may be, and what the store forgets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

from flask_otp_mpp.signing.budget import TokenBucket
from tests.conformance.endpoints import served
from tests.conformance.faulty import (
    answer_headers,
    answers,
    bodies,
    codes,
    headers,
    leaks,
    races,
    results,
    signatures,
    stores,
    transport,
    users,
)
from tests.conformance.faulty.fault import Fault
from tests.conformance.faulty.layer import LayeredApp

_MODULES: Final = (
    answers,
    answer_headers,
    results,
    leaks,
    signatures,
    headers,
    transport,
    bodies,
    codes,
    users,
    stores,
    races,
)
_NO_TRAFFIC_LIMITS: Final[Mapping[str, Any]] = {
    "OTP_MPP_DELIVERIES": 1_000,
    "OTP_MPP_WAITING_REPEATS": 1_000,
    "OTP_MPP_WAITING_REPEATS_OF_CLIENT": 1_000,
}
"""So that no answer depends on how many others there are at the moment."""
FAULTS: Final = {fault.name: fault for module in _MODULES for fault in module.FAULTS}


class _FullBucket(TokenBucket):
    """Let everything be signed: the runs of all faults are not to wait for signatures."""

    def take(self, leaving: float = 0) -> bool:
        return True


@contextmanager
def served_with(fault: Fault, folder: Path) -> Iterator[Path]:
    """Serve the wallet with a fault; give the kit's file for it."""
    make = fault.layer
    with (
        mock.patch("flask_otp_mpp.signing.budget.TokenBucket", _FullBucket),
        served(
            fault.wire,
            folder,
            make_store=fault.store,
            wrap=None if make is None else lambda app: LayeredApp(app, make()),
            kit=fault.kit,
            **_NO_TRAFFIC_LIMITS,
        ) as file,
    ):
        yield file
