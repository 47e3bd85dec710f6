"""The floor's stores: a send and a verify in the fewest statements that are still correct."""

from __future__ import annotations

from typing import Any, Final, Protocol

import sqlalchemy as sa

from benchmarks.host_users import ACTIVE, FIND, engine, metadata

TRIES: Final = 5
LIFE: Final = 300_000
"""Milliseconds."""

codes: Final = sa.Table(
    "otp",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.BigInteger, nullable=False),
    sa.Column("channel", sa.String(8), nullable=False),
    sa.Column("mac", sa.LargeBinary(32), nullable=False),
    sa.Column("attempts", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("consumed_at", sa.BigInteger),
)
_INSERT: Final = sa.insert(codes).inline()
# The bare column is returned: SQLite 3.40 folds `consumed_at IS NOT NULL` to 1 in RETURNING.
_TRY: Final = (
    sa.update(codes)
    .where(
        codes.c.id == sa.bindparam("at_id"),
        codes.c.user_id == sa.bindparam("at_user"),
        codes.c.consumed_at.is_(None),
        codes.c.attempts < TRIES,
        codes.c.expires_at > sa.bindparam("at_time"),
    )
    .values(
        attempts=codes.c.attempts + 1,
        consumed_at=sa.case(
            (
                codes.c.mac == sa.bindparam("tried"),
                sa.bindparam("used_at", type_=sa.BigInteger),
            ),
            else_=None,
        ),
    )
    .returning(codes.c.consumed_at, codes.c.attempts)
)
_SEND_LUA: Final = """
local user = redis.call('HMGET', 'u:' .. ARGV[1], 'id', 'status')
if not user[1] then return 0 end
redis.call('HSET', KEYS[1], 'user', user[1], 'mac', ARGV[2], 'attempts', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
_TRY_LUA: Final = """
local user = redis.call('HMGET', 'u:' .. ARGV[1], 'id', 'status')
if not user[1] then return -2 end
local code = redis.call('HMGET', KEYS[1], 'user', 'mac', 'attempts', 'used')
if not code[1] or code[1] ~= user[1] or code[4] or tonumber(code[3]) >= 5 then return -1 end
local matched = code[2] == ARGV[2]
redis.call('HSET', KEYS[1], 'attempts', tonumber(code[3]) + 1)
if matched then redis.call('HSET', KEYS[1], 'used', 1) end
return matched and 1 or 0
"""
_BY_NUMBER: Final = {
    1: "SUCCESS",
    0: "OTP_VERIFY_UNMATCHED",
    -1: "VERIFY_REQUEST_ID_INVALID",
    -2: "INVALID_TOKEN",
}


class FloorStore(Protocol):
    """Store codes by the id of their challenge; ``check`` returns a result code."""

    def put(self, token: str, challenge: str, mac: bytes, now: int) -> bool: ...
    def check(self, token: str, challenge: str, mac: bytes, now: int) -> str: ...


def open_store(url: str) -> FloorStore:
    """Open the store that a URL names; tables and users exist already."""
    if url == "memory://":
        return _Memory()
    return _Redis(url) if url.startswith("redis") else _Sql(url)


class _Memory:
    def __init__(self) -> None:
        self._codes: dict[str, list[Any]] = {}

    def put(self, token: str, challenge: str, mac: bytes, now: int) -> bool:
        self._codes[challenge] = [token, mac, 0, False, now + LIFE]
        return True

    def check(self, token: str, challenge: str, mac: bytes, now: int) -> str:
        code = self._codes.get(challenge)
        if code is None or code[0] != token or code[3] or code[2] >= TRIES or code[4] < now:
            return _BY_NUMBER[-1]
        code[2] += 1
        code[3] = code[1] == mac
        return _BY_NUMBER[int(code[3])]


class _Sql:
    def __init__(self, url: str) -> None:
        self._engine = engine(url)

    def put(self, token: str, challenge: str, mac: bytes, now: int) -> bool:
        with self._engine.connect() as db:
            user = db.execute(FIND, {"token": token}).first()
            if user is None or user.status != ACTIVE:
                return False
            code = {
                "id": challenge, "client_id": "client", "user_id": user.id, "channel": "MOBILE",
                "mac": mac, "created_at": now, "expires_at": now + LIFE,
            }  # fmt: skip
            db.execute(_INSERT, code)
            return True

    def check(self, token: str, challenge: str, mac: bytes, now: int) -> str:
        with self._engine.connect() as db:
            user = db.execute(FIND, {"token": token}).first()
            if user is None:
                return _BY_NUMBER[-2]
            values = {"at_id": challenge, "at_user": user.id, "at_time": now}
            row = db.execute(_TRY, {**values, "used_at": now, "tried": mac}).first()
            return _BY_NUMBER[-1 if row is None else int(row.consumed_at is not None)]


class _Redis:
    def __init__(self, url: str) -> None:
        import redis  # noqa: PLC0415 - only needed to measure Redis

        client = redis.Redis.from_url(url)
        self._send = client.register_script(_SEND_LUA)
        self._try = client.register_script(_TRY_LUA)

    def put(self, token: str, challenge: str, mac: bytes, now: int) -> bool:
        return bool(self._send(keys=[f"o:{challenge}"], args=[token, mac, LIFE]))

    def check(self, token: str, challenge: str, mac: bytes, now: int) -> str:
        number = self._try(keys=[f"o:{challenge}"], args=[token, mac])
        assert isinstance(number, int)
        return _BY_NUMBER[number]
