"""SECURITY.md names who is told of a weakness, and which versions get fixes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
POLICY = (ROOT / "SECURITY.md").read_text()
PLACEHOLDER = "SECURITY-CONTACT"


def test_a_release_names_a_contact_and_what_is_unreleased_has_its_place() -> None:
    """O4: if this fails in a release, put the address where the placeholder is."""
    newest = re.search("^## .*$", (ROOT / "CHANGES.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert POLICY.count(PLACEHOLDER) == ("(unreleased)" in newest[0])


def test_the_version_of_this_tree_is_supported() -> None:
    """O4: a new minor version needs its row."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    minor = ".".join(version.split(".")[:2])
    assert f"| {minor} | yes |" in POLICY


def test_the_readme_and_the_page_on_security_lead_to_it() -> None:
    """O4: it is found by whoever looks for it."""
    assert "](SECURITY.md)" in (ROOT / "README.md").read_text()
    assert "](../SECURITY.md)" in (ROOT / "docs/security.md").read_text()
