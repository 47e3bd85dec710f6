"""What a command of ``flask`` gets of an app whose configuration has faults.

A command may need none of the secrets: to list the routes, or to migrate. So the faults do not stop
it; what it asks for raises those that concern it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, cast

from flask_otp_mpp.core.policy import Policy
from flask_otp_mpp.core.settings import PREFIX, ConfigurationError, settings_of
from flask_otp_mpp.stores.options import StoreOptions
from flask_otp_mpp.web.settings import AuditSettings, SigningSettings, StoreSettings
from flask_otp_mpp.web.support import Served, Support

_GROUPS: Final[Mapping[str, tuple[type, ...]]] = {
    # What an operator does to the store must be recorded.
    "store": (StoreSettings, StoreOptions, AuditSettings),
    "policy": (Policy,),
    "public_keys": (SigningSettings,),
    "audit": (AuditSettings, StoreSettings, StoreOptions),
}
"""What depends on the settings of a few groups only."""
_logger = logging.getLogger("flask_otp_mpp")


class _NotServing:
    """Stands in the place of traffic limits and service, and raises the faults when it is used."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        self._faults = faults

    def __getattr__(self, name: str) -> NoReturn:
        raise ConfigurationError(self._faults)


class FaultyState:
    """Hold what is sound of a State; what a fault concerns raises when it is asked for.

    The routes are registered. A request is answered as unforeseen, before anything is counted.

    :param faults: all that were found.
    :param sound: the attributes of a State that could be made.
    """

    def __init__(self, faults: Sequence[tuple[str, str]], **sound: Any) -> None:
        self.faults = tuple(faults)
        serving = _NotServing(self.faults)
        self._sound = {**sound, "service": serving, "traffic": serving}
        keys = ", ".join(sorted({key for key, _ in faults}))
        _logger.warning(
            "flask-otp-mpp: this command has loaded the app although settings are missing or "
            "wrong: %s; a command that needs them will say what to do, and no request is served",
            keys,
        )

    @property
    def support(self) -> Support:
        """As that of a State; each act needs the store only, and ``show`` the policy too."""
        return Support(cast(Served, self))

    def __getattr__(self, name: str) -> Any:
        groups = _GROUPS.get(name, ())
        keys = {PREFIX + one.name for group in groups for one in settings_of(group).values()}
        if concerned := [(key, finding) for key, finding in self.faults if key in keys]:
            raise ConfigurationError(concerned)
        if name not in self._sound:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._sound[name]
