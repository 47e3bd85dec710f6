"""How the site of the documentation is built: ``make docs``."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS: Final = Path(__file__).parent
ROOT: Final = DOCS.parent
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES: Final = f"{PROJECT['urls']['Source']}/blob/main"

ELSEWHERE: Final = {
    "changes": "CHANGES.md",
    "contributing": "CONTRIBUTING.md",
    "deployment": "deploy/README.md",
    "security-policy": "SECURITY.md",
}
"""Pages of the site that only include a file of the repository."""
BELOW: Final = "\n```{{toctree}}\n:hidden:\n:glob:\n\n/{}/*\n```\n"
"""What a page ends with for the site, so that the pages of its folder are below it."""
LINK: Final = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")

project = PROJECT["name"]
version = release = PROJECT["version"]
project_copyright = "flask-otp-mpp contributors, BSD-3-Clause"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinxcontrib.mermaid",
]
exclude_patterns = ["_build"]
default_role = "code"
smartquotes = False  # they would make one dash of the two that begin an option

nitpicky = True
nitpick_ignore_regex = [  # what others document, private types, and names of types of functions
    ("py:class", r"(collections|cryptography|datetime|rsa|sqlalchemy)\..*|datetime|timedelta"),
    ("py:class", r"CollectorRegistry|Limiter|TracerProvider"),
    ("py:class", r"Client|Clock|Sealer|Transport|WireProtocol"),
    ("py:class", r"flask_otp_mpp\.(callers\.signed|core|protocols|web)\..*"),
]

myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_typehints_format = "short"

copybutton_prompt_text = "$ "
mermaid_fullscreen = False
mermaid_height = "auto"

html_theme = "furo"
html_title = f"flask-otp-mpp {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {
    "source_repository": f"{PROJECT['urls']['Source']}/",
    "source_branch": "main",
    "source_directory": "docs/",
}


def read_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Let links to files that are no pages lead to the source; put an included file in its place.

    On GitHub the same links lead to the files, so a page is written once for both. Of several pages
    in a folder the page of the folder gets a list.
    """
    page = Path(app.env.doc2path(docname))
    written = page
    if docname in ELSEWHERE:
        written = ROOT / ELSEWHERE[docname]
        source[0] = written.read_text(encoding="utf-8")
        app.env.note_dependency(str(written), docname=docname)
    folder = page.parent if page.name == "README.md" else page.with_suffix("")
    if any(folder.glob("*.md")):
        source[0] += BELOW.format(folder.relative_to(DOCS))
    source[0] = with_links(source[0], page.parent, written.parent)


def with_links(text: str, page: Path, written: Path) -> str:
    """Return a text with the links of the site.

    :param page: the folder of the page.
    :param written: the folder in which its text is written, to which the links are relative.
    """
    pages = {file: DOCS / f"{docname}.md" for docname, file in ELSEWHERE.items()}

    def of_the_site(link: re.Match[str]) -> str:
        path = (written / link[1]).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return link[0]  # which Sphinx warns of
        anchor = link[2] or ""
        name = path.relative_to(ROOT).as_posix()
        target = pages.get(name, path)
        if target.is_relative_to(DOCS) and target.suffix in {".md", ".svg"}:
            return f"]({Path(os.path.relpath(target, page)).as_posix()}{anchor})"
        return f"]({FILES}/{name}{anchor})"

    return LINK.sub(of_the_site, text)


def setup(app: Sphinx) -> None:
    """Connect with Sphinx."""
    app.connect("source-read", read_page)
    sys.path.insert(0, str(DOCS))
    app.setup_extension("described")
