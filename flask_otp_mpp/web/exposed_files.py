"""Warn of files with secrets that others than their owner and group can read."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from flask_otp_mpp.core.ports import Store
from flask_otp_mpp.core.secret_files import PREFIX, is_exposed
from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.web.settings import CodeSettings, SigningSettings, StoreSettings
from flask_otp_mpp.web.traffic_settings import TrafficSettings

logger = logging.getLogger("flask_otp_mpp")
_KEYS: Final = key_of(SigningSettings, "private_keys")
_PEPPER: Final = key_of(CodeSettings, "peppers")
_STORE: Final = key_of(StoreSettings, "url")
_STORAGE: Final = key_of(TrafficSettings, "limiter_storage")
_ACCOUNTS: Final = "OTP_MPP_GOOGLE_ACCOUNTS"  # its group is imported only if it is served


def warn_of_exposed_files(config: Mapping[str, Any], store: Store) -> None:
    """Warn of each file that others may read or change, of those that a configuration names."""
    for setting, what, path in named_files(config, store):
        if is_exposed(path):
            logger.warning("%r: everybody on this machine can read %s; chmod 600 it", setting, what)


def named_files(config: Mapping[str, Any], store: Store | None) -> Iterator[tuple[str, str, Path]]:
    """Find the files with secrets: the setting that names each, what it is, and its path.

    A setting that is no mapping where it must be one names no file: that is a fault of its own.

    :param store: None if it is at fault.
    """
    yield from _key_files(config)
    yield from _referenced(config)
    yield from _database(store)


def _key_files(config: Mapping[str, Any]) -> Iterator[tuple[str, str, Path]]:
    for version, source in _mapping(config.get(_KEYS)).items():
        for path in paths_of(source):
            yield _KEYS, f"the file of key {str(version)!r}", path
    for name, members in _mapping(config.get(_ACCOUNTS)).items():
        for path in paths_of(_mapping(members).get("our_keys")):
            yield _ACCOUNTS, f"the file {path.name!r} with keys of account {str(name)!r}", path


def _referenced(config: Mapping[str, Any]) -> Iterator[tuple[str, str, Path]]:
    """Find the files of settings that are a path only behind ``file:``."""
    for setting in (_PEPPER, _STORE, _STORAGE):
        raw = config.get(setting)
        for source in raw if isinstance(raw, list | tuple) else [raw]:
            if isinstance(source, str) and source.startswith(PREFIX):
                for path in paths_of(source):
                    yield setting, f"the file {path.name!r}", path


def _database(store: Store | None) -> Iterator[tuple[str, str, Path]]:
    # By attribute: a wallet without the SQL store does not import it.
    files: Sequence[Path] = getattr(store, "files", ())
    for path in files:
        yield _STORE, f"the file {path.name!r}", path


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def paths_of(raw: object) -> Iterator[Path]:
    """Return the files that a text, or a list of them, may name."""
    for source in raw if isinstance(raw, list | tuple) else [raw]:
        text = source.strip() if isinstance(source, str) else ""
        if text and "\n" not in text and len(text) <= 1024:
            yield Path(text.removeprefix(PREFIX))
