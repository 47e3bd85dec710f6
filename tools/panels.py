"""Draw the panels of a Grafana dashboard as one SVG, from what Prometheus answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10
from typing import Any, Final, TypeAlias

Series: TypeAlias = Mapping[float, float]
"""Values by time, in seconds since 1970."""

COLUMN: Final = 51
"""Pixels of one of the 24 columns of Grafana's grid."""
PANEL: Final = 236
ROW: Final = 40
HEAD: Final = 92
_LEFT, _TOP, _BOTTOM = 62, 34, 66
_STEPS: Final = (1, 2, 2.5, 5, 10)
_COLOURS: Final = (
    *("#3b78c2", "#d08a3c", "#5fae9b", "#b4535f", "#8a6fc0", "#9a9a3e"),
    *("#4aa3c7", "#c470a8", "#8a8f98", "#a0714f"),
)
_STYLE: Final = """
.page { fill: #ffffff; } .panel { fill: #f6f8fa; stroke: #d0d7de; }
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.head { font-size: 20px; font-weight: 600; } .row { font-size: 16px; font-weight: 600; }
.title { font-size: 13px; font-weight: 600; } .none { fill: #6e7781; }
.number { font-size: 34px; font-weight: 600; }
.grid { stroke: #d8dee4; } .incident { fill: #b4535f; fill-opacity: 0.13; }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; } .area { fill-opacity: 0.3; }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117; } .panel { fill: #161b22; stroke: #30363d; }
  text { fill: #e6edf3; } .none { fill: #8b949e; } .grid { stroke: #30363d; }
  .incident { fill-opacity: 0.25; }
}
"""


@dataclass(frozen=True, slots=True)
class Span:
    """What is drawn of time.

    :param begin: the first moment, in seconds since 1970.
    :param incidents: those that are shaded, with their begin and end.
    """

    begin: float
    end: float
    incidents: Mapping[str, tuple[float, float]]


def draw(
    title: str,
    caption: str,
    panels: Sequence[Mapping[str, Any]],
    answers: Mapping[int, Mapping[str, Series]],
    span: Span,
) -> str:
    """Return the picture of a dashboard.

    :param panels: as the dashboard's JSON has them.
    :param answers: series by their legend, by the id of their panel.
    """
    drawn, top, bottom = list[str](), float(HEAD), float(HEAD)
    lines = sorted({panel["gridPos"]["y"] for panel in panels})
    for y in lines:
        top = bottom
        for panel in (one for one in panels if one["gridPos"]["y"] == y):
            left, wide = 10 + COLUMN * panel["gridPos"]["x"], COLUMN * panel["gridPos"]["w"]
            if panel["type"] == "row":
                drawn.append(_text(left + 2, top + 26, panel["title"], "row"))
                bottom = top + ROW
                continue
            one = _Panel(left + 4, top + 4, wide - 8, PANEL - 8, panel)
            drawn += one.draw(answers.get(panel["id"], {}), span)
            bottom = top + PANEL
    whole, high = 24 * COLUMN + 20, bottom + 14
    begin = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {high:.0f}" '
        f'width="{whole}" height="{high:.0f}" role="img" aria-label="{escape(title)}">'
    )
    page = f'<rect class="page" width="{whole}" height="{high:.0f}"/>'
    named = ", ".join(f"{name}: {b - span.begin:.0f} to {e - span.begin:.0f} s"
                      for name, (b, e) in span.incidents.items())  # fmt: skip
    head = [_text(14, 32, title, "head"), _text(14, 54, caption)]
    if named:
        head.append('<rect class="incident" x="14" y="65" width="26" height="14"/>')
        head.append(_text(46, 76, f"incidents; {named}"))
    return "\n".join([begin, f"<style>{_STYLE}</style>", page, *head, *drawn, "</svg>"]) + "\n"


def label(template: str, metric: Mapping[str, str]) -> str:
    """Return the legend of a series: the template with the series' labels in it."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: metric.get(found[1], ""), template).strip()


def readable(unit: str) -> Callable[[float], str]:
    """Return what writes a value of one of Grafana's units."""
    return {"percentunit": lambda value: f"{100 * value:g} %", "s": _seconds}.get(
        unit, lambda value: f"{value:g}{'/s' if unit in ('reqps', 'ops') else ''}"
    )


def _seconds(value: float) -> str:
    for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if abs(value) >= size * (2 if size > 1 else 1):
            return f"{value / size:.3g} {name}"
    return f"{1000 * value:.3g} ms" if value else "0"


@dataclass(frozen=True, slots=True)
class _Panel:
    """One panel, at its place in the picture."""

    x: float
    y: float
    wide: float
    high: float
    panel: Mapping[str, Any]

    def draw(self, series: Mapping[str, Series], span: Span) -> Iterator[str]:
        yield (
            f'<rect class="panel" x="{self.x:.0f}" y="{self.y:.0f}" width="{self.wide:.0f}" '
            f'height="{self.high:.0f}" rx="4"/>'
        )
        yield _text(self.x + 10, self.y + 20, self.panel["title"], "title")
        defaults = self.panel["fieldConfig"]["defaults"]
        series = {name: finite for name, one in series.items() if (finite := _finite(one))}
        series = dict(sorted(series.items(), key=lambda one: -max(one[1].values())))
        if not series:
            middle = self.x + self.wide / 2
            yield _text(middle, self.y + self.high / 2, "no data", "none", "middle")
        elif self.panel["type"] == "stat":
            yield from self._numbers(series, readable(defaults.get("unit", "short")))
        else:
            yield from self._lines(series, span, defaults)

    def _numbers(
        self, series: Mapping[str, Series], write: Callable[[float], str]
    ) -> Iterator[str]:
        middle = self.x + self.wide / 2
        for n, (name, values) in enumerate(series.items()):
            y = self.y + self.high / (len(series) + 1) * (n + 1)
            yield _text(middle, y, write(float(f"{values[max(values)]:.3g}")), "number", "middle")
            yield _text(middle, y + 24, name, "none", "middle")

    def _lines(
        self, series: Mapping[str, Series], span: Span, defaults: Mapping[str, Any]
    ) -> Iterator[str]:
        stacked = "stacking" in defaults.get("custom", {})
        layers = list(_layers(series, stacked=stacked))
        all_values = [value for _, upper, _ in layers for value in upper.values()]
        ticks = _ticks(
            min([defaults.get("min", min(all_values)), *all_values]),
            max([defaults.get("max", 0), *all_values]),
        )
        left, right = self.x + _LEFT, self.x + self.wide - 12
        top, bottom = self.y + _TOP, self.y + self.high - _BOTTOM

        def at_x(time: float) -> float:
            return left + (time - span.begin) / (span.end - span.begin) * (right - left)

        def at_y(value: float) -> float:
            return bottom - (value - ticks[0]) / (ticks[-1] - ticks[0]) * (bottom - top)

        for begin, end in span.incidents.values():
            yield (
                f'<rect class="incident" x="{at_x(begin):.1f}" y="{top:.1f}" '
                f'width="{at_x(end) - at_x(begin):.1f}" height="{bottom - top:.1f}"/>'
            )
        write = readable(defaults.get("unit", "short"))
        for tick in ticks:
            y = at_y(tick)
            yield f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
            yield _text(left - 6, y + 4, write(tick), anchor="end")
        for second in _ticks(0, span.end - span.begin):
            if second <= span.end - span.begin:
                x = at_x(span.begin + second)
                yield _text(x, bottom + 16, f"{second:g} s", anchor="middle")
        for n, (_, upper, lower) in enumerate(layers):
            colour = _COLOURS[n % len(_COLOURS)]
            above = [f"{at_x(time):.1f},{at_y(value):.1f}" for time, value in upper.items()]
            if stacked:
                below = [f"{at_x(time):.1f},{at_y(lower[time]):.1f}" for time in reversed(upper)]
                points = " ".join([*above, *below])
                yield f'<polygon class="area" fill="{colour}" points="{points}"/>'
            yield f'<polyline class="line" stroke="{colour}" points="{" ".join(above)}"/>'
        yield from self._legend([name for name, _, _ in layers])

    def _legend(self, names: Sequence[str]) -> Iterator[str]:
        """Write as many names as two lines take, and beside the title how many are left out."""
        left, right = self.x + 10, self.x + self.wide - 8
        x, y, last = left, self.y + self.high - 28, self.y + self.high - 11
        for n, name in enumerate(names):
            end = x + 26 + _width(name)
            if x > left and end > right:
                if y == last:
                    rest = f"and {len(names) - n} more"
                    yield _text(right - 4, self.y + 20, rest, "none", "end")
                    return
                x, y, end = left, last, left + 26 + _width(name)
            colour = _COLOURS[n % len(_COLOURS)]
            yield f'<rect x="{x:.0f}" y="{y - 9:.0f}" width="10" height="10" fill="{colour}"/>'
            yield _text(x + 14, y, name)
            x = end


def _width(text: str) -> float:
    """Return about how many pixels a text of the legend takes."""
    return sum(8.9 if one.isupper() else 4.2 if one in "il.,:' " else 7.1 for one in text)


def _finite(values: Series) -> Series:
    return {time: value for time, value in values.items() if isfinite(value)}


def _layers(series: Mapping[str, Series], *, stacked: bool) -> Iterator[tuple[str, Series, Series]]:
    """Yield each series with its upper and lower edge; stacked ones stand on those before them."""
    sums = dict.fromkeys(sorted({time for one in series.values() for time in one}), 0.0)
    for name, values in series.items():
        if not stacked:
            yield name, values, values
            continue
        lower = dict(sums)
        for time in sums:
            sums[time] += values.get(time, 0.0)
        yield name, dict(sums), lower


def _ticks(least: float, most: float) -> list[float]:
    """Return round values around two others, at least one apart, three to six of them."""
    if most <= least:
        most = least + 1
    power = 10.0 ** floor(log10((most - least) / 4))
    step = next(power * part for part in _STEPS if (most - least) / (power * part) <= 4.001)
    first, last = floor(least / step + 1e-9), ceil(most / step - 1e-9)
    return [round(n * step, 9) for n in range(first, last + 1)]


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    named = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
