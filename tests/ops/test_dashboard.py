"""The picture of the dashboard: what Prometheus answers to each panel's own query is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.test_documentation import load

ROOT = Path(__file__).parents[2]
PANELS: list[dict[str, Any]] = json.loads((ROOT / "ops/grafana/otp-mpp.json").read_text())["panels"]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))  # also undoes what the tool adds
    return load(ROOT / "tools/dashboard.py")


def answered(*series: tuple[Mapping[str, str], list[str]]) -> Mapping[str, Any]:
    """Return what Prometheus would answer, with a value for each second from 1000 on."""
    result = [
        {"metric": metric, "values": [[1000 + n, value] for n, value in enumerate(values)]}
        for metric, values in series
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(svg).iter(f"{SVG}text")]


def test_each_query_is_asked_and_each_panel_drawn(tool: ModuleType) -> None:
    """O10: without Grafana's variables, and with shorter windows."""
    asked: list[str] = []

    def ask(expression: str) -> Mapping[str, Any]:
        asked.append(expression)
        return answered(({"protocol": "ams"}, ["1", "3", "2"]))

    span = tool.Span(1000.0, 1002.0, {"an incident": (1000.5, 1001.0)})
    svg = tool.draw("title", "caption", PANELS, tool.answers(PANELS, ask), span)
    assert len(asked) == sum(len(panel.get("targets", [])) for panel in PANELS) > 20
    assert not [one for one in asked if "$" in one or re.search(r"\[\d+[mh]\]", one)]
    assert {panel["title"] for panel in PANELS} <= set(texts(svg))
    drawn = [panel for panel in PANELS if panel["type"] == "timeseries"]
    shaded = [one for one in ET.fromstring(svg).iter() if one.get("class") == "incident"]
    assert len(shaded) == len(drawn) + 1


def test_a_panel_shows_values_by_unit_and_series_by_their_labels(tool: ModuleType) -> None:
    """O10: stacked series stand on each other; a value that is no number is left out."""
    panel = next(one for one in PANELS if one["title"] == "Answers by status")
    answer = answered(
        ({"protocol": "ams", "status": "S"}, ["2", "NaN", "4"]),
        ({"protocol": "google", "status": "U"}, ["1", "1", "1"]),
    )
    found = tool.answers([panel], lambda _: answer)
    svg = tool.draw("title", "caption", [panel], found, tool.Span(1000.0, 1002.0, {}))
    assert {"ams S", "google U", "0/s", "6/s", "2 s"} <= set(texts(svg))
    lines = [one.get("points", "") for one in ET.fromstring(svg).iter(f"{SVG}polyline")]
    heights = [[float(point.split(",")[1]) for point in line.split()] for line in lines]
    assert len(heights) == 2
    assert all(upper < lower for lower, upper in zip(*heights, strict=True))


def test_a_panel_without_data_says_so_and_an_error_is_told(tool: ModuleType) -> None:
    """O10: a query that Prometheus refuses is no empty panel."""
    svg = tool.draw("title", "caption", PANELS[1:2], {}, tool.Span(0.0, 1.0, {}))
    assert "no data" in texts(svg)
    with pytest.raises(ValueError, match="bad query"):
        tool.answers(PANELS[1:2], lambda _: {"status": "error", "error": "bad query"})


def test_windows_of_rules_are_divided_too(tool: ModuleType) -> None:
    """O10: the ratios of the picture are those of the rules, over shorter times."""
    assert tool.compressed("rate(x[1h]) / rate(x[5m]) offset 1h") == (
        "rate(x[120s]) / rate(x[10s]) offset 1h"
    )


def test_the_picture_shows_the_panels_of_the_dashboard() -> None:
    """O10: if this fails, run `python tools/dashboard.py`."""
    picture = (ROOT / "docs/operations/dashboard.svg").read_text()
    missing = {panel["title"] for panel in PANELS} - set(texts(picture))
    assert missing == set()
