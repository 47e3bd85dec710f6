"""A process kills itself at a chosen point of a request, as a power cut would: nothing is tidied.

The points lie around the package, which knows nothing of them: in the store that it is given, in
the hook that delivers, in the signer. A file arms one of them; the process that comes by removes
it first, so that its successor lives.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import redis

from flask_otp_mpp import AlipayPlus, Refused, SQLAlchemyStore
from flask_otp_mpp.core.challenge import Attempt, Challenge, Draft, Outcome
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.service import Done
from flask_otp_mpp.protocols.base import Outbound, RequestContext
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


class Trap:
    """Kill this process if the file names the point that it has come to."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def arm(self, point: str) -> None:
        self._file.write_text(point)

    @property
    def armed(self) -> bool:
        return self._file.exists()

    def at(self, point: str) -> None:
        if self._file.exists() and self._file.read_text() == point:
            self._file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def around(self, verb: str) -> Iterator[None]:
        self.at(f"before-{verb}")
        yield
        self.at(f"after-{verb}")


class TrappedStore:
    """Be another store, with points before, in and after what a request does to it."""

    def __init__(self, store: Store, trap: Trap) -> None:
        self._store = store
        self._trap = trap
        self._verb = ""
        if isinstance(store, SQLAlchemyStore):
            self._come_to_commits(store)
        if isinstance(store, RedisStore) and isinstance(store.client, redis.Redis):
            store.client.connection_pool.connection_class = self._mortal(trap)

    def _come_to_commits(self, store: SQLAlchemyStore) -> None:
        """Come to a point when the row is taken and all is decided, and nothing is committed."""

        def act(_driver: object, text: str) -> None:
            if text.endswith("COMMIT"):
                self._trap.at(f"in-{self._verb}")

        before_each_batch(store.engine, act)

    def _mortal(self, trap: Trap) -> type[redis.Connection]:
        owner = self

        class MortalConnection(redis.Connection):
            """Come to a point when a script is sent, and nothing is heard of it yet."""

            def send_packed_command(self, command: Any, check_health: bool = True) -> None:
                super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]
                if b"EVALSHA" in b"".join(command):
                    trap.at(f"in-{owner._verb}")

        return MortalConnection

    def reserve(self, draft: Draft, policy: Policy) -> Challenge | Outcome:
        with self._trap.around(self._enter("reserve")):
            return self._store.reserve(draft, policy)

    def settle(self, draft: Draft, outcome: Outcome) -> None:
        with self._trap.around(self._enter("settle")):
            self._store.settle(draft, outcome)

    def spend(self, claim: Attempt, policy: Policy) -> Outcome:
        with self._trap.around(self._enter("spend")):
            return self._store.spend(claim, policy)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)  # what no request does: pardon, purge

    def _enter(self, verb: str) -> str:
        self._verb = verb
        return verb


def trapped(trap: Trap) -> type[AlipayPlus]:
    """Return the protocol with a point before an answer is written and signed."""

    class Trapped(AlipayPlus):
        def answer(self, call: RequestContext, answer: Done | Refused) -> Outbound:
            trap.at("before-signing")
            return super().answer(call, answer)

    return Trapped
