"""The extension: a host makes one ``OtpMpp``, registers its hooks, and initialises its apps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar, cast, overload

from flask import Flask, current_app
from flask_limiter import Limiter

from flask_otp_mpp.core.challenge import Channel
from flask_otp_mpp.core.clock import Clock, utc_now
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.service import Sender
from flask_otp_mpp.core.users import AccessToken, Credential, UserLoader
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.signing.keys import Signer
from flask_otp_mpp.web.blueprint import ProtocolBlueprint
from flask_otp_mpp.web.build import Components, State, build
from flask_otp_mpp.web.hooks import Hooks, client_key_use, loader_use, name_of, register, sender_use

EXTENSION: Final = "otp_mpp"
H = TypeVar("H", bound=Callable[..., Any])
L = TypeVar("L", bound=UserLoader)
I = TypeVar("I", bound=Callable[[Any], str | Awaitable[str]])  # noqa: E741
S = TypeVar("S", bound=Sender)
K = TypeVar("K", bound=Callable[[str, str | None], Any])


class OtpMpp:
    """Serve OTP protocols from a Flask app.

    One instance may serve several apps; each gets a state of its own. Hooks may be ``async``.

    :param protocols: the protocols to serve, such as :class:`~flask_otp_mpp.AlipayPlus`.
    :param signer: signs the answers in place of a key from ``OTP_MPP_PRIVATE_KEYS``: an HSM or KMS.
    :param store: keeps the challenges in place of the one that ``OTP_MPP_STORE`` names.
    :param policy: how codes are sent, tried and locked, in place of the settings of
        :class:`~flask_otp_mpp.Policy`, such as ``OTP_MPP_CODE_LIFE``; none of them may be set then.
    :param limiter: the host's own Limiter, whose storage and strategy then count our traffic.
    :param clock: the time, as aware UTC; for tests.
    :raises TypeError: if a protocol is missing, or is no class of a protocol.
    """

    def __init__(
        self,
        *protocols: type[WireProtocol],
        signer: Signer | None = None,
        store: Store | None = None,
        policy: Policy | None = None,
        limiter: Limiter | None = None,
        clock: Clock = utc_now,
    ) -> None:
        if not protocols:
            raise TypeError("OtpMpp needs a protocol to serve, such as OtpMpp(AlipayPlus)")
        for protocol in protocols:
            _check_protocol(protocol)
        self._components = Components(protocols, signer, store, policy, limiter, clock)
        self._hooks = Hooks()
        self._in_use = False

    def init_app(self, app: Flask) -> None:
        """Read settings, keys and hooks, and register routes with the app.

        :raises ConfigurationError: with every fault of the configuration, if there is any.
        :raises RuntimeError: if the app has an OtpMpp already.
        """
        if EXTENSION in app.extensions:
            raise RuntimeError("this app has an OtpMpp already; pass it all protocols at once")
        state = build(app, self._components, self._hooks)
        self._in_use = True
        for protocol in state.protocols:
            for mount in protocol.mounts:
                blueprint = ProtocolBlueprint(
                    protocol, mount, state.service, state.traffic, state.body_limit
                )
                blueprint.register(app)
        app.extensions[EXTENSION] = state

    @overload
    def user_loader(self, what: type[Credential], /) -> Callable[[L], L]: ...
    @overload
    def user_loader(self, what: L, /) -> L: ...
    def user_loader(self, what: Any, /) -> Any:
        """Register the hook that finds a user by access token, or by another type of credential.

        It is called with a text and returns any object; or None, which is answered as an invalid
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

        It goes into the store and into signals, so return a primary key, no phone number. Without
        the hook ``get_id()``, ``id``, or the user itself if it is a text are taken.
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
            if what not in self._components.protocols:
                raise TypeError(
                    f"@otp.client_key({what.__name__}) is for a protocol that is not served; "
                    "pass that to OtpMpp, too"
                )
            return partial(self._add_client_key, what)
        return self._add_client_key(None, what)

    def _add_loader(self, credential: type[Credential], hook: L) -> L:
        use, argument = loader_use(credential), credential.__name__
        return self._register(self._hooks.user_loaders, credential, hook, use, argument)

    def _add_client_key(self, protocol: type[WireProtocol] | None, hook: K) -> K:
        use = client_key_use(protocol)
        return self._register(self._hooks.client_keys, protocol, hook, use, "client", "version")

    def _register(
        self, registry: dict[Any, Any], key: object, hook: H, use: str, *arguments: str
    ) -> H:
        if self._in_use:
            raise RuntimeError(
                f"hook {name_of(hook)!r} is registered after init_app, which has read the hooks "
                "already; register it before"
            )
        return register(registry, key, hook, use, *arguments)


def _check_protocol(given: object) -> None:
    """See that what is passed as a protocol is one.

    :raises TypeError: if it is not, with what to write.
    """
    if isinstance(given, Flask):
        raise TypeError(
            "OtpMpp got an app where a protocol is expected; write otp = OtpMpp(AlipayPlus) and "
            "then otp.init_app(app)"
        )
    kind = given if isinstance(given, type) else type(given)
    if not hasattr(kind, "authenticate"):
        raise TypeError(f"OtpMpp got {given!r}, which is no protocol; pass a class: AlipayPlus")
    if kind is not given:
        raise TypeError(
            f"OtpMpp got an instance of {kind.__name__}; pass the class: OtpMpp({kind.__name__})"
        )


def _check_channel(given: object) -> None:
    """See that what is passed as a channel is one.

    :raises TypeError: if it is not, with what to write.
    """
    if not isinstance(given, Channel):
        found = "without a channel" if callable(given) else f"with {given!r}"
        choices = " or ".join(map(sender_use, Channel))
        raise TypeError(f"@otp.sender is used {found}; write {choices}")


def state_of(app: Flask | None = None) -> State:
    """Return what an app serves with, the current app if none is given.

    :raises RuntimeError: if the app has no OtpMpp.
    """
    extensions = (app or current_app).extensions
    if EXTENSION not in extensions:
        raise RuntimeError("this app has no OtpMpp; call otp.init_app(app) in its factory")
    return cast(State, extensions[EXTENSION])
