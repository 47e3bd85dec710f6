"""What the site's reference takes from the code beside docstrings: settings, commands' examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Final

from docutils import nodes

from flask_otp_mpp.core.settings import PREFIX, settings_of

if TYPE_CHECKING:
    import click
    from sphinx.application import Sphinx
    from sphinx.ext.autodoc import Options

_EXAMPLES: Final = ("| Example:", "| Examples:")


def describe_settings(
    _app: Sphinx, what: str, _name: str, value: object, _options: Options, lines: list[str]
) -> None:
    """Add the fields of a group of settings, as they are declared."""
    if what != "class" or not isinstance(value, type) or not is_dataclass(value):
        return
    described = [
        f":param {name}: {one.meaning} As ``{PREFIX}{one.name}``: {one.reader.kind}; "
        f"default: {one.default}."
        for name, one in settings_of(value).items()
        if not any(line.startswith(f":param {name}:") for line in lines)
    ]
    fields = (at for at, line in enumerate(lines) if line.startswith(":"))
    at = next(fields, len(lines))
    lines[at:at] = described


def shorten_signature(
    _app: Sphinx,
    _what: str,
    _name: str,
    _value: object,
    _options: Options,
    signature: str | None,
    returned: str | None,
) -> tuple[str, str | None] | None:
    """Write an ellipsis for a default value that is made when it is needed."""
    return None if signature is None else (signature.replace("<factory>", "…"), returned)


def show_examples(_app: Sphinx, _context: click.Context, lines: list[str]) -> None:
    """Show the examples below the help of a command as code."""
    lines[:] = list(_as_code(lines))


def _as_code(lines: list[str]) -> Iterator[str]:
    examples = False
    for line in lines:
        if line in _EXAMPLES:
            examples = True
            yield from (line.removeprefix("| "), "", ".. code-block:: text", "")
        elif examples and line.startswith("| "):
            yield f"   {line.removeprefix('|   ')}"
        else:
            examples = False
            yield line


def write_dashes(_app: Sphinx, doctree: nodes.document) -> None:
    """Write a dash between a parameter and its text: smart quotes, which would, are off."""
    for text in list(doctree.findall(nodes.Text)):
        if text.astext() == " -- ":
            text.parent.replace(text, nodes.Text(" \N{EN DASH} "))


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect with Sphinx."""
    app.connect("autodoc-process-docstring", describe_settings)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("sphinx-click-process-epilog", show_examples)
    app.connect("doctree-read", write_dashes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
