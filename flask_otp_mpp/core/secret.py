"""Values that no repr, log, pickle or JSON shows: codes, tokens, peppers, addresses, bodies.

An error reporter stores the locals of every frame of a traceback, by their repr. So a frame of this
package that may be on the stack while a hook of the host runs holds a secret in a :class:`Secret`
only, and reveals it in the one expression that needs it.
"""

from __future__ import annotations

import hmac
import traceback
from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T")


class Secret(Generic[T]):
    """Hold a text, bytes or another object that only :meth:`reveal` shows.

    It has no ``__dict__`` and no length, can't be iterated, hashed, copied to JSON or pickled, and
    is compared in constant time, with a secret of the same type only. Objects that are neither text
    nor bytes are not compared.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """Return the value; use it in the same expression, and give it no name."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret) or type(other) is not type(self):
            return NotImplemented
        mine, theirs = _bytes(self), _bytes(other)
        if mine is None or theirs is None:
            return self is other
        return hmac.compare_digest(mine, theirs)

    __hash__ = None  # type: ignore[assignment]  # a hash of few digits tells what they are

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not pickled or copied; reveal() what you need")


class cleared_frames:  # noqa: N801 - it is used as a statement: with cleared_frames()
    """Clear the locals of the frames below, if an exception leaves them.

    For steps that must hold secrets in plain text, such as the reading of a body. File, line and
    function of each frame stay in the traceback.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        if error is not None:
            clear_frames(error)


def clear_frames(error: BaseException) -> None:
    """Clear the locals of all frames that have ended by this exception, its causes and contexts."""
    seen: set[int] = set()
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            traceback.clear_frames(link.__traceback__)
            links += [link.__cause__, link.__context__]


def _bytes(secret: Secret[Any]) -> bytes | None:
    value = secret.reveal()
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return value if isinstance(value, bytes) else None
