"""Bar charts in SVG, readable on light and dark background."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import floor, log10
from typing import Final

LABELS: Final = 190
"""Pixels at the left, for the names of the groups."""
WIDE: Final = 560
HIGH: Final = 13
GAP: Final = 10
_COLOURS: Final = ("#3b78c2", "#5fae9b", "#8a8f98", "#d08a3c", "#b4535f")
_STYLE: Final = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 14px; font-weight: 600; } .small { font-size: 10px; }
.line { stroke: #d0d7de; } .axis { stroke: #57606a; } .interval { stroke: #24292f; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .line { stroke: #30363d; } .axis { stroke: #8b949e; }
  .interval { stroke: #e6edf3; }
}
"""


def bars(
    title: str,
    unit: str,
    groups: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
) -> str:
    """Draw horizontal bars from zero, one for each name in each group.

    :param unit: the text below the axis.
    :param groups: values by group and name; a name has the same colour everywhere.
    :param intervals: the lowest and highest value of each bar, drawn as a thin line on it.
    """
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(names)}
    lines = intervals or {}
    most = max(_most(groups), *(high for group in lines.values() for _, high in group.values()), 0)
    step = _step(most)
    ticks = [n * step for n in range(int(most / step) + 2)]
    scale = WIDE / ticks[-1]
    top = 64.0
    height = top + sum(HIGH * len(group) + GAP for group in groups.values()) + 48
    whole = LABELS + WIDE + 60
    bottom = height - 42
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {height:.0f}" '
        f'width="{whole}" height="{height:.0f}" role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        _text(10, 22, title, "title"),
    ]
    at = LABELS
    for name in names:
        drawn.append(f'<rect x="{at}" y="36" width="11" height="11" fill="{colours[name]}"/>')
        drawn.append(_text(at + 16, 46, name))
        at += 34 + 8 * len(name)
    for tick in ticks:
        x = LABELS + tick * scale
        drawn.append(
            f'<line class="line" x1="{x:.1f}" y1="{top - 6:.0f}" x2="{x:.1f}" y2="{bottom:.0f}"/>'
        )
        drawn.append(_text(x, bottom + 15, f"{tick:g}", anchor="middle"))
    y = top
    for group, values in groups.items():
        middle = y + HIGH * len(values) / 2 + 4
        drawn.append(_text(LABELS - 8, middle, group, anchor="end"))
        for name, value in values.items():
            drawn.append(
                f'<rect x="{LABELS}" y="{y:.0f}" width="{value * scale:.1f}" '
                f'height="{HIGH - 2}" fill="{colours[name]}"/>'
            )
            end = value
            if name in lines.get(group, {}):
                low, end = lines[group][name]
                drawn.append(
                    f'<line class="interval" x1="{LABELS + low * scale:.1f}" y1="{y + 5.5:.1f}" '
                    f'x2="{LABELS + end * scale:.1f}" y2="{y + 5.5:.1f}"/>'
                )
            label = f"{value:.2f}" if value < 100 else f"{value:,.0f}"
            drawn.append(_text(LABELS + end * scale + 4, y + 9, label, "small"))
            y += HIGH
        y += GAP
    drawn.append(
        f'<line class="axis" x1="{LABELS}" y1="{top - 6:.0f}" x2="{LABELS}" y2="{bottom:.0f}"/>'
    )
    drawn.append(_text(LABELS + WIDE / 2, bottom + 33, unit, anchor="middle"))
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _most(groups: Mapping[str, Mapping[str, float]]) -> float:
    return max((value for group in groups.values() for value in group.values()), default=1.0)


def _step(most: float) -> float:
    """Return a round step, so that the axis has four to ten of them."""
    power: float = 10.0 ** floor(log10(max(most, 1e-9)))
    return next(power * part for part in (0.1, 0.2, 0.5, 1.0, 2.0) if most / (power * part) <= 8)


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    named = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
