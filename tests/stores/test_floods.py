"""A flood of refused requests fills a store to a stated bound, in rows and in bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.idempotency import IdempotencyKey, digest_of
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.reasons import Reason
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.service import BySend, SendOtp, VerifyOtp
from flask_otp_mpp.core.settings import read_group
from flask_otp_mpp.core.users import AccessToken
from flask_otp_mpp.stores.redis.store import RedisStore
from flask_otp_mpp.stores.sql.schema import metadata, requests
from flask_otp_mpp.stores.sql.store import SQLAlchemyStore
from flask_otp_mpp.web.traffic_settings import TrafficSettings
from tests.core.builders import CALLER, Harness, Quota
from tests.services import POSTGRESQL, REDIS
from tests.stores.redis_server import PrivateRedis, client, private_redis
from tests.stores.servers import postgresql_url

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parent.parent.parent / "docs/operations.md").read_text()
FLOOD = 3000
ROOM = 1000
SUBJECT = "user-4711-of-the-wallet"


class Size(NamedTuple):
    """How many answers a store holds, how many rows or keys in all, and the bytes of all."""

    answers: int
    entries: int
    size: int


Measure: TypeAlias = Callable[[], Size]


def in_postgresql(store: SQLAlchemyStore) -> Size:
    with store.engine.connect() as db:
        rows = {
            table.name: db.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }
        size = db.scalar(sa.text(f"SELECT pg_total_relation_size('{requests.name}')"))
        db.rollback()
    return Size(rows[requests.name], sum(rows.values()), int(size or 0))


def in_redis(server: PrivateRedis) -> Size:
    with client(server.url) as aside:
        keys = list(aside.scan_iter(count=1000))
        answers = [key for key in keys if b":request:" in key]
        return Size(len(answers), len(keys), int(aside.info("memory")["used_memory"]))


@pytest.fixture(params=[POSTGRESQL, REDIS])
def measured(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, Store, Measure]]:
    """Yield the name of a backend, an empty store, and what measures it."""
    if request.param == "postgresql":
        with postgresql_url("floods") as url:
            sql = SQLAlchemyStore(url)
            sql.create_tables()
            yield "PostgreSQL", sql, lambda: in_postgresql(sql)
            sql.engine.dispose()
    else:
        with private_redis(tmp_path) as server:
            store = RedisStore(server.url)
            yield "Redis", store, lambda: in_redis(server)
            store.close()


class Flooded:
    """A wallet with one user, and what a client asks of it."""

    def __init__(self, store: Store) -> None:
        self.harness = Harness(
            Policy(cool_down=timedelta(hours=1)),
            store=store,
            quota=Quota(ROOM),
            load_user={"token": SUBJECT}.get,
        )
        self.numbers = count()

    def key(self) -> IdempotencyKey:
        """Return the key of a further request, as AMS makes it; its answers are all kept."""
        value = digest_of("ams", "client", str(next(self.numbers)))
        return IdempotencyKey(value, timedelta(days=1), "parameters", frozenset())

    def send(self, request: IdempotencyKey, token: str = "token") -> Reason | None:
        command = SendOtp(CALLER, AccessToken(token), Channel.MOBILE, request)
        return self.harness.service.send(command).reason

    def verify(self, sent: IdempotencyKey, code: str) -> Reason | None:
        command = VerifyOtp(CALLER, BySend(sent.value), Secret(code), self.key())
        return self.harness.service.verify(command).reason


def documented(name: str) -> int:
    """Return how many bytes an answer takes, as the page states it."""
    found = re.search(rf"^\| {name} \| (\d+) bytes \|", PAGE, re.MULTILINE)
    assert found is not None, name
    return int(found[1])


def test_a_flood_of_refused_requests_fills_a_store_to_its_bound(
    measured: tuple[str, Store, Measure],
) -> None:
    """X6: as many answers as the client's quota, of as many bytes as is documented."""
    name, store, measure = measured
    wallet = Flooded(store)
    sent = wallet.key()
    assert wallet.send(sent) is None
    assert wallet.verify(sent, wallet.harness.inbox.code) is None
    before = measure()
    for _ in range(FLOOD // 2):
        assert wallet.send(wallet.key()) is Reason.SEND_LIMITED
        assert wallet.verify(sent, wallet.harness.inbox.code) is Reason.CHALLENGE_USED
    after = measure()
    assert after.answers == before.answers + ROOM
    assert after.entries <= before.entries + 2 * ROOM  # in Redis an answer has a claim
    bytes_each = (after.size - before.size) / ROOM
    assert documented(name) * 0.6 < bytes_each <= documented(name)


def test_a_flood_of_invented_tokens_leaves_nothing(measured: tuple[str, Store, Measure]) -> None:
    """X6: nor do ids of sends that never were."""
    _, store, measure = measured
    wallet = Flooded(store)
    for number in range(FLOOD // 2):
        assert wallet.send(wallet.key(), f"invented {number}") is Reason.TOKEN_INVALID
        assert wallet.verify(wallet.key(), "123456") is Reason.CHALLENGE_UNKNOWN
    assert measure().entries == 0


def test_the_bound_of_a_day_is_documented() -> None:
    """X6: the figures follow from the default of the setting."""
    limits = read_group(TrafficSettings, {}, []).refusal_limits
    assert [(one.amount, one.get_expiry()) for one in limits] == [(10_000, 24 * 60 * 60)]
    for name in ("PostgreSQL", "Redis"):
        megabytes = 10_000 * documented(name) / 1e6
        assert re.search(rf"^\| {name} \| \d+ bytes \| {megabytes:.0f} MB \|", PAGE, re.MULTILINE)
