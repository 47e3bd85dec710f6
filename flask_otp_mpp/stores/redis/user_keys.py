"""Find the keys of one user, to delete all of them or to read the challenges.

No index is kept for it: both are rare, and an index would cost every request memory. A claim
names its user but is in the slot of its request, and no other key leads to one that a crash has
left behind; so all claims are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from flask_otp_mpp.stores.redis.client import Client

_BATCH: Final = 1000
"""Keys that are asked for at once; the server does other work between two batches."""


def find(
    client: Client, prefix: str, own: bytes, subject: bytes
) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Return the keys in a user's slot, and the claims that name the user with their holders.

    What was there before this began is found; what is written meanwhile may be missed.

    :param prefix: of all keys of the store.
    :param own: the beginning of all keys in the user's slot.
    """
    found: list[bytes] = []
    claims: dict[bytes, bytes] = {}
    for batch in _batches(client, prefix + "{"):
        found += [key for key in batch if key.startswith(own)]
        asked = [key for key in batch if key.endswith(b":claim")]
        with client.pipeline(transaction=False) as pipeline:
            for claim in asked:
                pipeline.hmget(claim, "subject", "holders")
            for claim, (name, holders) in zip(asked, pipeline.execute(), strict=True):
                if name == subject:
                    claims[claim] = holders
    return found, claims


def beginning_with(client: Client, beginning: str) -> list[bytes]:
    """Return the keys that begin with a text, each once; the server looks through all keys."""
    return sorted({key for batch in _batches(client, beginning) for key in batch})


def _batches(client: Client, beginning: str) -> Iterator[list[bytes]]:
    """Yield the keys that begin with a text, in batches."""
    pattern = re.sub(r"([*?\[\]\\^])", r"\\\1", beginning) + "*"
    keys = client.scan_iter(pattern, count=_BATCH)
    while batch := list(islice(keys, _BATCH)):
        yield batch
