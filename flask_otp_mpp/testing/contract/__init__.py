"""A store that passes this suite keeps what :class:`flask_otp_mpp.Store` promises."""

import pytest

# pytest shows what was compared only in modules that it knows of before they are imported.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in (
            "agreement",
            "asking",
            "exactness",
            "faults",
            "names",
            "sending",
            "sequences",
            "sharing",
            "suite",
        )
    )
)

from flask_otp_mpp.testing.contract.agreement import Agrees  # noqa: E402 - after the registration
from flask_otp_mpp.testing.contract.faults import BackendFaults  # noqa: E402
from flask_otp_mpp.testing.contract.idempotency import Names  # noqa: E402
from flask_otp_mpp.testing.contract.lookalikes import Exactness  # noqa: E402
from flask_otp_mpp.testing.contract.sending import Sends  # noqa: E402
from flask_otp_mpp.testing.contract.sequences import Attempts  # noqa: E402
from flask_otp_mpp.testing.contract.sharing import Sharing  # noqa: E402
from flask_otp_mpp.testing.contract.suite import Races  # noqa: E402

__all__ = ["BackendFaults", "SharedStoreContract", "StoreContract"]


class StoreContract(Attempts, Sends, Names, Exactness, Races, Agrees):
    """Test a store: inherit, and say in ``make`` how an empty one is made.

    ::

        class TestMyStore(StoreContract):
            def make(self, folder: Path, clock: FrozenClock) -> Store:
                return MyStore(folder / "otp.db", clock)

    ``make(folder, clock)`` returns an **empty** store that judges by ``clock``, which stands still
    until a claim moves it; ``folder`` is the store's own for as long as it lives. It is called
    for each claim, and for each example of the agreement.

    ``restart(store)``, where something survives one, returns what a new process would open.
    ``end(store)`` closes what ``make`` and ``restart`` have opened.

    A store that leaves work to its backend says so: ``compares_in_backend`` where codes are
    compared there, ``expires_in_backend`` where it deletes what is over by itself.

    ``agreement`` are the settings of hypothesis for the comparison with the rules of the core.
    """


class SharedStoreContract(StoreContract, Sharing):
    """Test a store that several processes can share: say in ``opener`` how each one opens it.

    ``opener(store)`` returns something that can be pickled, and that opens in another process what
    ``store`` has open, with the same clock: a :func:`functools.partial` of a class, with a
    :class:`~flask_otp_mpp.testing.FrozenClock`, is such a thing.
    """
