"""The Limiter that counts is as Flask-Limiter would make it, and none of its storages hangs."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import STRATEGIES

from flask_otp_mpp.web.limiter import own_limiter
from tests.wallet import Wallet

PLACES = ["redis://127.0.0.1:1", "memcached://127.0.0.1:1", "memory://"]
PAIRS = set(product(PLACES, STRATEGIES)) - {("memcached://127.0.0.1:1", "moving-window")}


@pytest.mark.parametrize(("uri", "strategy"), sorted(PAIRS))
@pytest.mark.parametrize("setting", ["ours", "RATELIMIT_STORAGE_URI"])
def test_storage_and_strategy_are_those_that_flask_limiter_makes(
    uri: str, strategy: str, setting: str
) -> None:
    """R4: by our setting, or by the host's; only the memory is one of ours, and is no other."""
    app = Flask("tests.web.limiter")
    theirs = Limiter(get_remote_address, app=app, storage_uri=uri, strategy=strategy)
    config = {} if setting == "ours" else {setting: uri}
    ours = own_limiter(config, uri if setting == "ours" else None, strategy)
    assert isinstance(ours, Limiter)
    assert type(ours.limiter) is type(theirs.limiter)
    assert ours.limiter.storage is ours.storage
    assert isinstance(ours.storage, type(theirs.storage))
    assert isinstance(ours.storage, MemoryStorage) or type(ours.storage) is type(theirs.storage)


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port where connections are accepted, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def seconds_of_a_count(config: dict[str, Any], uri: str | None) -> float:
    """Return after how many seconds a count failed."""
    start = time.monotonic()
    with pytest.raises(Exception, match=r"(?i)time"):  # each client has exceptions of its own
        own_limiter(config, uri, "fixed-window").limiter.hit(parse("1 per day"), "name")
    return time.monotonic() - start


@pytest.mark.slow
@pytest.mark.parametrize(
    "uri",
    [
        "redis://127.0.0.1:{}/0",
        "redis+sentinel://127.0.0.1:{}/wallet",
        "redis+cluster://127.0.0.1:{}",
        "memcached://127.0.0.1:{}",
        "memcached://127.0.0.1:{},localhost:{}",
        "mongodb://127.0.0.1:{}/",
    ],
)
def test_a_storage_that_does_not_answer_is_given_up_soon(uri: str, port: int) -> None:
    """R1: the caller waits 5 s, for two or three counts; by default some would wait for ever."""
    assert 0.5 < seconds_of_a_count({}, uri.replace("{}", str(port))) < 1.9


@pytest.mark.parametrize(
    ("uri", "options"),
    [
        ("mongodb://127.0.0.1:{}/", {"timeoutMS": 100}),
        ("mongodb://127.0.0.1:{}/?TimeoutMS=100", {}),
        ("memcached://127.0.0.1:{}", {"timeout": 0.1}),
        ("redis://127.0.0.1:{}/0?socket_timeout=0.1", {}),
    ],
)
def test_the_host_can_choose_the_timeout(uri: str, options: dict[str, Any], port: int) -> None:
    """R1: by RATELIMIT_STORAGE_OPTIONS or by the URI."""
    config = {
        "RATELIMIT_STORAGE_URI": uri.format(port),
        "RATELIMIT_STORAGE_OPTIONS": options,
    }
    assert seconds_of_a_count(config, None) < 0.8


def test_the_keys_are_such_as_every_storage_takes(make_wallet: Callable[..., Wallet]) -> None:
    """R4: Memcached takes no space and no more than 250 bytes."""
    limiter = own_limiter({}, "memory://", "fixed-window")
    wallet = make_wallet(options={"limiter": limiter})
    assert wallet.send().code == "SUCCESS"
    wallet.clock.forward(seconds=1)
    assert wallet.caller.send("tok-ada").code == "OTP_SEND_TIMES_EXCEED_LIMIT"
    assert isinstance(limiter.storage, MemoryStorage)
    keys = list(limiter.storage.storage)
    assert {key.split("/")[2] for key in keys} == {"address", "alipayplus", "refused:alipayplus"}
    assert all(len(key) < 200 and " " not in key for key in keys)
