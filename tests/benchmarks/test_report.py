"""Reports of benchmarks: tables, charts, and their part of the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import COMMANDS, parser
from benchmarks.chart import LABELS, bars, stacked
from benchmarks.layers import FOR_HOST, FOR_STORE, by_layer
from benchmarks.report import FIGURES, PAGE, SCALING, Report, Table

TABLE = Table("Two peers", ("peer", "us", "x"), [("ours", 1234.5, 0.5), ("theirs", 7, "-")])


@pytest.mark.parametrize("name", [*COMMANDS, "all", None])
def test_each_command_tells_how_it_is_used(
    name: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parser().parse_args([name, "--help"] if name else ["--help"])
    assert left.value.code == 0
    assert "usage: python -m benchmarks" in capsys.readouterr().out


def places(page: Path) -> set[str]:
    found = re.findall(r"<!-- (\w+) -->.*?<!-- /\1 -->", page.read_text(), re.DOTALL)
    assert len(found) == len(set(found))
    return set(found)


def test_the_pages_have_a_place_for_each_command() -> None:
    assert places(PAGE) | places(FIGURES) | places(SCALING) == set(COMMANDS)
    assert places(PAGE) & places(SCALING) == places(FIGURES) & places(SCALING) == set()


def test_the_tables_of_the_first_page_are_short() -> None:
    for name, part in re.findall(r"<!-- (\w+) -->(.*?)<!-- /\1 -->", PAGE.read_text(), re.DOTALL):
        rows = re.findall(r"^\| (?!---)", part, re.MULTILINE)
        assert 1 < len(rows) <= 1 + 12, name


def test_figures_stand_under_their_columns() -> None:
    assert TABLE.markdown().splitlines()[2:] == [
        "| peer | us | x |",
        "| --- | --- | --- |",
        "| ours | 1,234 | 0.50 |",
        "| theirs | 7 | - |",
    ]
    assert TABLE.data()["rows"][1] == {"peer": "theirs", "us": 7, "x": "-"}


def test_rows_that_differ_in_one_column_are_shown_side_by_side() -> None:
    rows = [("sqlite", "ours", 1, 0.5), ("sqlite", "floor", 2, 1.0), ("redis", "ours", 3, 1.5)]
    table = Table("Figures", ("store", "peer", "us", "x"), rows)
    short = table.across(("store",), "peer", ("us", "x"), without=("floor, x",))
    assert short.columns == ["store", "ours, us", "ours, x", "floor, us"]
    assert short.rows == [["sqlite", 1, 0.5, 2], ["redis", 3, 1.5, "-"]]


def test_a_report_replaces_its_own_place_only(tmp_path: Path) -> None:
    page = tmp_path / "figures.md"
    page.write_text("a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\nkept\n<!-- /two -->\n")
    drawn = bars("Costs & more", "us", {"send": {"ours": 1.0}})
    Report("one", [TABLE], {"one.svg": drawn}, page=page).write()
    text = page.read_text()
    assert "old" not in text
    assert "| ours | 1,234 | 0.50 |" in text
    assert "![Costs & more](figures/one.svg)" in text
    assert text.endswith("<!-- /one -->\nb\n<!-- two -->\nkept\n<!-- /two -->\n")
    assert (tmp_path / "figures" / "one.svg").read_text() == drawn
    with pytest.raises(ValueError, match="no marker <!-- three -->"):
        Report("three", [TABLE], page=page).write()


def test_a_report_with_a_short_form_writes_all_rows_into_the_second_page(tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "page" / "figures.md"
    figures.parent.mkdir()
    for one in (page, figures):
        one.write_text("<!-- one -->\n<!-- /one -->\n")
    short = Table("In short", ("peer", "x"), [("ours", 0.5)])
    drawn = bars("Costs", "us", {"send": {"ours": 1.0}})
    report = Report("one", [TABLE], {"one.svg": drawn}, page=page, summary=[short])
    report.write()
    assert "![Costs](page/one.svg)" in page.read_text()
    assert "| ours | 0.50 |" in page.read_text()
    assert "| ours | 1,234 | 0.50 |" not in page.read_text()
    assert "| ours | 1,234 | 0.50 |" in figures.read_text()
    assert "svg" not in figures.read_text()
    figures.write_text("")
    page.write_text(before := "<!-- one -->\nold\n<!-- /one -->\n")
    with pytest.raises(ValueError, match=r"figures\.md has no marker"):
        report.write()
    assert page.read_text() == before


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


def test_the_parts_of_a_bar_follow_each_other_and_the_number_is_their_sum() -> None:
    drawn = stacked("Time", "us", {"send": {"ours": 30.0, "theirs": 90.0}})
    root = ElementTree.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    _, _, ours, theirs = list(root.iter(f"{space}rect"))  # after those of the legend
    wide = float(ours.attrib["width"])
    assert float(ours.attrib["x"]) == LABELS
    assert float(theirs.attrib["x"]) == pytest.approx(LABELS + wide, abs=0.2)
    assert float(theirs.attrib["width"]) == pytest.approx(3 * wide, rel=0.01)
    assert "120" in {text.text for text in root.iter(f"{space}text")}


def test_a_peer_has_the_same_colour_in_all_charts() -> None:
    charts = [{"naive": 1.0, "lean": 2.0, "floor": 3.0}, {"floor": 1.0, "lean": 2.0, "x": 3.0}]
    found = []
    for group in charts:
        root = ElementTree.fromstring(bars("Costs", "us", {"send": group}))
        boxes = [box.attrib["fill"] for box in root.iter("{http://www.w3.org/2000/svg}rect")]
        assert len(set(boxes)) == 3
        found.append(dict(zip(group, boxes[:3], strict=True)))
    assert [found[0][name] for name in ("lean", "floor")] == [
        found[1][name] for name in ("lean", "floor")
    ]


def test_a_long_legend_takes_several_lines() -> None:
    names = {f"a rather long name {number}": 1.0 for number in range(6)}
    root = ElementTree.fromstring(bars("Costs", "us", {"send": names}))
    wide = float(root.attrib["width"])
    space = "{http://www.w3.org/2000/svg}"
    texts = [text for text in root.iter(f"{space}text") if text.text in names]
    assert len({text.attrib["y"] for text in texts}) > 1
    assert all(float(text.attrib["x"]) + 6 * len(text.text or "") < wide for text in texts)


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
