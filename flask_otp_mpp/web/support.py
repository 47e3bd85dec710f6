"""What an operator can do for a user: look, unlock, forget.

The commands and the host's admin pages work by one class, so that each act is announced once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.clock import Clock
from flask_otp_mpp.core.limits import EVERY_CLIENT, UserLimits
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.user_state import (
    OTHERS,
    RecentEvent,
    Unlocked,
    UserState,
    named,
    user_state,
)
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.web import support_words

ANOTHER_CLIENT: Final = "another client"
"""A client that the settings don't list: a hook knows it, or it was removed."""


Announce: TypeAlias = Callable[[str, str, bool], None]
"""Called with the act ("unlock", "forget"), the subject, and whether it changed anything."""
RecentEvents: TypeAlias = Callable[[str], Sequence[RecentEvent]]
"""Returns what happened to a subject, the oldest first."""


@dataclass(frozen=True, slots=True)
class SupportHooks:
    """What acts of operators are told to, and where recent events are read.

    :param announce: called after each act that did not fail.
    :param recent: None if there is no record of events.
    """

    announce: Announce | None = None
    recent: RecentEvents | None = None


class Served(Protocol):
    """What support needs of the state of an app."""

    @property
    def store(self) -> Store: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def protocols(self) -> Sequence[WireProtocol]: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def support_hooks(self) -> SupportHooks: ...


class Support:
    """Answer for a user, and act, in the store of one app.

    Let it be used only for somebody who has proven by other means who they are.

    :param served: the state of the app; what is asked of it, and no more, must be without fault.
    """

    def __init__(self, served: Served) -> None:
        self._served = served

    def show(self, subject: str) -> UserState:
        """Return what is stored of a user, and what it means now. Nothing is changed.

        :param subject: the user, as the ``user_identity`` hook names it.
        :raises StoreError: if the store failed.
        """
        policy = self._served.policy
        record = self._served.store.look_up(subject)
        return user_state(subject, record, policy, _names(self._served.protocols))

    def in_words(self, state: UserState) -> list[str]:
        """Return lines for people about what :meth:`show` returned, with the recent events."""
        return support_words.in_words(state, self._recent(state.subject))

    def as_json(self, state: UserState) -> dict[str, Any]:
        """Return the same with texts, numbers and lists only, for ``json.dumps``."""
        return support_words.as_json(state, self._recent(state.subject))

    def unlock(self, subject: str, client: str | None = None, *, quota: bool = False) -> Unlocked:
        """End a user's locks and forget their failures.

        :param client: at which client only, by its name in the settings or by the id that a
            ``client_key`` hook knows. The count over all clients stays then, and a user for whom
            it has disabled OTP stays disabled.
        :param quota: whether counted sends are forgotten too, so that a code may be sent at once.
        :raises StoreError: if the store failed.
        """
        clients = None
        if client is not None:
            clients = [Caller(one.name, client).client_digest for one in self._served.protocols]
        forgotten = self._served.store.unlock(subject, clients, quota=quota)
        self._announce("unlock", subject, changed=forgotten is not None)
        return Unlocked(changed=False) if forgotten is None else self._unlocked(forgotten)

    def forget(self, subject: str) -> bool:
        """Delete all that the store holds of a user.

        :returns: whether there was anything to delete.
        :raises StoreError: if the store failed.
        """
        changed = self._served.store.forget(subject)
        self._announce("forget", subject, changed=changed)
        return changed

    def _recent(self, subject: str) -> Sequence[RecentEvent]:
        recent = self._served.support_hooks.recent
        return () if recent is None else recent(subject)

    def _unlocked(self, forgotten: UserLimits) -> Unlocked:
        now, name_of = self._served.clock(), _names(self._served.protocols)
        clients = [named(one, now, name_of) for one in forgotten.clients]
        return Unlocked(
            changed=True,
            locks=tuple(one for one in clients if one.locked_until is not None),
            failures=forgotten.failures or sum(one.failures for one in forgotten.clients),
            sends=len(forgotten.sends),
        )

    def _announce(self, act: str, subject: str, *, changed: bool) -> None:
        announce = self._served.support_hooks.announce
        if announce is not None:
            announce(act, subject, changed)


def _names(protocols: Sequence[WireProtocol]) -> Callable[[str], str]:
    """Return a function that names a client by the digest by which a store counts for it.

    A name that two protocols know is told with its protocol.
    """
    known = Counter(name for protocol in protocols for name in protocol.client_names)
    names = {EVERY_CLIENT: "every client", OTHERS: "any other client"}
    for protocol in protocols:
        for name in protocol.client_names:
            shown = name if known[name] == 1 else f"{name} ({protocol.name})"
            names[Caller(protocol.name, name).client_digest] = shown
    return lambda digest: names.get(digest, ANOTHER_CLIENT)
