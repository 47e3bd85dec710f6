"""Servers that can't be a store: what looks like PostgreSQL or MySQL, and clusters.

A store needs row locks that hold until COMMIT, transactions that are atomic, and one clock for all
sessions. Databases that speak the protocol of another may lack one of these; each says its own
name. So do clusters of which several nodes are written to.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import sqlalchemy as sa

_CLOCKS: Final = "each of its nodes judges by a clock of its own"


class Lookalike(NamedTuple):
    """A database that is none of those with which the suite is run.

    :param name: as its makers write it.
    :param pattern: what it says of itself, in ``version()`` or in a comment about the version.
    :param lacks: which of the needed properties it does not have.
    """

    name: str
    pattern: str
    lacks: str


KNOWN: Final = (
    Lookalike(
        "CockroachDB", "CockroachDB", f"{_CLOCKS}, and its row locks may be lost before COMMIT"
    ),
    Lookalike(
        "YugabyteDB",
        r"-YB-\d",
        f"{_CLOCKS}, and it has READ COMMITTED and waiting row locks only as options of the server",
    ),
    Lookalike(
        "Aurora DSQL",
        "Aurora DSQL",
        "it has no row locks: a transaction that others overtake fails at COMMIT",
    ),
    Lookalike(
        "TiDB", "TiDB", f"{_CLOCKS}, and its transactions may be optimistic, without row locks"
    ),
    Lookalike(
        "Vitess", "Vitess|PlanetScale", "a transaction over several of its shards is not atomic"
    ),
    Lookalike("OceanBase", "OceanBase", _CLOCKS),
    Lookalike("SingleStore", "SingleStore|MemSQL", "a primary key is unique in its shard alone"),
)


def lookalike(product: str, *said: str) -> str | None:
    """Return why a server that says this of itself is refused; None if it is not known here.

    :param product: what it should be.
    """
    for one in KNOWN:
        if any(re.search(one.pattern, text, re.IGNORECASE) for text in said):
            return f"is {one.name}, not {product}: {one.lacks}; use {product} itself"
    return None


def single_writer(url: sa.URL) -> bool:
    """Tell whether a URL declares that one node of a cluster takes all writes.

    :raises ValueError: if it declares something else by that name.
    """
    declared = url.query.get("writer")
    if declared not in (None, "single"):
        raise ValueError(
            "has a writer in its query that is not known; writer=single declares that one node of "
            "a cluster takes all writes"
        )
    return declared is not None


def several_writers(cluster: str) -> str:
    """Say why a cluster is refused of which several nodes may be written to."""
    return (
        f"is a node of {cluster}, and each node locks rows for itself: if two of them are "
        "written to, a code can be accepted twice; send all writes to one node and declare it by "
        "writer=single in the query of OTP_MPP_STORE, or use one server with replicas"
    )
