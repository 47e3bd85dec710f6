"""The program that ``instructions`` runs under callgrind: blocks of calls between two marks each.

Requests are made, and codes sent, while nothing is counted. The garbage collector runs once at the
end of each block and sees what the block has left, so its work is counted and always the same.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

from benchmarks import peers
from benchmarks.callgrind import Switch, mark
from benchmarks.inprocess import PeerApp
from benchmarks.wire import EXPECTED, Request, RequestKind


def main() -> None:
    """Call the peers that the command line names."""
    job = json.loads(sys.argv[1])
    size, blocks = job["size"], job["blocks"]
    apps = [PeerApp(peers.load(name, url, Path(folder))) for name, url, folder in job["peers"]]
    switch = Switch(Path(job["folder"]))
    gc.disable()
    for app in apps:
        work = [app.prepared(RequestKind(kind), size * (blocks + 1)) for kind in job["kinds"]]
        for signed in work:
            app.work(signed[:size])  # the interpreter adapts its code to what it sees
        switch.turn("on")
        for signed in work:
            for first in range(size, len(signed), size):
                _block(app, signed[first : first + size])
        switch.turn("off")


def _block(app: PeerApp, signed: list[Request]) -> None:
    environs = [request.over_wsgi() for request in signed]
    gc.collect()
    gc.freeze()
    mark()
    answers = [app.call_wsgi(environ) for environ in environs]
    gc.collect()
    mark()
    gc.unfreeze()
    for request, answer in zip(signed, answers, strict=True):
        if answer.code != EXPECTED[request.unsigned.kind]:
            raise RuntimeError(f"{app.peer.name} answered {answer.code!r}")


if __name__ == "__main__":
    main()
