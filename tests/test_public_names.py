"""The public surface: every name exists and is documented, and loads no more than it needs."""

from __future__ import annotations

import ast
import inspect
import itertools
import subprocess
import sys
import tomllib
from collections.abc import Set
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import flask_otp_mpp
from flask_otp_mpp.protocols.base import WireProtocol
from tests.public import PACKAGES, names_of

ROOT = Path(__file__).parent.parent
PUBLIC = [(package, name) for package in PACKAGES for name in sorted(names_of(package))]


@cache
def documented_values() -> Set[str]:
    """Return the names of constants, signals and type aliases that a text explains."""
    found = set()
    for path in ROOT.glob("flask_otp_mpp/**/*.py"):
        body = ast.parse(path.read_text()).body
        for node, after in itertools.pairwise(body):
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if isinstance(node, ast.AnnAssign):
                target = node.target
            text = after.value if isinstance(after, ast.Expr) else None
            if isinstance(target, ast.Name) and isinstance(text, ast.Constant):
                found.add(target.id)
    return found


PORTS = (flask_otp_mpp.Store, flask_otp_mpp.Signer, WireProtocol)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_public_package_says_what_is_public(package: str) -> None:
    """O4: in its docstring, and by a sorted list without repetition."""
    module = import_module(package)
    assert "``__all__``" in (module.__doc__ or "")
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize(("package", "name"), PUBLIC, ids=str)
def test_a_public_name_exists_and_is_documented(package: str, name: str) -> None:
    """O4: a class or function by its docstring, anything else by the text below it."""
    value = getattr(import_module(package), name)
    if inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value):
        assert len((value.__doc__ or "").strip()) > 20
    else:
        assert name in documented_values()


@pytest.mark.parametrize(("package", "name"), PUBLIC, ids=str)
def test_the_methods_of_a_public_class_are_documented(package: str, name: str) -> None:
    """O4: a method that implements a port is documented once, in the port."""
    value = getattr(import_module(package), name)
    if not inspect.isclass(value) or package.endswith(".testing"):
        return
    for member, found in vars(value).items():
        is_code = inspect.isfunction(found) or isinstance(found, property | classmethod)
        port = any(hasattr(port, member) for port in PORTS)
        if is_code and not member.startswith("_") and not port:
            assert inspect.getdoc(found), f"{name}.{member}"


def test_the_version_is_that_of_the_project() -> None:
    """O4: one place, pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert flask_otp_mpp.__version__ == project["version"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_there_is_an_attribute_error(package: str) -> None:
    """O4: also where some names are imported on first use."""
    assert not hasattr(import_module(package), "NoSuchName")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "flask_otp_mpp",
            ["redis", "joserfc", "phonenumbers", "pytest", "flask_otp_mpp.protocols.alipay.ams"],
        ),
        ("flask_otp_mpp.callers", ["redis", "joserfc", "flask_otp_mpp.protocols.google"]),
        ("flask_otp_mpp.callers.google", ["joserfc", "phonenumbers"]),
        ("flask_otp_mpp.stores", ["redis", "psycopg", "pymysql"]),
        ("flask_otp_mpp.testing", ["pytest", "hypothesis"]),
    ],
)
def test_an_import_brings_no_extra_that_is_not_used(module: str, absent: list[str]) -> None:
    """F2: an app that serves one protocol from one store needs the libraries of these only."""
    script = f"import sys, {module}; print([name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"
