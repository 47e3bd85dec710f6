"""The Lua scripts run in Lua 5.4 too, which engines beside Redis use, and decide the same there."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

from flask_otp_mpp.core.challenge import Challenge, Draft
from flask_otp_mpp.core.policy import Policy, Resend, SendLimit
from flask_otp_mpp.core.reasons import Outcome
from flask_otp_mpp.stores import MemoryStore, RedisStore, Store
from flask_otp_mpp.stores.redis.scripts import PROBE
from flask_otp_mpp.testing import FrozenClock
from flask_otp_mpp.testing.contract.builders import CLIENT, RIGHT, WRONG, attempt, draft
from tests.services import program

ENGINE: Final = Path(__file__).with_name("lua_engine.lua")
STEPS: Final = 400


class LuaClient(redis.Redis):
    """A client of a server that is an interpreter of Lua."""

    def __init__(self, engine: subprocess.Popen[str]) -> None:
        super().__init__(retry=Retry(NoBackoff(), 0))
        self.engine = engine
        self.known: set[bytes] = set()

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        raise NoScriptError

    def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> Any:
        assert self.engine.stdin is not None
        name = hashlib.sha256(script.encode()).digest()
        source = b"" if name in self.known else script.encode()
        self.known.add(name)
        sent = [name, source, str(numkeys).encode(), *keys_and_args]
        lines = [str(len(sent)), *(value.hex() for value in sent)]
        self.engine.stdin.write("".join(f"{line}\n" for line in lines))
        self.engine.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self.engine.stdout is not None
        kind, _, value = self.engine.stdout.readline().strip().partition(" ")
        match kind:
            case "nil":
                return None
            case "int":
                return int(value)
            case "bytes":
                return bytes.fromhex(value)
            case "array":
                return [self._read() for _ in range(int(value))]
        raise AssertionError("the interpreter has ended")


@pytest.fixture
def engine() -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [program("lua5.4"), str(ENGINE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        yield started
        started.kill()


@pytest.mark.server
def test_lua_5_4_decides_as_the_rules_do(engine: subprocess.Popen[str]) -> None:
    """A9, T2: Lua 5.4 has no unpack, and tells integers from other numbers."""
    clock = FrozenClock()
    client = LuaClient(engine)
    stores: list[Store] = [MemoryStore(clock), RedisStore(client, clock)]
    policy = Policy(
        resend=Resend.REUSE,
        cool_down=timedelta(seconds=5),
        send_limits=(SendLimit(4, timedelta(minutes=10)),),
        failure_limit=3,
        first_lock=timedelta(minutes=1),
    )
    chance = Random(5)
    drafts: list[Draft] = []
    reasons = set()
    for _ in range(STEPS):
        clock.forward(seconds=chance.choice((1, 3, 30)))
        match chance.choices(("send", "spend", "unlock"), (3, 6, 0.2))[0]:
            case "send":
                asked = draft(chance.choice(("ada", "bob")))
                drafts.append(asked)
                found: list[Any] = [store.reserve(asked, policy) for store in stores]
                if isinstance(found[0], Challenge):
                    for store in stores:
                        store.settle(asked, Outcome(found[0].id))
            case "spend" if drafts:
                known = chance.choice(drafts[-3:])
                tried = attempt(known.id, chance.choice((RIGHT, WRONG)), subject=known.subject)
                found = [store.spend(tried, policy) for store in stores]
            case _:
                found = [store.unlock("ada", (CLIENT,), quota=True) for store in stores]
        assert found[0] == found[1]
        if isinstance(found[0], Outcome):
            reasons.add(found[0].reason)
    assert len(reasons) >= 7, reasons
    assert client.eval(PROBE.source, 1, b"key") is None
