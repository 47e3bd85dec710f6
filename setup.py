"""Makes the README's links absolute for package indexes; all else is in pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent
_RELATIVE = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")


def long_description() -> str:
    """Return the README with absolute links, to the files as they are in this version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    files = f"{project['urls']['Source']}/blob/v{project['version']}"
    return _RELATIVE.sub(rf"]({files}/\1)", (ROOT / "README.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    from setuptools import setup

    setup(long_description=long_description(), long_description_content_type="text/markdown")
