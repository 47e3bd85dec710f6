"""Users: the credentials that name them, and the hooks of the host that find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeAlias
from uuid import UUID

from flask_otp_mpp.core.caller import Caller
from flask_otp_mpp.core.reasons import Reason, refuse
from flask_otp_mpp.core.secret import Secret
from flask_otp_mpp.core.trace import Part, current, timed

# Any object of the host's; it is passed from one hook to the next as it is.
User: TypeAlias = Any
UserLoader: TypeAlias = Callable[[str, Caller], User | None]
UserIdentity: TypeAlias = Callable[[User], str]

MAX_SUBJECT: Final = 128


class Credential(Secret[str]):
    """What a caller names a user by; only the host's hook gets it as a text.

    :cvar missing: how the request is refused if the host finds no user by it.
    """

    __slots__ = ()
    missing: ClassVar[Reason] = Reason.USER_MISSING


class AccessToken(Credential):
    """A token that the wallet has issued, of at most 128 characters."""

    __slots__ = ()
    missing = Reason.TOKEN_INVALID


class PhoneNumber(Credential):
    """A phone number in E.164, with its plus sign."""

    __slots__ = ()


class AssociationId(Credential):
    """The id under which a caller has associated the account."""

    __slots__ = ()
    missing = Reason.TOKEN_INVALID


class Subject(Credential):
    """A user's name by the host's ``user_identity``, at most 128 characters.

    If a caller sends no credential with a code, the code is verified for the user to whom it was
    sent; a loader of this type then decides whether that user may still be served.
    """

    __slots__ = ()


class Users:
    """Finds users by the hooks of the host.

    :param loaders: a hook for each type of credential.
    :param identify: names a user for the store and for signals.
    """

    def __init__(
        self, loaders: Mapping[type[Credential], UserLoader], identify: UserIdentity
    ) -> None:
        self._loaders = loaders
        self._identify = identify

    def load(self, credential: Credential, caller: Caller) -> tuple[Secret[User], str]:
        """Return the user of a credential, and their name.

        :param caller: who presents the credential.
        :raises Refused: if there is none, or the host refuses.
        :raises TypeError: if the host names the user by anything but a short text.
        """
        loader = self._loaders.get(type(credential))  # a type without a hook finds no user
        # The repr of a host's user may hold anything, a phone number too.
        with timed(Part.HOOKS):
            user = Secret(None if loader is None else loader(credential.reveal(), caller))
            if user.reveal() is caller:  # as dict.get does, whose second argument is a default
                raise TypeError("a user_loader returned the caller; return the user, or None")
            if user.reveal() is None:
                refuse(credential.missing)
            subject = self._identify(user.reveal())
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
            raise TypeError(
                f"the user_identity hook returned {type(subject).__name__}; "
                f"return a non-empty str of at most {MAX_SUBJECT} characters"
            )
        current().subject = subject
        return user, subject

    def confirm(self, subject: str, caller: Caller) -> None:
        """Check that the user of an earlier request may still be served.

        :param caller: who asks now.
        :raises Refused: if the host has a loader by :class:`Subject`, and it finds none or refuses.
        """
        loader = self._loaders.get(Subject)
        current().subject = subject
        if loader is None:
            return
        with timed(Part.HOOKS):
            found = loader(subject, caller)
        if found is None:
            refuse(Subject.missing)


def identity_of(user: User) -> str:
    """Name a user by what users usually have: being a text, ``id``, or ``get_id()``.

    ``id`` comes first: Flask-Login's ``get_id()`` may change with a password, and a lock under the
    old name would end. The name is a text, a whole number or a UUID.

    :raises TypeError: if there is no such name; a ``user_identity`` hook is then needed.
    """
    kind = type(user).__name__
    name = user if isinstance(user, str) else getattr(user, "id", None)
    if name is None and callable(get_id := getattr(user, "get_id", None)):
        name = get_id()
    del user  # an error reporter stores what the names of this frame stand for
    if isinstance(name, str | int | UUID) and not isinstance(name, bool):
        return str(name)
    found = type(name).__name__
    del name
    raise TypeError(f"a {kind} has an id of type {found}; register @otp.user_identity")
