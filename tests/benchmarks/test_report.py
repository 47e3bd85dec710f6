"""Reports of benchmarks: tables, charts, and their part of the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import COMMANDS, parser
from benchmarks.chart import LABELS, bars
from benchmarks.layers import FOR_HOST, FOR_STORE, by_layer
from benchmarks.report import PAGE, SCALING, Report, Table

TABLE = Table("Two peers", ("peer", "us", "x"), [("ours", 1234.5, 0.5), ("theirs", 7, "-")])


@pytest.mark.parametrize("name", [*COMMANDS, "all", None])
def test_each_command_tells_how_it_is_used(
    name: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parser().parse_args([name, "--help"] if name else ["--help"])
    assert left.value.code == 0
    assert "usage: python -m benchmarks" in capsys.readouterr().out


def test_the_pages_have_a_place_for_each_command() -> None:
    pages = PAGE.read_text() + SCALING.read_text()
    places = re.findall(r"<!-- (\w+) -->.*?<!-- /\1 -->", pages, re.DOTALL)
    assert sorted(places) == sorted(COMMANDS)


def test_figures_stand_under_their_columns() -> None:
    assert TABLE.markdown().splitlines()[2:] == [
        "| peer | us | x |",
        "| --- | --- | --- |",
        "| ours | 1,234 | 0.50 |",
        "| theirs | 7 | - |",
    ]
    assert TABLE.data()["rows"][1] == {"peer": "theirs", "us": 7, "x": "-"}


def test_a_report_replaces_its_own_place_only(tmp_path: Path) -> None:
    page = tmp_path / "figures.md"
    page.write_text("a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\nkept\n<!-- /two -->\n")
    Report("one", [TABLE], {"one.svg": "<svg/>"}, page=page).write()
    text = page.read_text()
    assert "old" not in text
    assert "| ours | 1,234 | 0.50 |" in text
    assert "![one](figures/one.svg)" in text
    assert text.endswith("<!-- /one -->\nb\n<!-- two -->\nkept\n<!-- /two -->\n")
    assert (tmp_path / "figures" / "one.svg").read_text() == "<svg/>"
    with pytest.raises(ValueError, match="no marker <!-- three -->"):
        Report("three", [TABLE], page=page).write()


def test_a_chart_is_drawn_to_scale_and_says_what_it_shows() -> None:
    groups = {"send": {"ours": 4.0, "floor & co": 2.0}, "verify": {"ours": 1.0}}
    drawn = bars("Costs", "signatures", groups)
    root = ElementTree.fromstring(drawn)
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Costs", "signatures", "send", "verify", "ours", "floor & co"} <= set(texts)
    boxes = root.iter("{http://www.w3.org/2000/svg}rect")
    wide = [float(box.attrib["width"]) for box in boxes][2:]  # after those of the legend
    assert wide == pytest.approx([wide[0], wide[0] / 2, wide[0] / 4], rel=0.01)
    assert "prefers-color-scheme: dark" in drawn


def test_a_chart_draws_the_interval_of_a_value_on_its_bar() -> None:
    drawn = bars("Speeds", "x", {"send": {"ours": 0.6}}, {"send": {"ours": (0.3, 1.2)}})
    root = ElementTree.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    [bar] = [float(box.attrib["width"]) for box in root.iter(f"{space}rect")][1:]
    [line] = [one for one in root.iter(f"{space}line") if one.get("class") == "interval"]
    ends = [float(line.attrib[end]) - LABELS for end in ("x1", "x2")]
    assert ends == pytest.approx([bar / 2, bar * 2], rel=0.01)


def function(path: str, *callers: tuple[str, int, str], own: float) -> Any:
    return (1, 1, own, own, dict.fromkeys(callers, (1, 1, own, own)))


def test_time_is_charged_to_the_room_that_spent_it() -> None:
    store = ("/x/flask_otp_mpp/stores/sqlalchemy.py", 1, "reserve")
    host = ("/x/example_app/otp.py", 1, "user_of")
    engine = ("/x/site-packages/sqlalchemy/engine.py", 1, "execute")
    row = ("/x/lib/python3/json.py", 1, "loads")
    stats = {
        store: function(store[0], own=1.0),
        host: function(host[0], own=2.0),
        engine: function(engine[0], store, host, own=4.0),
        row: function(row[0], engine, own=8.0),
    }
    spent = by_layer(stats)
    assert dict(spent) == {"stores": 1.0, "host": 2.0, FOR_STORE: 6.0, FOR_HOST: 6.0}
