"""Profiles: the clauses of a standard that an app must meet before it starts.

The bounds of :class:`~flask_otp_mpp.Policy` hold without a profile: digits, life, tries, and the
most failures in a row. Here is what a standard wants besides; ``docs/compliance.md`` goes through
all of its clauses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Final

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.settings import Faults, key_of
from flask_otp_mpp.stores import MemoryStore, StoreOptions
from flask_otp_mpp.web.hooks import sender_use
from flask_otp_mpp.web.settings import OnUnfit, Profile, StoreSettings

PSD2_FAILURES: Final = 5


@dataclass(frozen=True, slots=True)
class Configuration:
    """Hold what the rules of a profile look at.

    :param policy_given: whether the policy was passed to ``OtpMpp``, and is in no setting.
    :param channels: those that have a sender.
    :param store: None if it is at fault.
    :param debugging: whether the app is in debug or testing mode.
    """

    policy: Policy
    policy_given: bool
    channels: Set[Channel]
    store: Store | None
    storing: StoreSettings
    options: StoreOptions
    debugging: bool


@dataclass(frozen=True, slots=True)
class ProfileRule:
    """One demand of a standard.

    :param group: declares the setting that is named in the fault; None if it is no setting.
    :param name: the field of that group, or what else is named.
    :param check: returns what is wrong, or an empty text.
    """

    clause: str
    group: type | None
    name: str
    check: Callable[[Configuration], str]

    def key(self, found: Configuration) -> str:
        """Return what a host has to change."""
        if self.group is None:
            return self.name
        if self.group is Policy and found.policy_given:
            return f"policy=Policy({self.name}=…)"
        return key_of(self.group, self.name)


def _check_email(found: Configuration) -> str:
    if Channel.EMAIL not in found.channels:
        return ""
    return "is registered, and e-mail must not be used for codes; remove it"


def _check_failures(found: Configuration) -> str:
    limit = found.policy.failure_limit
    return "" if limit <= PSD2_FAILURES else f"is {limit}; set it to {PSD2_FAILURES} or less"


def _check_first_block(found: Configuration) -> str:
    limit, first = found.policy.disable_after, found.policy.failure_limit
    if limit > first:
        return ""
    return (
        f"is {limit}, so that no lock would warn the user of the permanent block; set it to more "
        f"than the {first} failures that lock"
    )


def _check_memory(found: Configuration) -> str:
    if found.debugging or not isinstance(found.store, MemoryStore):
        return ""
    return "is memory://, which forgets failures on restart; use a database or Redis"


def _check_unfit(found: Configuration) -> str:
    if found.storing.check is OnUnfit.REFUSE:
        return ""
    return "lets an app start whose store could forget failures; set it to 'refuse'"


def _check_eviction(found: Configuration) -> str:
    if not found.options.allow_eviction:
        return ""
    return "lets an app start whose Redis may drop failures; set it to 'refuse'"


def _lasting(clause: str) -> tuple[ProfileRule, ...]:
    """Return the rules of a clause that limits failures: what is forgotten limits nothing."""
    return (
        ProfileRule(clause, StoreSettings, "url", _check_memory),
        ProfileRule(clause, StoreSettings, "check", _check_unfit),
        ProfileRule(clause, StoreOptions, "allow_eviction", _check_eviction),
    )


RULES: Final[Mapping[Profile, tuple[ProfileRule, ...]]] = {
    Profile.NONE: (),
    Profile.NIST: (
        ProfileRule("NIST SP 800-63B-4, 3.1.3.1", None, sender_use(Channel.EMAIL), _check_email),
        *_lasting("NIST SP 800-63B-4, 3.2.2"),
    ),
    Profile.PSD2: (
        ProfileRule("RTS (EU) 2018/389, 4(3)(b)", Policy, "failure_limit", _check_failures),
        ProfileRule("RTS (EU) 2018/389, 4(4)", Policy, "disable_after", _check_first_block),
        *_lasting("RTS (EU) 2018/389, 4(3)(b)"),
    ),
}


def check_profile(profile: Profile, found: Configuration, faults: Faults) -> None:
    """See that the configuration meets every clause of a profile; what does not is a fault.

    A setting that is at fault already is left out: its value is not known.
    """
    known = dict(faults)
    for rule in RULES[profile]:
        key = rule.key(found)
        if key not in known and (finding := rule.check(found)):
            faults.append((key, f"{finding} (profile {profile.value!r}: {rule.clause})"))
