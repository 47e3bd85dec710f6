"""A user is known by a credential, whose type says which hook of the host knows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeAlias

from flask_otp_mpp.core.reasons import Reason, refuse

# What a host's user is, only the host knows; it travels from one hook to the next untouched.
User: TypeAlias = Any
UserLoader: TypeAlias = Callable[[str], User | None]
UserIdentity: TypeAlias = Callable[[User], str]

MAX_SUBJECT: Final = 128


class Credential(str):
    """Name a user in the caller's words; it does not show in a repr.

    :cvar missing: how the request is refused if the host finds no user by it.
    """

    __slots__ = ()
    missing: ClassVar[Reason] = Reason.USER_MISSING

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class AccessToken(Credential):
    """Name a user by a token that the wallet gave out, at most 128 characters."""

    __slots__ = ()
    missing = Reason.TOKEN_INVALID


class PhoneNumber(Credential):
    """Name a user by a phone number in E.164, with its plus sign."""

    __slots__ = ()


class AssociationId(Credential):
    """Name a user by the id under which a caller has associated the account."""

    __slots__ = ()
    missing = Reason.TOKEN_INVALID


class Subject(Credential):
    """Name a user as the host's own ``user_identity`` does, at most 128 characters.

    A code is verified for the user to whom it was sent. Where the caller sends no credential with
    it, a loader of this type is asked whether that user is still to be served.
    """

    __slots__ = ()


class Users:
    """Find users by the hooks of the host.

    :param loaders: a hook for each type of credential.
    :param identify: names a user for the store and for signals.
    """

    def __init__(
        self, loaders: Mapping[type[Credential], UserLoader], identify: UserIdentity
    ) -> None:
        self._loaders = loaders
        self._identify = identify

    def load(self, credential: Credential) -> tuple[User, str]:
        """Return the user of a credential, and their name.

        :raises Refused: if there is none, or the host refuses.
        :raises TypeError: if the host names the user by anything but a short text.
        """
        loader = self._loaders.get(type(credential))  # a type that no hook knows finds nobody
        user = None if loader is None else loader(str(credential))  # drivers know plain texts best
        if user is None:
            refuse(credential.missing)
        subject = self._identify(user)
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
            raise TypeError(
                f"the user_identity hook returned {type(subject).__name__}; "
                f"return a non-empty str of at most {MAX_SUBJECT} characters"
            )
        return user, subject

    def confirm(self, subject: str) -> None:
        """Ask whether the user of an earlier request is still to be served.

        :raises Refused: if the host has a loader by :class:`Subject`, and it finds none or refuses.
        """
        loader = self._loaders.get(Subject)
        if loader is not None and loader(subject) is None:
            refuse(Subject.missing)
