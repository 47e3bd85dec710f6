"""The contract of a store, as tests: what :class:`flask_otp_mpp.Store` promises."""

import pytest

# pytest shows the compared values of an assertion only in modules that are registered before.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in (
            "agreement",
            "builders",
            "erasure",
            "faults",
            "idempotency",
            "limits",
            "lookalikes",
            "operators",
            "sending",
            "sequences",
            "sharing",
            "suite",
        )
    )
)

from flask_otp_mpp.testing.contract.agreement import AgreementTests  # noqa: E402
from flask_otp_mpp.testing.contract.erasure import ErasureTests  # noqa: E402
from flask_otp_mpp.testing.contract.faults import BackendFaults  # noqa: E402
from flask_otp_mpp.testing.contract.idempotency import IdempotencyTests  # noqa: E402
from flask_otp_mpp.testing.contract.limits import LimitTests  # noqa: E402
from flask_otp_mpp.testing.contract.lookalikes import LookalikeTests  # noqa: E402
from flask_otp_mpp.testing.contract.operators import OperatorTests  # noqa: E402
from flask_otp_mpp.testing.contract.sending import SendTests  # noqa: E402
from flask_otp_mpp.testing.contract.sequences import AttemptTests  # noqa: E402
from flask_otp_mpp.testing.contract.sharing import ProcessRaceTests  # noqa: E402
from flask_otp_mpp.testing.contract.suite import ThreadRaceTests  # noqa: E402

__all__ = ["BackendFaults", "SharedStoreContract", "StoreContract"]


class StoreContract(
    AttemptTests,
    LimitTests,
    SendTests,
    IdempotencyTests,
    ErasureTests,
    OperatorTests,
    LookalikeTests,
    ThreadRaceTests,
    AgreementTests,
):
    """The tests that every store must pass: inherit, and return an empty store in ``make``.

    ::

        class TestMyStore(StoreContract):
            def make(self, folder: Path, clock: FrozenClock) -> Store:
                return MyStore(folder / "otp.db", clock)

    ``make(folder, clock)`` returns an **empty** store whose time is ``clock``, which only a test
    moves; ``folder`` is an empty folder for this store alone. It is called for each test, and for
    each example of the comparison with the rules.

    ``restart(store)`` returns what a new process would open, if the store survives a restart.
    ``end(store)`` closes what ``make`` and ``restart`` have opened.

    Set ``compares_in_backend`` to True if codes are compared in a backend, and
    ``expires_in_backend`` if the backend itself deletes what has expired.

    ``agreement`` holds the settings of hypothesis for the comparison with the rules of the core.
    """


class SharedStoreContract(StoreContract, ProcessRaceTests):
    """The tests of a store that several processes can share: inherit, and implement ``opener``.

    ``opener(store)`` returns a callable that can be pickled. Another process calls it to open the
    same store with the same clock. A ``functools.partial`` of a class with a
    :class:`~flask_otp_mpp.testing.FrozenClock` is such a callable.
    """
