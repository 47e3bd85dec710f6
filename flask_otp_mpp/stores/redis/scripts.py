"""The Lua scripts of the Redis store, one for each step that must be atomic."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Final

_SHARED: Final = ("rules", "values", "answers")


class Script:
    """One Lua script: the shared functions, then the file of its own."""

    def __init__(self, name: str) -> None:
        folder = files("flask_otp_mpp.stores.redis")
        parts = (folder.joinpath(f"{part}.lua") for part in (*_SHARED, name))
        self.source = "\n".join(part.read_text("ascii") for part in parts)
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


RESERVE: Final = Script("reserve")
SETTLE: Final = Script("settle")
SPEND: Final = Script("spend")
LOOK_UP: Final = Script("look_up")
UNLOCK: Final = Script("unlock")
READ: Final = Script("read")
HOLDER: Final = Script("holder")
CLAIM: Final = Script("claim")
RELEASE: Final = Script("release")
FORGET: Final = Script("forget")
PROBE: Final = Script("probe")
