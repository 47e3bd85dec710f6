"""The hooks of a host: their registration by decorators."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, overload

from flask import Flask

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.service import Sender
from flask_otp_mpp.core.settings import Faults
from flask_otp_mpp.core.users import AccessToken, Credential, UserLoader
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.web.in_sync import in_sync

logger = logging.getLogger("flask_otp_mpp")
H = TypeVar("H", bound=Callable[..., Any])
L = TypeVar("L", bound=UserLoader)
I = TypeVar("I", bound=Callable[[Any], str | Awaitable[str]])  # noqa: E741
S = TypeVar("S", bound=Sender)
K = TypeVar("K", bound=Callable[[str, str | None], Any])


@dataclass(slots=True)
class Hooks:
    """Collect what a host registers; each app gets a copy of its own."""

    user_loaders: dict[type[Credential], Callable[..., Any]] = field(default_factory=dict)
    user_identity: dict[None, Callable[..., Any]] = field(default_factory=dict)
    client_keys: dict[type[WireProtocol] | None, Callable[..., Any]] = field(default_factory=dict)
    senders: dict[Channel, Callable[..., Any]] = field(default_factory=dict)

    def client_key(self, protocol: type[WireProtocol]) -> Callable[..., Any] | None:
        """Return the hook that knows keys of a protocol's clients, if there is one."""
        return self.client_keys.get(protocol, self.client_keys.get(None))


class HookRegistry:
    """The registration of a host's hooks, by decorators; the part of ``OtpMpp`` that does it.

    An app keeps the hooks that ``init_app`` has read. One that is registered later is for the apps
    that are initialised later; there it replaces the earlier hook in its place.
    """

    def __init__(self, protocols: Sequence[type[WireProtocol]]) -> None:
        self._protocols = protocols
        self._hooks = Hooks()
        self._unread: dict[str, Callable[..., Any]] = {}  # by their use, since the last init_app

    @overload
    def user_loader(self, what: type[Credential], /) -> Callable[[L], L]: ...
    @overload
    def user_loader(self, what: L, /) -> L: ...
    def user_loader(self, what: Any, /) -> Any:
        """Register the hook that finds a user by access token, or by another type of credential.

        It is called with a text and the :class:`~flask_otp_mpp.Caller` who presents it. It returns
        any object; or None, which is answered as an invalid
        token; or it refuses, for example by ``refuse(Reason.TOKEN_EXPIRED)`` or
        ``refuse(Reason.USER_ABNORMAL)``. Check the token, its scope, its expiry and its user in
        this order (Alipay+ acceptance).

        Without an argument, as ``@otp.user_loader``, it is the one by access token. Others are
        registered by their type: ``@otp.user_loader(PhoneNumber)``. The one by
        :class:`~flask_otp_mpp.Subject` is called with what ``user_identity`` returned when the
        code was sent, where a protocol sends no token with the code: it lets a wallet refuse a
        user who was frozen meanwhile. It is optional.
        """
        if isinstance(what, type) and issubclass(what, Credential):
            return partial(self._add_loader, what)
        return self._add_loader(AccessToken, what)

    def user_identity(self, hook: I) -> I:
        """Register the hook that names a user: a stable text of at most 128 characters.

        It goes into the store and into signals, so return a primary key, no phone number. It must
        stay the same while the user is the same: a lock holds for the name. Without the hook the
        user itself is taken if it is a text, its ``id``, or its ``get_id()``.
        """
        return self._register(self._hooks.user_identity, None, hook, "@otp.user_identity", "user")

    def sender(self, channel: Channel) -> Callable[[S], S]:
        """Register the hook that delivers a message on a channel, called with user and message.

        If the hook returns, the provider has accepted the message. ``refuse(...)`` means that it
        never will, for example Reason.CHANNEL_UNAVAILABLE if the user has no address. Any other
        exception means that it is unknown. The package never sends the message again. The caller
        waits about five seconds, so give the provider a shorter timeout.

        :raises TypeError: if it is not a channel, or the hook does not take these two.
        """
        _check_channel(channel)
        use = sender_use(channel)

        def add(hook: S) -> S:
            return self._register(self._hooks.senders, channel, hook, use, "user", "message")

        return add

    @overload
    def client_key(self, what: type[WireProtocol], /) -> Callable[[K], K]: ...
    @overload
    def client_key(self, what: K, /) -> K: ...
    def client_key(self, what: Any, /) -> Any:
        """Register the hook that finds public keys which the settings do not list.

        It is called with the client id and the key version (None stands for the newest) before
        anything is proven, and returns a key as text or object, or None if it knows none.

        Where several protocols are served, each has clients of its own: say whose they are, as in
        ``@otp.client_key(AlipayPlus)``.
        """
        if isinstance(what, type) and hasattr(what, "authenticate"):
            if what not in self._protocols:
                raise TypeError(
                    f"@otp.client_key({what.__name__}) is for a protocol that is not served; "
                    "pass that to OtpMpp, too"
                )
            return partial(self._add_client_key, what)
        return self._add_client_key(None, what)

    def _add_loader(self, credential: type[Credential], hook: L) -> L:
        use, argument = loader_use(credential), _argument_of(credential)
        return self._register(self._hooks.user_loaders, credential, hook, use, argument, "caller")

    def _add_client_key(self, protocol: type[WireProtocol] | None, hook: K) -> K:
        use = client_key_use(protocol)
        return self._register(self._hooks.client_keys, protocol, hook, use, "client", "version")

    def _register(
        self, registry: dict[Any, Any], key: object, hook: H, use: str, *arguments: str
    ) -> H:
        if use in self._unread:
            raise RuntimeError(
                f"{use} has the hook {name_of(self._unread[use])!r} already, which "
                f"{name_of(hook)!r} would replace; register one of them"
            )
        check_hook(hook, use, *arguments)
        registry[key] = self._unread[use] = hook
        return hook

    def _check_all_read(self) -> None:
        """See that no hook was registered too late.

        :raises RuntimeError: naming the hooks that no app has read.
        """
        if late := ", ".join(f"{use} {name_of(hook)!r}" for use, hook in self._unread.items()):
            finding = f"registered after init_app, so that no app calls it: {late}; do it before"
            logger.error("no request is served: %s", finding)
            raise RuntimeError(finding)


def _check_channel(given: object) -> None:
    """See that what is passed as a channel is one.

    :raises TypeError: if it is not, with what to write.
    """
    if not isinstance(given, Channel):
        found = "without a channel" if callable(given) else f"with {given!r}"
        choices = " or ".join(map(sender_use, Channel))
        raise TypeError(f"@otp.sender is used {found}; write {choices}")


def check_hook(hook: object, use: str, *arguments: str) -> None:
    """See that a hook can be called with what it is called with.

    :param use: how a host registers it, for errors: ``@otp.sender(Channel.MOBILE)``.
    :param arguments: the names of what it is called with.
    :raises TypeError: if it can't be called with these arguments.
    """
    wanted = ", ".join(arguments)
    if not callable(hook):
        raise TypeError(f"{use} got {hook!r}; give it a function of ({wanted})")
    try:
        signature = inspect.signature(hook)
    except (TypeError, ValueError):  # a builtin may have none
        signature = inspect.Signature([inspect.Parameter("any", inspect.Parameter.VAR_POSITIONAL)])
    try:
        signature.bind(*arguments)
    except TypeError:
        raise TypeError(
            f"hook {name_of(hook)!r} takes {signature}, and {use} calls it with ({wanted}); "
            f"write def {name_of(hook)}({wanted})"
        ) from None


def name_of(hook: object) -> str:
    """Return the name of a hook, for errors."""
    return str(getattr(hook, "__name__", type(hook).__name__))


def loader_use(kind: type[Credential]) -> str:
    """Return how a host registers a loader, for errors."""
    return "@otp.user_loader" if kind is AccessToken else f"@otp.user_loader({kind.__name__})"


def _argument_of(kind: type[Credential]) -> str:
    """Return the name of a loader's first argument, for errors: ``access_token``."""
    return re.sub(r"\B(?=[A-Z])", "_", kind.__name__).lower()


def sender_use(channel: Channel) -> str:
    """Return how a host registers a sender, for errors."""
    return f"@otp.sender(Channel.{channel.name})"


def client_key_use(protocol: type[WireProtocol] | None) -> str:
    """Return how a host registers a hook for keys, for errors."""
    return "@otp.client_key" + ("" if protocol is None else f"({protocol.__name__})")


def sync_hooks(app: Flask, hooks: Hooks, faults: Faults) -> Hooks:
    """Return hooks that can be called without a loop, the async ones through the app's own means.

    What is missing for that is added to the faults.
    """

    def sync(use: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return in_sync(app, hook)
        except RuntimeError:
            finding = f"has the async hook {name_of(hook)!r}; pip install 'flask[async]'"
            faults.append((use, finding))
            return hook

    return Hooks(
        {kind: sync(loader_use(kind), hook) for kind, hook in hooks.user_loaders.items()},
        {key: sync("@otp.user_identity", hook) for key, hook in hooks.user_identity.items()},
        {key: sync(client_key_use(key), hook) for key, hook in hooks.client_keys.items()},
        {channel: sync(sender_use(channel), hook) for channel, hook in hooks.senders.items()},
    )
