"""Figures that no other work of the machine changes: round trips of a call, and imported modules.

What else is exact is counted elsewhere: keys parsed, signatures and digests of a call in
tests/web/test_costs.py, statements and round trips of a store method in
tests/stores/test_sql_statements.py and tests/stores/test_redis_faults.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks import imports, peers
from benchmarks.inprocess import PeerApp
from benchmarks.report import PAGE
from benchmarks.roundtrips import Relay
from benchmarks.wire import RequestKind
from tests.services import POSTGRESQL, REDIS

CALLS = 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("store", "send", "verify"),
    [pytest.param(*POSTGRESQL.values, 3, 2, marks=POSTGRESQL.marks),
     pytest.param(*REDIS.values, 2, 1, marks=REDIS.marks)],
)  # fmt: skip
def test_a_call_takes_few_round_trips_to_the_store(
    store: str, send: int, verify: int, tmp_path: Path
) -> None:
    """Of the whole app, counted on the wire; a send is a reservation and its end."""
    with peers.opened(["lean"], store, tmp_path) as [peer]:
        url = sa.make_url(peer.settings["BENCH_STORE"])
        with Relay(url.host or "", url.port or 0) as relay:
            near = url.set(host="127.0.0.1", port=relay.port)
            if store == "postgresql":
                near = near.update_query_string("sslmode=disable&gssencmode=disable")
            with (Path(peer.settings["BENCH_KEYS"]) / "config.py").open("a") as config:
                config.write(f"\nOTP_MPP_STORE = {near.render_as_string(hide_password=False)!r}\n")
            app = PeerApp(peer)
            found = {}
            for kind in (RequestKind.SEND, RequestKind.RIGHT, RequestKind.WRONG):
                signed = app.prepared(kind, CALLS + 1)
                app.work(signed[:1])  # what is done once in a process is done now
                before = relay.round_trips
                app.work(signed[1:])
                found[kind] = (relay.round_trips - before) / CALLS
            opened = app.wsgi_app.extensions["otp_mpp"].store
            if store == "postgresql":
                opened.engine.dispose()
            else:
                opened.close()
    assert found == {
        RequestKind.SEND: send,
        RequestKind.RIGHT: verify,
        RequestKind.WRONG: verify,
    }


@pytest.mark.slow
def test_the_import_loads_as_many_modules_as_the_page_says() -> None:
    """A module more is some milliseconds more: python -m benchmarks imports --write."""
    written = dict(
        re.findall(r"^\| (.*, in addition) \| [\d.]+ \| (\d+) \|$", PAGE.read_text(), re.M)
    )
    counted = {name: str(modules) for name, (_, modules) in imports.once().items() if modules}
    assert written == counted
