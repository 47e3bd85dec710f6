"""Write constraints-lowest.txt: the lowest versions of the libraries that pyproject.toml names.

All other packages have the versions of constraints.txt.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "constraints-lowest.txt"
HEAD = "# The lowest versions that pyproject.toml names; written by tools/lowest.py.\n"
_BOUND = re.compile(r"([\w-]+)>=([\d.]+)")


def lowest() -> dict[str, str]:
    """Return the lowest version of each library that the package needs, or can use."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    versions = {}
    for requirement in (*project["dependencies"], *(one for extra in extras for one in extra)):
        bound = _BOUND.fullmatch(requirement)
        if bound is None:
            sys.exit(f"pyproject.toml: {requirement!r} names no lowest version, such as name>=1.2")
        versions[bound[1]] = bound[2]
    versions["psycopg-binary"] = versions["psycopg"]  # they are released together
    return versions


def pins() -> str:
    """Return the text of the file."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    others = dict(line.lower().split("==") for line in lines if not line.startswith("#"))
    versions = {**others, **lowest()}
    return HEAD + "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))


if __name__ == "__main__":
    PLACE.write_text(pins())
