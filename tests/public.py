"""The public names of the package, and what imports anything else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from typing import Final

PACKAGE: Final = "flask_otp_mpp"
PACKAGES: Final = (
    PACKAGE,
    f"{PACKAGE}.callers",
    f"{PACKAGE}.signing",
    f"{PACKAGE}.stores",
    f"{PACKAGE}.testing",
)


def names_of(package: str) -> frozenset[str]:
    """Return what a package says is public."""
    return frozenset(import_module(package).__all__)


def private_imports(source: str) -> Iterator[str]:
    """Yield every import from the package that is not of a public name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == PACKAGE and alias.name not in PACKAGES:
                    yield f"import {alias.name}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE:
            module = node.module or ""
            public = names_of(module) if module in PACKAGES else frozenset[str]()
            for alias in node.names:
                if alias.name not in public and f"{module}.{alias.name}" not in PACKAGES:
                    yield f"from {module} import {alias.name}"
