"""The extension: a host makes one ``OtpMpp``, registers its hooks, and initialises its apps."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final, cast

from flask import Flask, current_app
from flask_limiter import Limiter

from flask_otp_mpp.core.clock import Clock, utc_now
from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.settings import key_of, read_group
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.signing.keys import Signer
from flask_otp_mpp.web.blueprint import ProtocolBlueprint
from flask_otp_mpp.web.build import build
from flask_otp_mpp.web.hooks import HookRegistry
from flask_otp_mpp.web.overrides import clock_in_force, hooks_in_force
from flask_otp_mpp.web.settings import ServingSettings
from flask_otp_mpp.web.state import Components, State
from flask_otp_mpp.web.terminal import show_events

EXTENSION: Final = "otp_mpp"
_ENABLED: Final = key_of(ServingSettings, "enabled")
logger = logging.getLogger("flask_otp_mpp")


class NotServedError(RuntimeError):
    """Report that an app has no OtpMpp, or one that is switched off."""


class OtpMpp(HookRegistry):
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
        super().__init__(protocols)
        self._components = Components(protocols, signer, store, policy, limiter, clock)

    def init_app(self, app: Flask) -> None:
        """Read settings, keys and hooks, and register routes with the app.

        With ``OTP_MPP_ENABLED`` set to false nothing is registered. If a command of ``flask`` other
        than ``run`` loads the app, faults do not stop it: they are raised when it asks for what
        they concern.

        :raises ConfigurationError: with every fault of the configuration, if there is any.
        :raises RuntimeError: if the app has an OtpMpp already.
        """
        if EXTENSION in app.extensions:
            raise RuntimeError("this app has an OtpMpp already; pass it all protocols at once")
        self._unread.clear()
        if not read_group(ServingSettings, app.config, []).enabled:
            logger.warning("%r is false: this app serves no OTP", _ENABLED)
            app.extensions[EXTENSION] = None
            return
        clock = clock_in_force(self._components.clock)
        components = replace(self._components, clock=clock)
        show_events()
        state = build(app, components, hooks_in_force(self._hooks))
        for protocol in state.protocols:
            for mount in protocol.mounts:
                blueprint = ProtocolBlueprint(
                    protocol,
                    mount,
                    state.service,
                    state.traffic,
                    body_limit=state.body_limit,
                    ipv6_prefix=state.ipv6_prefix,
                    host_limits=state.host_limits,
                    check_hooks=self._check_all_read,
                )
                blueprint.register(app)
        app.extensions[EXTENSION] = state

    def unlock(self, subject: str, client: str | None = None, *, quota: bool = False) -> bool:
        """End a user's locks and forget their failures, in the current app's store.

        Let it be called only for somebody who has proven by other means who
        they are: whoever can call it can guess again.

        :param subject: the user, as the ``user_identity`` hook names it.
        :param client: at which client only; a user for whom OTP is disabled stays so then.
        :param quota: whether counted sends are forgotten too, so that a code may be sent at once.
        :returns: whether there was anything to forget.
        :raises StoreError: if the store failed.
        :raises RuntimeError: outside of an app context, or if the app has no OtpMpp, or
            ``OTP_MPP_ENABLED`` is false.
        """
        return state_of().support.unlock(subject, client, quota=quota).changed

    def forget(self, subject: str) -> bool:
        """Delete all that the current app's store holds of a user.

        Codes that are out are not accepted any more. Failures, locks and counted sends are gone,
        so whoever can call it can guess and send again, and a request that is repeated is done
        again. First let the hooks that load users refuse this one: a request that is in progress,
        or comes later, may store something.

        :param subject: the user, as the ``user_identity`` hook names it.
        :returns: whether there was anything to delete.
        :raises StoreError: if the store failed.
        :raises RuntimeError: outside of an app context, or if the app has no OtpMpp, or
            ``OTP_MPP_ENABLED`` is false.
        """
        return state_of().support.forget(subject)


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


def state_of(app: Flask | None = None) -> State:
    """Return what an app serves with, the current app if none is given.

    :raises RuntimeError: if the app has no OtpMpp, or ``OTP_MPP_ENABLED`` is false.
    """
    extensions = (app or current_app).extensions
    if EXTENSION not in extensions:
        raise NotServedError("this app has no OtpMpp; call otp.init_app(app) in its factory")
    if extensions[EXTENSION] is None:
        raise NotServedError(
            f"{_ENABLED!r} is false, so this app has no OTP: neither routes nor a store; set it to "
            "true"
        )
    return cast(State, extensions[EXTENSION])
