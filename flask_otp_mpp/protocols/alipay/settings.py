"""Settings that Alipay+ and AMS have in common: where they are served, and repeats."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from flask_otp_mpp.core.readers import one_of
from flask_otp_mpp.core.settings import Rule
from flask_otp_mpp.protocols.values import Mount


class Repeats(StrEnum):
    """Say what a byte-identical request is, which was signed for the same time.

    Two clicks in one second are one such request if a caller's times are in whole seconds.
    """

    REPLAY = "replay"
    JUDGE = "judge"


REPEATS: Final = one_of(Repeats)


def _check_paths(verify: str, send: str) -> str:
    if verify != send:
        return ""
    return f"is {verify!r}, the path of the other API, too; each API needs its own"


DISTINCT_PATHS: Final = Rule(("verify_path", "send_path"), _check_paths)
"""Both APIs on one path would leave the second one unreachable."""


def mount_at(prefix: str, public_prefix: str | None, setting: str = "") -> Mount:
    """Return a mount that callers see at its prefix, unless another public prefix is given.

    :param setting: the key of the prefix.
    """
    return Mount(prefix, prefix if public_prefix is None else public_prefix, setting)


def called_uris(mounts: Iterable[Mount], paths: Iterable[str]) -> frozenset[str]:
    """Return what callers call: the public prefix of each mount with each path."""
    below = list(paths)
    return frozenset(mount.public_prefix + path for mount in mounts for path in below)
