"""The memory that a user takes on Redis, by clients and guesses.

Users get one code by each of their clients, and then guess once. The memory of the server is read
before and after each step. "Answers over" is what is left of a user whose answers to requests have
expired, a quarter of an hour later with Alipay+. They are deleted for it, before the guess. Each
row is measured with Redis' own setting, and with that of deploy/redis.conf, by which these hashes
keep their compact form.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import redis

from benchmarks import chart
from benchmarks.empty_stores import empty_store
from benchmarks.progress import note
from benchmarks.report import Report, Table
from benchmarks.stores import POLICY, WRONG, attempt, draft, reserved
from flask_otp_mpp import RedisStore
from flask_otp_mpp.core.challenge import Attempt, Challenge
from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.core.idempotency import IdempotencyKey
from flask_otp_mpp.core.reasons import Outcome, Reason

CLIENTS: Final = (1, 3, 10)
SETTING: Final = "hash-max-ziplist-value"
"""As Redis 6.2 names it; newer ones and Valkey know it by this name, too."""
VALUES: Final = (64, 512)
"""Redis' own value, and one that neither a challenge exceeds nor what is counted of 12 sends."""
ALL_USERS: Final = (512, 1)
"""The setting and the clients of the row that has all users."""
USERS: Final = 20_000
BATCH: Final = 1000
DAY: Final = timedelta(days=1)
"""How long answers are kept: longer than a run."""
COLUMNS: Final = (
    SETTING, "clients", "users", "bytes a user", "answers over", "bytes a guess",
)  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--users",
        type=int,
        help="how many at one client (20000; with --quick 2000); 1000000 take 1.2 GB",
    )


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    users = args.users or (2000 if args.quick else USERS)
    rows = []
    for value in VALUES:
        for clients in CLIENTS:
            with (
                tempfile.TemporaryDirectory(prefix="otp-mpp-bench-") as folder,
                empty_store("redis", Path(folder)) as url,
            ):
                # What one of them takes is the same among fewer; so only one row has all users.
                wanted = users if (value, clients) == ALL_USERS else min(users, USERS)
                rows.append(_measured(url, value, clients, max(1, wanted // clients)))
    note()
    return report(Table("Memory on Redis", COLUMNS, rows))


def report(table: Table) -> Report:
    """Return the table, and a chart by clients and setting."""
    groups: dict[str, dict[str, float]] = {}
    for row in table.data()["rows"]:
        clients = row["clients"]
        groups[f"{clients} client{'s' * (clients != 1)}, {row[SETTING]}"] = {
            "a user": row["bytes a user"],
            "answers over": row["answers over"],
            "a guess": row["bytes a guess"],
        }
    drawn = chart.bars(f"Memory of a user on Redis, by {SETTING}", "bytes", groups)
    return Report("growth", [table], {"growth.svg": drawn})


def _measured(
    url: str, value: int, clients: int, users: int
) -> tuple[int, int, int, int, int, int]:
    client: Any = redis.Redis.from_url(url)
    now = utc_now()
    store = RedisStore(url, clock=lambda: now)  # however long it takes, no code expires
    client.config_set(SETTING, value)
    store.check()
    begin = _used(client)
    made = list(_sent(store, clients, users))
    sent = _used(client)
    _delete(client, "*:request:*")
    left = _used(client)
    for challenge in made:
        ended = store.spend(_guess(challenge), POLICY)
        assert ended.reason is Reason.CODE_UNMATCHED, ended
    whole, lasting, guess = sent - begin, left - begin, _used(client) - left
    store.close()
    client.close()
    return (
        value, clients, users,
        round(whole / users), round(lasting / users), round(guess / users),
    )  # fmt: skip


def _sent(store: RedisStore, clients: int, users: int) -> Iterator[Challenge]:
    """Send to each user once by each client; yield the last challenges."""
    for number in range(users):
        for client in range(clients):
            # Texts are as long as those of the package.
            name = hashlib.sha256(str(client).encode()).hexdigest()
            wanted = draft(f"user-{number}")
            key = _longer(wanted.request)
            wanted = replace(wanted, caller=name, client=name[:16], request=key)
            challenge = reserved(store, wanted)
            store.settle(wanted, Outcome(wanted.id))
        yield challenge
        if number % BATCH == 0:
            note(f"{clients} clients: {number:,} of {users:,} users")


def _guess(challenge: Challenge) -> Attempt:
    asked = attempt(challenge, WRONG)
    return replace(asked, client="f" * 16, request=_longer(asked.request))


def _longer(key: IdempotencyKey) -> IdempotencyKey:
    return replace(key, value=f"{key.value:0<64}", ttl=DAY)


def _used(client: Any) -> int:
    used: int = client.info("memory")["used_memory"]
    return used


def _delete(client: Any, pattern: str) -> None:
    found: Iterator[bytes] = client.scan_iter(pattern, count=BATCH)
    while keys := list(islice(found, BATCH)):
        client.delete(*keys)
