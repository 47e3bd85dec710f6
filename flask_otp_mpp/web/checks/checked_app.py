"""The app that is checked: its state, and its configuration read once more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, TypeVar, cast

from flask import Flask
from flask_limiter import Limiter

from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.settings import ConfigurationError, read_group
from flask_otp_mpp.protocols.base import WireProtocol
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.web.checks.store_report import StoreReport, report_of
from flask_otp_mpp.web.faulty_state import FaultyState
from flask_otp_mpp.web.hooks import Hooks
from flask_otp_mpp.web.limiter import open_limiter
from flask_otp_mpp.web.profiles import Configuration
from flask_otp_mpp.web.settings import StoreSettings
from flask_otp_mpp.web.state import State
from flask_otp_mpp.web.traffic_settings import TrafficSettings

G = TypeVar("G")


class CheckedApp:
    """What checks look at.

    A group of settings is read when a check first asks for it. In place of a value at fault stands
    what could be read of it: the fault is a finding of its own.
    """

    def __init__(self, app: Flask, state: State | FaultyState) -> None:
        self.app = app
        self.state = cast(State, state)
        self._groups: dict[type, Any] = {}

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration as the host gives it."""
        return self.app.config

    @property
    def hooks(self) -> Hooks:
        """The hooks as the host registered them."""
        return self.state.hooks

    @property
    def debugging(self) -> bool:
        """Whether the app is in debug or testing mode."""
        return self.state.debug or self.app.testing

    @property
    def store(self) -> Store | None:
        """The store; None if it is at fault."""
        try:
            return self.state.store
        except ConfigurationError:
            return None

    def settings(self, group: type[G]) -> G:
        """Return the settings of a group."""
        if group not in self._groups:
            self._groups[group] = read_group(group, self.config, [])
        return cast(G, self._groups[group])

    @property
    def protocols(self) -> Iterator[tuple[type[WireProtocol], Any]]:
        """Each protocol that is served, or was to be, with its settings."""
        for protocol in self.state.components.protocols:
            yield protocol, self.settings(protocol.settings)

    @property
    def configuration(self) -> Configuration:
        """What the rules of a profile look at."""
        return Configuration(
            policy=self.state.policy,
            policy_given=self.state.components.policy is not None,
            channels=self.hooks.senders.keys(),
            store=self.store,
            storing=self.settings(StoreSettings),
            options=self.settings(StoreOptions),
            debugging=self.debugging,
        )

    @cached_property
    def store_report(self) -> StoreReport | None:
        """How the store's own check ended; None if it has none, or is at fault."""
        return report_of(self.store)

    @cached_property
    def limiter(self) -> Limiter | None:
        """What counts traffic; None if it is at fault."""
        given = self.state.components.limiter
        return given or open_limiter(self.config, self.settings(TrafficSettings), [])
