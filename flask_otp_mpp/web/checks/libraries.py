"""Checks of the libraries: those that are installed, and are older than what works."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import Final

from packaging.requirements import Requirement

from flask_otp_mpp.stores import SQLAlchemyStore
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp

CHECKS: Final = Checks()
_PACKAGE: Final = "flask-otp-mpp"


@CHECKS.add("library-old", Severity.ERROR, "a library is older than what the package works with")
def _old(_checked: CheckedApp) -> Iterator[Hit]:
    for text in metadata.requires(_PACKAGE) or ():
        needed = Requirement(text)
        installed = _installed(needed.name)
        if installed and not needed.specifier.contains(installed, prereleases=True):
            found = f"is {installed}, and {_PACKAGE} needs {needed.specifier}"
            advice = f"pip install '{needed.name}{needed.specifier}'"
            yield Hit(f"library {needed.name}", found, advice)


@CHECKS.add("alembic-missing", Severity.NOTE, "tables can't be upgraded from here")
def _alembic(checked: CheckedApp) -> Iterator[Hit]:
    if isinstance(checked.store, SQLAlchemyStore) and _installed("alembic") is None:
        found = "is not installed: `flask otp-mpp upgrade-db` needs it"
        yield Hit("library alembic", found, f"pip install '{_PACKAGE}[migrations]'")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
