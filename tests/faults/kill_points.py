"""Points of a request at which the process kills itself by SIGKILL, as in a power cut.

The package knows nothing of them: they are in the store that it is given, in the hook that
delivers, and before an answer is signed. A file names the point that is armed. The process that
reaches it removes the file first, so that the next worker is not killed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import redis

from flask_otp_mpp import AlipayPlus, SQLAlchemyStore
from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.protocols.values import Outbound, RequestContext
from flask_otp_mpp.stores.redis.connections import RenewedConnection
from flask_otp_mpp.stores.redis.store import RedisStore
from tests.stores.drivers import before_each_batch

SEND_POINTS: Final = (
    "before-reserve",
    "in-reserve",
    "after-reserve",
    "before-outbox",
    "after-outbox",
    "before-settle",
    "in-settle",
    "after-settle",
    "before-signing",
)
VERIFY_POINTS: Final = ("before-spend", "in-spend", "after-spend", "before-signing")


class KillPoints:
    """Kill this process when it reaches the point that the file names."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def arm(self, point: str) -> None:
        self._file.write_text(point)

    @property
    def armed(self) -> bool:
        return self._file.exists()

    def reached(self, point: str) -> None:
        if self._file.exists() and self._file.read_text() == point:
            self._file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def around(self, verb: str) -> Iterator[None]:
        self.reached(f"before-{verb}")
        yield
        self.reached(f"after-{verb}")


class StoreWithKillPoints:
    """Wrap a store: points before, in and after each method that a request calls."""

    def __init__(self, store: Store, kill_points: KillPoints) -> None:
        self._store = store
        self._kill_points = kill_points
        self._verb = ""
        if isinstance(store, SQLAlchemyStore):
            self._stop_before_commits(store)
        if isinstance(store, RedisStore) and isinstance(store.client, redis.Redis):
            store.client.connection_pool.connection_class = self._connection_class(kill_points)

    def _stop_before_commits(self, store: SQLAlchemyStore) -> None:
        """Add a point where the row is locked, all is decided, and nothing is committed."""

        def act(_driver: object, text: str) -> None:
            if text.endswith("COMMIT"):
                self._kill_points.reached(f"in-{self._verb}")

        before_each_batch(store.engine, act)

    def _connection_class(self, kill_points: KillPoints) -> type[RenewedConnection]:
        wrapped = self

        class KillPointConnection(RenewedConnection):
            """Add a point where a script was sent and its answer was not read."""

            def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
                super().send_packed_command(*args, **kwargs)
                if b"EVALSHA" in b"".join(args[0]):
                    kill_points.reached(f"in-{wrapped._verb}")

        return KillPointConnection

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        with self._kill_points.around(self._enter("reserve")):
            return self._store.reserve(draft, policy)

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        with self._kill_points.around(self._enter("settle")):
            self._store.settle(draft, outcome)

    def spend(self, claim: Attempt, policy: Policy) -> Outcome:
        with self._kill_points.around(self._enter("spend")):
            return self._store.spend(claim, policy)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)  # what no request calls: unlock, purge

    def _enter(self, verb: str) -> str:
        self._verb = verb
        return verb


def with_kill_point(kill_points: KillPoints) -> type[AlipayPlus]:
    """Return Alipay+ with a point before an answer is written and signed."""

    class WithKillPoint(AlipayPlus):
        def answer(self, context: RequestContext, outcome: Outcome) -> Outbound:
            kill_points.reached("before-signing")
            return super().answer(context, outcome)

    return WithKillPoint
