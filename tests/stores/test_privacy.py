"""A copy of a SQL database holds no code, token or address, in any column or byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_otp_mpp.core.policy import Resend
from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.stores.sql.schema import metadata
from flask_otp_mpp.testing import FrozenClock
from tests.stores.known_values import DETAIL, KNOWN, User, use_every_method

# Every column, and what it may hold; a new one is a decision about privacy.
COLUMNS = {
    "otp_mpp_challenges": {
        "id", "subject", "caller", "channel", "digest", "issued_at", "expires_at", "tries",
        "attempts", "used_at", "closed_at",
    },
    "otp_mpp_user_limits": {
        "subject", "failures", "clients", "sends", "keep_until",
    },
    "otp_mpp_requests": {
        "key", "challenge_id", "reason", "detail", "until", "keep_until", "digest", "subject",
    },
}  # fmt: skip


def test_no_column_is_for_a_code_a_token_or_an_address() -> None:
    """P4: what is not stored can't be stolen."""
    found = {table.name: set(table.columns.keys()) for table in metadata.sorted_tables}
    assert found == COLUMNS
    names = " ".join(name for columns in COLUMNS.values() for name in columns)
    for word in ("token", "code", "phone", "mail", "address", "otp", "message", "body"):
        assert word not in names


@pytest.mark.parametrize("resend", list(Resend))
def test_no_secret_is_in_any_byte_of_the_files(tmp_path: Path, resend: Resend) -> None:
    """P1, P2, P4: known values go through every method, and every file is searched for them."""
    clock = FrozenClock()
    store = SQLAlchemyStore(f"sqlite:///{tmp_path}/otp.db", clock)
    store.create_tables()
    codes = use_every_method(store, clock, resend)
    with store.engine.connect() as db:
        assert db.scalar(sa.text("SELECT count(*) FROM otp_mpp_challenges")) == 6
        db.rollback()
        files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert {file.name for file in tmp_path.iterdir()} >= {"otp.db", "otp.db-wal"}
    store.engine.dispose()
    assert DETAIL.encode() in files  # so the search finds what is there
    assert User.id.encode() in files
    for secret in (*KNOWN, *codes):
        for spelling in (secret.encode(), secret.encode("utf-16-le"), json.dumps(secret).encode()):
            assert spelling not in files
    for code in codes:
        assert int(code).to_bytes(8) not in files
