"""Google's side of an account, as a target's TOML file has it in its table ``[google]``.

::

    protocol = "google-jose"                  # or "google-pgp"
    base_url = "https://wallet.example/google"

    [google]
    paths = "/v1"                             # below base_url; there are sendOtp, verifyOtp, echo
    our_keys = ["google.private.jwks"]        # Google's private keys: texts or paths
    their_keys = ["wallet.public.jwks"]       # the wallet's public keys

    [google.second]                           # another account; without it, cases are skipped
    paths = "/second/v1"
    our_keys = ["second.private.jwks"]
    their_keys = ["second-wallet.public.jwks"]

    [tokens]
    template = "+1415555{n:04}"               # phone numbers of valid users, or: valid = [...];
                                              # or associationIds, where no number can be had
    count = 200
    associations = "assoc-{n}"                # their ids: count of them by {n}, or a list
    unknown = "+14155559999"                  # a number that no account has
    frozen = "+14155559998"                   # the number of an account that is closed
    missing = "assoc-gone"                    # an association whose user is gone

The members of an account are those of ``OTP_MPP_GOOGLE_ACCOUNTS`` with the sides exchanged; its
``envelope`` follows from the protocol. What else was agreed is written there, too: a wallet that
opens fewer algorithms than the usual ones has ``key_algorithms``, ``content_algorithms`` and
``signature_algorithms``. The path of a key is relative to the file. The users are those of both
accounts; an associated user has none of the phone numbers of ``template``. Keys that the wallet
does not know are made by the kit itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from flask_otp_mpp.conformance.case import Wire
from flask_otp_mpp.conformance.google.jose_forge import JoseForge
from flask_otp_mpp.conformance.google.pgp_forge import PgpForge
from flask_otp_mpp.core.readers import Unreadable
from flask_otp_mpp.protocols.google.accounts import JoseAccount, PgpAccount
from flask_otp_mpp.protocols.google.pgp.sealer import PgpSealer
from flask_otp_mpp.protocols.google.sealer import Sealer
from flask_otp_mpp.protocols.google.settings import read_accounts
from flask_otp_mpp.signing.keys import KeyFault

ENVELOPES: Final = {Wire.GOOGLE_JOSE: "jose", Wire.GOOGLE_PGP: "pgp"}
_KEYS: Final = ("our_keys", "their_keys")
_PATIENCE: Final = {"timeout": 20, "processes": 4}
"""Members of a PGP account that the kit has otherwise: it must not fail where a wallet is slow."""


def sample(wire: Wire) -> Mapping[str, Any]:
    """Return the tables of a file for a new target, with values to replace."""
    ours, theirs = (
        ("google.private.jwks", "wallet.public.jwks")
        if wire is Wire.GOOGLE_JOSE
        else ("google.sec.asc", "wallet.pub.asc")
    )
    return {
        "base_url": "https://wallet.example/google",
        "google": {
            "paths": "/v1",
            "our_keys": [ours],
            "their_keys": [theirs],
            "second": {
                "paths": "/second/v1",
                "our_keys": [f"second-{ours}"],
                "their_keys": [f"second-{theirs}"],
            },
        },
        "tokens": {
            "template": "+1415555{n:04}",
            "count": 200,
            "associations": "assoc-{n}",
            "unknown": "+14155559999",
            "frozen": "+14155559998",
            "missing": "assoc-gone",
        },
    }


@dataclass(frozen=True, slots=True)
class GoogleSide:
    """Google's side of an account.

    :param path: below the base URL.
    :param account: what was agreed, with the sides exchanged.
    :param sealer: seals requests and opens answers; None if a program that it needs is missing.
    :param forge: makes bodies that a sealer would not; None as the sealer.
    :param second: that of another account; None if there is none.
    """

    path: str
    account: JoseAccount | PgpAccount
    sealer: Sealer | None = field(repr=False)
    forge: JoseForge | PgpForge | None = field(repr=False)
    second: GoogleSide | None = None


def read_side(
    members: Mapping[str, Any], wire: Wire, folder: Path, fault: Callable[[str, str], None]
) -> GoogleSide | None:
    """Read the table ``[google]``.

    :param folder: that of relative paths.
    :param fault: is called with the place and the remedy of each fault.
    :returns: None after a fault.
    """
    own = dict(members)
    second, further = own.pop("second", None), None
    if isinstance(second, Mapping):
        further = _read(second, wire, folder, lambda text: fault("google.second", text))
    elif second is not None:
        fault("google.second", "write a table: [google.second]")
    side = _read(own, wire, folder, lambda text: fault("google", text))
    if side is None or further is None:
        return side
    if side.path == further.path:
        fault("google.second", "'paths' is that of the first account; each has its own")
    return replace(side, second=further)


def _read(
    members: Mapping[str, Any], wire: Wire, folder: Path, fault: Callable[[str], None]
) -> GoogleSide | None:
    usual = _PATIENCE if wire is Wire.GOOGLE_PGP else {}
    given = {"envelope": ENVELOPES[wire], **usual, **members}
    given |= {name: _found(given[name], folder) for name in _KEYS if name in given}
    try:
        (account,) = read_accounts({"google": given})
    except Unreadable as unreadable:
        for finding in unreadable.findings:
            fault(finding.removeprefix("account 'google': "))
        return None
    kind = JoseAccount if wire is Wire.GOOGLE_JOSE else PgpAccount
    if not isinstance(account, kind):
        fault(f"'envelope' follows from the protocol {wire}; leave it out")
        return None
    path = account.paths[0]
    if isinstance(account, PgpAccount) and shutil.which(account.program) is None:
        return GoogleSide(path, account, None, None)
    try:
        sealer = account.sealer()
    except KeyFault as found:
        fault(str(found))
        return None
    forge: JoseForge | PgpForge
    if isinstance(account, JoseAccount):
        forge = JoseForge(account)
    else:
        assert isinstance(sealer, PgpSealer)  # noqa: S101 - what a PGP account makes
        forge = PgpForge(sealer, (*account.our_keys, *account.their_keys), account.program)
    return GoogleSide(path, account, sealer, forge)


def _found(keys: Any, folder: Path) -> Any:
    """Return keys, where paths of files are relative to a folder."""
    if isinstance(keys, list):
        return [_found(one, folder) for one in keys]
    if isinstance(keys, str) and len(keys) < 256 and (folder / Path(keys).expanduser()).is_file():
        return str(folder / Path(keys).expanduser())
    return keys
