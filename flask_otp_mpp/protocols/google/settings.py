"""Google's settings, and the reading of the accounts in them.

``OTP_MPP_GOOGLE_ACCOUNTS`` maps a name of the deployment's choosing to what was agreed with Google
for that account::

    {
        "gpay": {
            "envelope": "jose",                      # or "pgp", or "plain" for trials
            "our_keys": ["/etc/wallet/ours.jwks"],   # private; texts or paths, one or a list
            "their_keys": ["/etc/wallet/google.jwks"],
        }
    }

``envelope`` chooses a class of :mod:`~flask_otp_mpp.protocols.google.accounts`; the other members
are that class's fields, where each is declared with its default and meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flask_otp_mpp.core.caller import CLIENT_ID, CLIENT_ID_RULE
from flask_otp_mpp.core.readers import (
    Reader,
    Unreadable,
    choice,
    describe,
    mapping,
    path,
    seconds,
    texts,
)
from flask_otp_mpp.core.settings import (
    Faults,
    read_group,
    read_members,
    setting,
)
from flask_otp_mpp.protocols.chosen_codes import Codes, codes_reader
from flask_otp_mpp.protocols.google.accounts import KINDS, Account, PlainAccount
from flask_otp_mpp.protocols.google.results import CODES, choices_of

_ENVELOPE: Final = choice(KINDS)
_FORM: Final = "{account name: {member: value}}"
_RESULT: Final = re.compile("[A-Z][A-Z0-9_]{1,63}")
_RESERVED: Final = frozenset({"SUCCESS", "UNKNOWN_RESULT"})


def read_accounts(raw: object) -> tuple[Account, ...]:
    """Read the accounts, without starting anything.

    :raises Unreadable: with every fault of every account.
    """
    found: list[Account] = []
    findings: list[str] = []
    owners: dict[str, str] = {}
    for name, members in mapping(raw, _FORM).items():
        if CLIENT_ID.fullmatch(str(name)) is None:
            findings.append(f"account {name!r}: a name has {CLIENT_ID_RULE}; correct it")
            continue
        if not isinstance(members, Mapping) or not members:
            kind = describe(members or None)
            findings.append(f"account {name!r} maps to {kind}; map it to {{member: value}}")
            continue
        faults: Faults = []
        account = _read_account(name, members, faults)
        findings += [f"account {name!r}: {member!r} {finding}" for member, finding in faults]
        found += [] if faults else [account]
        for place in () if "paths" in dict(faults) else account.paths:
            owner = owners.setdefault(place, name)
            if owner != name:
                findings.append(
                    f"account {name!r}: 'paths' holds {place!r} as account {owner!r} does; give "
                    "each account its own"
                )
    if findings:
        raise Unreadable(findings, tuple(found))
    return tuple(found)


def _read_account(name: str, members: Mapping[str, Any], faults: Faults) -> Account:
    given = {str(member): value for member, value in members.items() if value is not None}
    envelope = given.pop("envelope", None)
    try:
        kind = _ENVELOPE(envelope)
    except ValueError as fault:
        faults.append(("envelope", str(fault)))
        # Every account has paths; what else it may have is not known.
        return read_group(PlainAccount, given, faults, prefix="", name=name)
    return read_members(kind, given, faults, of=f"an account by {envelope!r}", name=name)


def _parse_results(raw: object) -> frozenset[str]:
    return frozenset(texts(raw) if raw else ())


def _check_results(names: frozenset[str]) -> str:
    wrong = [name for name in names if _RESULT.fullmatch(name) is None or name in _RESERVED]
    if not wrong:
        return ""
    return (
        f"holds {min(wrong)!r}; list names of Google's SendOtpResultCode, in capitals, that "
        "mean a failure"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleSettings:
    """The settings of :class:`~flask_otp_mpp.GoogleStandardPayments`."""

    accounts: tuple[Account, ...] = setting(
        "GOOGLE_ACCOUNTS",
        Reader("a mapping of account name to a mapping", read_accounts),
        "What was agreed with Google for each account: its envelope, keys and paths.",
        placeholder=(),
    )
    prefix: str = setting(
        "GOOGLE_PREFIX",
        Reader("a URL path, or ''", lambda raw: "" if raw == "" else path(raw)),
        "The path prefix of all accounts in the Flask app.",
        default="/google",
    )
    freshness: timedelta = setting(
        "GOOGLE_FRESHNESS",
        seconds(1, 300),
        "How far a request's time may be from now, either way; Google documents 60.",
        default=60,
    )
    keep: timedelta = setting(
        "GOOGLE_KEEP",
        seconds(86400, 31536000, why="1 to 365 days"),
        "How long the result of a request is kept for its repeats.",
        default=30 * 86400,
    )
    send_results: frozenset[str] = setting(
        "GOOGLE_SEND_RESULTS",
        Reader("a list of texts, or None", _parse_results, _check_results),
        "Further values of SendOtpResultCode that the wallet's hooks may name.",
        default=None,
    )
    codes: Codes = setting(
        "GOOGLE_CODES",
        codes_reader(CODES, choices_of),
        "Other results or error codes of Google's tables, by the reasons that they answer: "
        "`{'USER_LOCKED': 'PRECONDITION_VIOLATION'}`.",
        default=None,
    )
