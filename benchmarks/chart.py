"""Bar charts in SVG, readable on light and dark background."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape, unescape
from itertools import cycle
from math import floor, log10
from typing import Final, TypeAlias

LABELS: Final = 190
"""Pixels at the left, for the names of the groups."""
WIDE: Final = 560
WHOLE: Final = LABELS + WIDE + 60
HIGH: Final = 13
GAP: Final = 10
_COLOURS: Final = ("#3b78c2", "#5fae9b", "#8a8f98", "#d08a3c", "#b4535f", "#8465b0", "#b8a23a")
_PEERS: Final = dict(zip(("lean", "wallet", "floor"), _COLOURS, strict=False))
"""These have the same colour in all charts."""
_STYLE: Final = """
svg { background: #ffffff; }
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 14px; font-weight: 600; } .small { font-size: 10px; }
.line { stroke: #d0d7de; } .axis { stroke: #57606a; } .interval { stroke: #24292f; }
@media (prefers-color-scheme: dark) {
  svg { background: #131416; }
  text { fill: #e6edf3; } .line { stroke: #30363d; } .axis { stroke: #8b949e; }
  .interval { stroke: #e6edf3; }
}
"""

Groups: TypeAlias = Mapping[str, Mapping[str, float]]
"""Values by group and name; a name has the same colour everywhere."""


def bars(
    title: str,
    unit: str,
    groups: Groups,
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
) -> str:
    """Draw horizontal bars from zero, one for each name in each group.

    :param unit: the text below the axis.
    :param intervals: the lowest and highest value of each bar, drawn as a thin line on it.
    """
    lines = intervals or {}
    ends = (high for group in lines.values() for _, high in group.values())
    ticks = _ticks(*(value for group in groups.values() for value in group.values()), *ends)
    scale = WIDE / ticks[-1]
    colours = _colours(groups)
    drawn: list[str] = []
    y = 0.0
    for group, values in groups.items():
        drawn.append(_text(LABELS - 8, y + HIGH * len(values) / 2 + 4, group, anchor="end"))
        for name, value in values.items():
            drawn.append(_bar(LABELS, y, value * scale, HIGH - 2, colours[name]))
            end = value
            if name in lines.get(group, {}):
                low, end = lines[group][name]
                drawn.append(
                    f'<line class="interval" x1="{LABELS + low * scale:.1f}" y1="{y + 5.5:.1f}" '
                    f'x2="{LABELS + end * scale:.1f}" y2="{y + 5.5:.1f}"/>'
                )
            drawn.append(_text(LABELS + end * scale + 4, y + 9, _number(value), "small"))
            y += HIGH
        y += GAP
    return _framed(drawn, title=title, unit=unit, colours=colours, ticks=ticks, high=y)


def stacked(title: str, unit: str, groups: Groups) -> str:
    """Draw one horizontal bar for each group, of parts in a row; the number is their sum."""
    sums = {group: sum(values.values()) for group, values in groups.items()}
    ticks = _ticks(*sums.values())
    scale = WIDE / ticks[-1]
    colours = _colours(groups)
    high = HIGH + 5
    drawn: list[str] = []
    y = 0.0
    for group, values in groups.items():
        drawn.append(_text(LABELS - 8, y + 13, group, anchor="end"))
        x = float(LABELS)
        for name, value in values.items():
            drawn.append(_bar(x, y, value * scale, high, colours[name]))
            x += value * scale
        drawn.append(_text(x + 4, y + 12, _number(sums[group]), "small"))
        y += high + GAP
    return _framed(drawn, title=title, unit=unit, colours=colours, ticks=ticks, high=y)


def title_of(svg: str) -> str:
    """Return the title of a chart, which is its text for those who don't see it."""
    found = re.search(r'aria-label="([^"]*)"', svg)
    return unescape(found[1]) if found else ""


def _framed(
    drawn: Iterable[str],
    *,
    title: str,
    unit: str,
    colours: Mapping[str, str],
    ticks: Sequence[float],
    high: float,
) -> str:
    """Put title, legend and axis around what is drawn, which begins at y = 0."""
    legend, top = _legend(colours)
    bottom, whole = high + 6, high + top + 48
    axis = []
    for tick in ticks:
        x = LABELS + tick * WIDE / ticks[-1]
        axis.append(f'<line class="line" x1="{x:.1f}" y1="-6" x2="{x:.1f}" y2="{bottom:.0f}"/>')
        axis.append(_text(x, bottom + 15, f"{tick:,g}", anchor="middle"))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WHOLE} {whole:.0f}" '
        f'width="{WHOLE}" height="{whole:.0f}" role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        _text(10, 22, title, "title"),
        *legend,
        f'<g transform="translate(0 {top})">',
        *axis,
        *drawn,
        f'<line class="axis" x1="{LABELS}" y1="-6" x2="{LABELS}" y2="{bottom:.0f}"/>',
        _text(LABELS + WIDE / 2, bottom + 33, unit, anchor="middle"),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend(colours: Mapping[str, str]) -> tuple[list[str], int]:
    """Draw the names and their colours, in lines; return where the bars begin, too."""
    drawn = []
    x, y = LABELS, 36
    for name, colour in colours.items():
        wide = 34 + 8 * len(name)
        if x + wide > WHOLE:
            x, y = LABELS, y + 18
        drawn += [_bar(x, y, 11, 11, colour), _text(x + 16, y + 10, name)]
        x += wide
    return drawn, y + 28


def _colours(groups: Groups) -> dict[str, str]:
    names = dict.fromkeys(name for group in groups.values() for name in group)
    free = cycle(colour for colour in _COLOURS if colour not in map(_PEERS.get, names))
    return {name: _PEERS.get(name) or next(free) for name in names}


def _ticks(*values: float) -> list[float]:
    """Return the numbers of the axis, from zero to the first that no value exceeds."""
    most = max(values, default=1.0)
    step = _step(most)
    return [n * step for n in range(int(most / step) + 2)]


def _step(most: float) -> float:
    """Return a round step, so that the axis has four to ten of them."""
    power: float = 10.0 ** floor(log10(max(most, 1e-9)))
    return next(power * part for part in (0.1, 0.2, 0.5, 1.0, 2.0) if most / (power * part) <= 8)


def _bar(x: float, y: float, wide: float, high: float, colour: str) -> str:
    place = f'x="{x:.1f}" y="{y:.0f}" width="{wide:.1f}" height="{high:.0f}"'
    return f'<rect {place} fill="{colour}"/>'


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 100 and isinstance(value, float) else f"{value:,.0f}"


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    named = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
