"""What each kind of bad request costs the server, compared with a good send.

It tells how much processor time a flood takes. The app is called directly, in one thread. A block
of bad requests follows each block of good sends, and each ratio is taken within such a pair. Every
bad request differs from all others in what its kind allows to vary: path, client, time and body.
Its signature is well formed and made for another body, unless the kind says otherwise. But for the
last kinds, the address limit, which would end a real flood, is set too high to be reached.

"signed" are the different signatures of the answers, of all requests of that kind. An answer
without a body is the 429 for which no signature was left.
"""

from __future__ import annotations

import argparse
import base64
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from benchmarks import chart, google_flood
from benchmarks.bad_requests import ABOVE_LIMIT, BAD, SIGNED, BadRequest, Environ, set_body
from benchmarks.empty_stores import STORES, available
from benchmarks.inprocess import BLOCK, PeerApp, open_apps
from benchmarks.options import repeatable
from benchmarks.report import Report, Table
from benchmarks.wire import PADDING, SHA256, Request, RequestKind
from example_app.instance import CLIENT_ID

GOAL: Final = 0.2
"""The most that a bad request should cost, as a share of a good send. It is our own goal."""
COLUMNS: Final = (
    "store", "peer", "bad request", "good send, us", "bad, us", "bad / good", "in signatures",
    f"at most {GOAL}", "signed",
)  # fmt: skip
SHORT: Final = (
    "store", "peer", "lowest", "median", "highest", "the most expensive kind", f"at most {GOAL}",
)  # fmt: skip
PEERS: Final = ("wallet", "lean")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    repeatable(parser, "--store", ("memory", *STORES))
    repeatable(parser, "--peer", PEERS)
    parser.add_argument("--blocks", type=int, help=f"blocks of {BLOCK} calls (10; with --quick 2)")


def run(args: argparse.Namespace) -> Report:
    """Run the command."""
    blocks = args.blocks or (2 if args.quick else 10)
    rows: list[tuple[object, ...]] = []
    for store in args.store or available(STORES):
        with open_apps(args.peer or PEERS, store) as apps:
            for app in apps:
                rows += _measured(app, store, blocks)
    title = f"CPU of one request, median of {blocks} blocks of {BLOCK}"
    return report(Table(title, COLUMNS, rows), google_flood.table(blocks))


def report(table: Table, google: Table) -> Report:
    """Return the tables, a short form by store and peer, and a chart of the highest ratios."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    groups: dict[str, dict[str, float]] = {}
    for row in table.data()["rows"]:
        kind, ratio = row["bad request"], row["bad / good"]
        found.setdefault((row["store"], row["peer"]), {})[kind] = ratio
        highest = groups.setdefault(kind, {})
        highest[row["peer"]] = max(ratio, highest.get(row["peer"], 0.0))
    rows = []
    for where, ratios in found.items():
        least, *_, most = sorted(ratios.values())
        worst = next(kind for kind, ratio in ratios.items() if ratio == most)
        met = "yes" if most <= GOAL else "no"
        rows.append((*where, least, statistics.median(ratios.values()), most, worst, met))
    title = f"{table.title}; ratios to a good send"
    drawn = chart.bars(
        "CPU of a bad request, compared with a good send",
        f"share of a good send, highest of the stores; the goal is {GOAL} at most",
        groups,
    )
    short = [Table(title, SHORT, rows)]
    return Report("flood", [table, google], {"flood.svg": drawn}, summary=short)


def _measured(app: PeerApp, store: str, blocks: int) -> Iterator[tuple[object, ...]]:
    floods: dict[str, Flood] = {name: Flood(app, name, kind) for name, kind in BAD.items()}
    floods |= {name: SignedFlood(app, name) for name in SIGNED}
    _limit(app.peer.settings["BENCH_KEYS"])
    limited = PeerApp(app.peer)
    limited.call_wsgi(app.prepared(RequestKind.FORGED, 1)[0].over_wsgi())  # reaches the limit
    floods |= {name: Flood(limited, name, kind) for name, kind in ABOVE_LIMIT.items()}
    for name, flood in floods.items():
        pairs = list(_pairs(app, flood, blocks + 1))[1:]  # the first one warms up
        good, bad = map(statistics.median, zip(*pairs, strict=True))
        ratio = statistics.median(one / other for other, one in pairs)
        unit = bad / app.peer.caller.signature_us()
        met = "yes" if ratio <= GOAL else "no"
        signed = f"{flood.signatures}/{flood.sent}"
        yield store, app.peer.name, name, round(good), round(bad), ratio, unit, met, signed


def _pairs(app: PeerApp, flood: Flood, count: int) -> Iterator[tuple[float, float]]:
    """Measure a block of good sends and a block of bad requests in turn: microseconds of each."""
    for _ in range(count):
        good = app.prepared(RequestKind.SEND, BLOCK)
        begin = time.process_time_ns()
        app.work(good)
        middle = time.process_time_ns()
        bad = flood.forged(good)
        start = time.process_time_ns()
        flood.work(bad)
        end = time.process_time_ns()
        yield (middle - begin) / BLOCK / 1000, (end - start) / BLOCK / 1000


class Flood:
    """Bad requests of one kind, and what became of them.

    :ivar signatures: how many different signatures their answers had.
    """

    def __init__(self, app: PeerApp, name: str, kind: BadRequest) -> None:
        self._app = app
        self._name = name
        self._kind = kind
        self._signatures: Counter[str] = Counter()
        self.sent = 0

    @property
    def signatures(self) -> int:
        return len(self._signatures)

    def forged(self, good: Sequence[Request]) -> list[Environ]:
        """Make bad requests from good ones: the signature is then that of another body."""
        environs = []
        for number, request in enumerate(good, self.sent):
            environ = request.over_wsgi()
            set_body(environ, request.body + b" ")
            self._kind.change(environ, number)
            environs.append(environ)
        return environs

    def work(self, environs: list[Environ]) -> None:
        """Call the app with all requests.

        :raises RuntimeError: if an answer is not one of those that are expected.
        """
        for environ in environs:
            answer = self._app.call_wsgi(environ)
            if answer.code not in self._kind.codes:
                raise RuntimeError(f"{self._name} was answered by {answer.code!r}")
            if "signature" in answer.headers:
                self._signatures[answer.headers["signature"]] += 1
        self.sent += len(environs)


class SignedFlood(Flood):
    """The same with a valid signature: faults of a client, or replays."""

    def __init__(self, app: PeerApp, name: str) -> None:
        self._age, self._body, code = SIGNED[name]
        super().__init__(app, name, BadRequest(self._sign, frozenset({code})))

    def _sign(self, environ: Environ, number: int) -> None:
        moment = datetime.now(UTC) - self._age + timedelta(milliseconds=number)
        stamp = moment.isoformat(timespec="milliseconds")
        data = f"POST {environ['RAW_URI']}\n{CLIENT_ID}.{stamp}.".encode() + self._body
        text = quote(base64.b64encode(self._app.peer.caller.key.sign(data, PADDING, SHA256)), "")
        environ["HTTP_REQUEST_TIME"] = stamp
        environ["HTTP_SIGNATURE"] = f"algorithm=RSA256, keyVersion=1, signature={text}"
        set_body(environ, self._body)


def _limit(folder: str) -> None:
    """Let the apps that are opened from now on limit each address to one request a day."""
    with (Path(folder) / "config.py").open("a") as config:
        config.write("\nOTP_MPP_ADDRESS_LIMIT = '1 per day'\n")
