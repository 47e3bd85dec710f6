"""Test vectors: bodies encrypted as Google does, with test keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
JOSE: Final = HERE / "jose"
PGP: Final = HERE / "pgp"


def plain(name: str) -> bytes:
    return (HERE / "plain" / name).read_bytes()


def jose(name: str) -> bytes:
    return (JOSE / f"{name}.jose").read_bytes()


def pgp(name: str) -> bytes:
    return (PGP / "msg" / f"{name}.b64url").read_bytes()


def manifest(kind: Path) -> dict[str, dict[str, Any]]:
    """Return what a correct wallet decides for each body."""
    read: dict[str, Any] = json.loads((kind / "manifest.json").read_text("utf-8"))
    return {name: row for name, row in read.items() if not name.startswith("_")}


def jwk(name: str) -> str:
    """Return ``{name}.public`` or ``{name}.private`` as JSON."""
    return (JOSE / f"{name}.jwk.json").read_text("utf-8")


def armored(name: str) -> str:
    """Return ``{name}.pub`` or ``{name}.sec`` in armor."""
    return (PGP / "keys" / f"{name}.asc").read_text("ascii")
