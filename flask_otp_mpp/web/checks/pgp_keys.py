"""Checks of the PGP keys of Google's accounts, as GnuPG has read them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from flask_otp_mpp.protocols.google.pgp.keys import PgpKey, active
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from flask_otp_mpp.protocols.google.protocol import GoogleStandardPayments
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.checks.fingerprints import ACCOUNTS

CHECKS: Final = Checks()
_DAY: Final = 86400
SOON: Final = 30 * _DAY
"""How long before the last key of a side ends it is told: time to agree on another with Google."""


def _sides(checked: CheckedApp) -> Iterator[tuple[str, Sequence[PgpKey]]]:
    """Yield the keys of each side of each account, behind their place."""
    for protocol in checked.state.protocols:
        if not isinstance(protocol, GoogleStandardPayments):
            continue
        for name, sealer in protocol.sealers.items():
            if isinstance(sealer, PgpSealer):
                yield f"{ACCOUNTS}[{name!r}], our_keys", sealer.ours
                yield f"{ACCOUNTS}[{name!r}], their_keys", sealer.theirs


@CHECKS.add("pgp-key", Severity.NOTE, "a PGP key")
def _shown(checked: CheckedApp) -> Iterator[Hit]:
    for place, keys in _sides(checked):
        for key in keys:
            signs, encrypts = _until("sign", key.signs_until), _until("encrypt", key.encrypts_until)
            found = f"PGP key {key.fingerprint}, {signs}, {encrypts}"
            yield Hit(place, found, "compare it with the one that the other side has")


def _until(verb: str, end: float) -> str:
    if end <= time.time():
        return f"does not {verb}"
    if math.isinf(end):
        return f"{verb}s for ever"
    return f"{verb}s until {datetime.fromtimestamp(end, UTC):%Y-%m-%d}"


@CHECKS.add("pgp-key-ends", Severity.WARNING, "the last PGP key of a side ends soon")
def _ends(checked: CheckedApp) -> Iterator[Hit]:
    now = time.time()
    for place, keys in _sides(checked):
        then = active(keys, now + SOON)
        lasts = [max(key.signs_until for key in keys), max(key.encrypts_until for key in keys)]
        for verb, left, end in zip(("signs", "encrypts"), then, lasts, strict=True):
            if not left:
                found = f"in {max(0, int((end - now) / _DAY))} days no key {verb} any more"
                yield Hit(place, found, "agree on a further key with Google, and list it")
