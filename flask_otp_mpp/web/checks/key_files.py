"""Checks of the files that a configuration names: who may read and who may replace them."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from flask_otp_mpp.core.secret_files import is_exposed
from flask_otp_mpp.core.settings import key_of
from flask_otp_mpp.web.checks.base import Checks, Hit, Severity
from flask_otp_mpp.web.checks.checked_app import CheckedApp
from flask_otp_mpp.web.exposed_files import named_files, paths_of

CHECKS: Final = Checks()
_WRITABLE: Final = stat.S_IWGRP | stat.S_IWOTH


def _public_files(checked: CheckedApp) -> Iterator[tuple[str, str, Path]]:
    """Find the files with keys of the other side."""
    for protocol, _ in checked.protocols:
        if protocol.clients is None:
            continue
        setting = key_of(protocol.settings, protocol.clients)
        for client, entry in _items(checked.config.get(setting)):
            for version, source in _items(_mapping(entry).get("keys", entry)):
                for path in paths_of(source):
                    yield setting, f"the file of key {version!r} of client {client!r}", path
    for name, members in _items(checked.config.get("OTP_MPP_GOOGLE_ACCOUNTS")):
        for path in paths_of(_mapping(members).get("their_keys")):
            what = f"the file {path.name!r} with keys of Google for account {name!r}"
            yield "OTP_MPP_GOOGLE_ACCOUNTS", what, path


def _all_files(checked: CheckedApp) -> Iterator[tuple[str, str, Path]]:
    yield from named_files(checked.config, checked.store)
    yield from _public_files(checked)


def _directories(checked: CheckedApp) -> Iterator[tuple[str, str, Path, int]]:
    """Find the directory of each file, with its mode."""
    for setting, what, path in _all_files(checked):
        directory = path.absolute().parent
        if _mode(path) is not None and (mode := _mode(directory)) is not None:
            yield setting, what, directory, mode


def _mode(path: Path) -> int | None:
    """Return the mode of a file; None if there is none, as where a text is a key itself."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _items(raw: object) -> Iterator[tuple[str, Any]]:
    for name, value in _mapping(raw).items():
        yield str(name), value


@CHECKS.add("file-exposed", Severity.ERROR, "everybody on this machine can read a secret")
def _exposed(checked: CheckedApp) -> Iterator[Hit]:
    for setting, what, path in named_files(checked.config, checked.store):
        if is_exposed(path):
            yield Hit(setting, f"everybody on this machine can read {what}", "chmod 600 it")


@CHECKS.add("key-file-writable", Severity.ERROR, "others can replace a caller's key")
def _writable(checked: CheckedApp) -> Iterator[Hit]:
    for setting, what, path in _public_files(checked):
        if (mode := _mode(path)) is not None and mode & _WRITABLE:
            found = f"others than its owner can write {what}, and so call as that caller"
            yield Hit(setting, found, "chmod 644 it")


@CHECKS.add("directory-writable", Severity.ERROR, "others can replace a file of the deployment")
def _directory_writable(checked: CheckedApp) -> Iterator[Hit]:
    for setting, what, path, mode in _directories(checked):
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            found = f"everybody can write the directory {str(path)!r} of {what}, and so replace it"
            yield Hit(setting, found, "move it into a directory that only its owner can write")


@CHECKS.add("file-in-tmp", Severity.WARNING, "a file is where files are deleted")
def _in_tmp(checked: CheckedApp) -> Iterator[Hit]:
    for setting, what, path, mode in _directories(checked):
        if mode & stat.S_ISVTX:
            found = f"{what} is in {str(path)!r}, where the system deletes what is old"
            yield Hit(setting, found, "move it into a directory of the app")
