"""Checks of keys: whose they are, how old, which one signs, and whether one is used twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from flask_otp_mpp.core.clock import utc_now
from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.protocols.alipay.alipayplus import AlipayPlus, AlipayPlusSettings
from flask_otp_mpp.protocols.alipay.clients import sandbox_in_production
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.checks.fingerprints import ListedKey, Side, listed_keys
from flask_otp_mpp.web.hooks import client_key_use
from flask_otp_mpp.web.settings import SigningSettings

CHECKS: Final = Checks()
_VERSION: Final = key_of(SigningSettings, "key_version")
OLDEST: Final = timedelta(days=3 * 365)
"""NIST SP 800-57 part 1, 5.3.6: a private signature key is used for one to three years."""
_EXPONENT: Final = 65537


@CHECKS.add("own-key", Severity.NOTE, "a key of the wallet")
def _own_key(checked: CheckedApp) -> Iterator[Hit]:
    yield from _shown(checked, Side.OURS, "compare it with the one that the other side has")


@CHECKS.add("caller-key", Severity.NOTE, "a key of a caller")
def _caller_key(checked: CheckedApp) -> Iterator[Hit]:
    yield from _shown(checked, Side.THEIRS, "compare it with the one that the caller names")


def _shown(checked: CheckedApp, side: Side, remedy: str) -> Iterator[Hit]:
    for one in listed_keys(checked):
        if one.side is side:
            age = f"; its file is {_days(one)} days old" if one.changed_at else ""
            found = f"RSA of {one.key.key_size} bits, SHA-256 {one.fingerprint}{age}"
            yield Hit(one.where, found, remedy)


def _days(one: ListedKey) -> int:
    return 0 if one.changed_at is None else max(0, (utc_now() - one.changed_at).days)


@CHECKS.add("own-key-old", Severity.WARNING, "a key of the wallet is old")
def _own_key_old(checked: CheckedApp) -> Iterator[Hit]:
    for one in listed_keys(checked):
        if one.side is Side.OURS and _days(one) > OLDEST.days:
            found = f"its file is {_days(one)} days old, more than three years"
            yield Hit(one.where, found, "make a new one by `flask otp-mpp keygen`, and rotate")


@CHECKS.add("key-on-both-sides", Severity.ERROR, "a key is the wallet's and a caller's")
def _on_both_sides(checked: CheckedApp) -> Iterator[Hit]:
    faulty = {key for key, _ in checked.state.faults}  # that says the same of Alipay+ and AMS
    keys = [one for one in listed_keys(checked) if one.where.partition("[")[0] not in faulty]
    ours = {one.number: one for one in keys if one.side is Side.OURS}
    for one in keys:
        if one.side is Side.THEIRS and one.number in ours:
            found = f"is the key of {ours[one.number].where} too: answers would pass as requests"
            yield Hit(one.where, found, "list the caller's own public key; they may be swapped")


@CHECKS.add("key-of-two-callers", Severity.WARNING, "two callers have one key")
def _of_two_callers(checked: CheckedApp) -> Iterator[Hit]:
    for same in _same_numbers(checked, Side.THEIRS):
        first, *others = same
        for other in others:
            if other.owner != first.owner:
                found = f"is the key of {first.where} too, so that each can call as the other"
                yield Hit(other.where, found, "let each caller have a key of its own")


@CHECKS.add("key-used-twice", Severity.WARNING, "a key of the wallet is listed twice")
def _used_twice(checked: CheckedApp) -> Iterator[Hit]:
    for first, *others in _same_numbers(checked, Side.OURS):
        for other in others:
            found = f"is the key of {first.where} too"
            yield Hit(other.where, found, "make a key for each purpose and version")


def _same_numbers(checked: CheckedApp, side: Side) -> Iterator[list[ListedKey]]:
    by_number: dict[int, list[ListedKey]] = defaultdict(list)
    for one in listed_keys(checked):
        if one.side is side:
            by_number[one.number].append(one)
    yield from by_number.values()


@CHECKS.add("key-exponent", Severity.WARNING, "a key has an unusual exponent")
def _exponent(checked: CheckedApp) -> Iterator[Hit]:
    for one in listed_keys(checked):
        if (found := one.key.public_numbers().e) != _EXPONENT:
            yield Hit(one.where, f"has the exponent {found}", f"make one with {_EXPONENT}")


@CHECKS.add("key-not-newest", Severity.NOTE, "an older key signs")
def _not_newest(checked: CheckedApp) -> Iterator[Hit]:
    signing = checked.settings(SigningSettings)
    versions = [version for version in signing.private_keys if version.isdecimal()]
    chosen = signing.key_version
    if chosen and chosen.isdecimal() and versions and (newest := max(versions, key=int)) != chosen:
        found = f"is {chosen!r}, and a key of version {newest!r} is listed"
        yield Hit(_VERSION, found, f"when the other side knows key {newest!r}, sign by it")


@CHECKS.add("caller-keys-by-hook", Severity.NOTE, "keys of callers are not checked here")
def _by_hook(checked: CheckedApp) -> Iterator[Hit]:
    for protocol in checked.hooks.client_keys:
        found = "knows keys that are in no setting"
        yield Hit(client_key_use(protocol), found, "check them where they are kept")


@CHECKS.add("signer-fails", Severity.ERROR, "the signer does not sign")
def _signer_fails(checked: CheckedApp) -> Iterator[Hit]:
    signer = checked.state.components.signer
    if signer is None:
        return
    remedy = "see that the HSM or KMS answers, and that this process may use its key"
    try:
        signed = signer.sign(b"flask otp-mpp check")
    except Exception as error:  # noqa: BLE001 - whatever a host's signer raises
        yield Hit("OtpMpp(signer=…)", f"raised {type(error).__name__}", remedy)
        return
    if not isinstance(signed, bytes) or not signed:
        yield Hit("OtpMpp(signer=…)", f"returned {type(signed).__name__}, no signature", remedy)


@CHECKS.add("sandbox-in-production", Severity.WARNING, "a sandbox client reaches production")
def _sandbox(checked: CheckedApp) -> Iterator[Hit]:
    for protocol in checked.state.protocols:
        if isinstance(protocol, AlipayPlus):
            scopes = {name: protocol.scope_of(name) for name in protocol.client_names}
            for name in sandbox_in_production(scopes):
                found = f"client {name!r} of the sandbox may name a pspId of production"
                yield Hit(
                    key_of(AlipayPlusSettings, "clients"), found, "give it 'psp_ids' of its own"
                )
