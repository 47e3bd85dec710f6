"""Alerts, dashboard and their pages: each incident fires its alert, and every name exists."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flask_otp_mpp.web.metric_table import METRICS, Kind
from tests.ops.incidents import (
    AFTER,
    BEFORE,
    DURING,
    FROM_THE_START,
    INCIDENTS,
    THROUGHOUT,
    series,
)
from tests.services import program

ROOT = Path(__file__).parents[2]
RULES = ROOT / "ops/prometheus/alerts.yml"
DASHBOARD = ROOT / "ops/grafana/otp-mpp.json"
NAME = re.compile(r"\botp_mpp_\w+")
RECORD = re.compile(r"\botp_mpp:[\w:]+")
ALERT = re.compile(r"^ +- alert: (\w+)$", re.MULTILINE)


def incident(name: str) -> dict[str, Any]:
    """Return the test of one incident, as promtool reads it."""
    throughout = name in FROM_THE_START
    changed, fire = (FROM_THE_START if throughout else INCIDENTS)[name]
    minutes = THROUGHOUT if throughout else BEFORE + DURING + AFTER
    ever = f'max_over_time(ALERTS{{alertstate="firing"}}[{minutes}m])'
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": one, "values": values}
            for one, values in series(changed, throughout=throughout).items()
        ],
        "promql_expr_test": [
            {
                "expr": f"max by (alertname) ({ever})",
                "eval_time": f"{minutes - 1}m",
                "exp_samples": [
                    {"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(fire)
                ],
            }
        ],
    }


@pytest.mark.slow
@pytest.mark.server
def test_each_incident_fires_its_alert_and_no_other(tmp_path: Path) -> None:
    """O10: from a healthy wallet in a flood of strangers, and nothing fires for that."""
    promtool = program("promtool")
    names = [*INCIDENTS, *FROM_THE_START]
    tests = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "2m",
        "tests": [incident(name) for name in names],
    }
    file = tmp_path / "incidents.yml"
    file.write_text(json.dumps(tests))  # JSON is YAML
    done = subprocess.run(
        [promtool, "test", "rules", str(file)], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.server
def test_promtool_finds_no_fault_in_the_rules() -> None:
    """O10: as a deployment would check them."""
    command = [program("promtool"), "check", "rules", str(RULES)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_an_incident() -> None:
    """O10: that fires it."""
    fired = set().union(*(fire for _, fire in [*INCIDENTS.values(), *FROM_THE_START.values()]))
    assert fired == set(ALERT.findall(RULES.read_text()))
    assert len(fired) >= 8


def test_every_alert_has_a_section_that_says_what_to_do() -> None:
    """O10: it is named by the alert's annotation `runbook`, and no section is left over."""
    text = RULES.read_text()
    alerts = ALERT.findall(text)
    page = (ROOT / "docs/operations/alerts.md").read_text()
    assert re.findall(r"^## (OtpMpp\w+)$", page, re.MULTILINE) == sorted(alerts)
    runbooks = re.findall(r"runbook: (\S+)$", text, re.MULTILINE)
    assert runbooks == [f"docs/operations/alerts.md#{alert.lower()}" for alert in alerts]


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=lambda file: file.name)
def test_rules_and_dashboard_ask_for_metrics_of_the_table_only(file: Path) -> None:
    """O10: a metric that is renamed would leave an alert silent."""
    text = file.read_text()
    known = {one.name for one in METRICS if one.kind is not Kind.HISTOGRAM}
    for one in METRICS:
        if one.kind is Kind.HISTOGRAM:
            known |= {f"{one.name}_{part}" for part in ("bucket", "sum", "count")}
    assert set(NAME.findall(text)) - known == set()
    recorded = set(re.findall(r"record: (\S+)", RULES.read_text()))
    assert set(RECORD.findall(text)) - recorded == set()


def labels_asked(expression: str) -> set[tuple[str, str]]:
    """Return each metric of an expression with each label that is matched."""
    return {
        (name, label)
        for name, inside in re.findall(r"(otp_mpp_\w+)\{([^}]*)\}", expression)
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside)
    }


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=lambda file: file.name)
def test_rules_and_dashboard_match_labels_of_the_table_only(file: Path) -> None:
    """O10: a label that does not exist matches nothing."""
    text = file.read_text().replace('\\"', '"')
    labels = {one.name: {*one.labels, "instance", "job"} for one in METRICS}
    asked = labels_asked(text)
    assert len(asked) > 5
    wrong = [
        (name, label)
        for name, label in asked
        if label not in labels[re.sub(r"_(bucket|sum|count)$", "", name)]
    ]
    assert wrong == []


def test_the_dashboard_shows_every_metric() -> None:
    """O10: what is measured can be looked at."""
    text = DASHBOARD.read_text()
    unseen = [one.name for one in METRICS if one.name not in text]
    assert unseen == []


def test_the_page_of_metrics_is_the_table() -> None:
    """O10: names and labels are stable; if this fails on purpose, run `python tools/tables.py`."""
    from runpy import run_path  # noqa: PLC0415 - the tool is a script

    page = ROOT / "docs/operations/metrics.md"
    tables = run_path(str(ROOT / "tools/tables.py"))
    assert tables["filled_metrics"](page.read_text()) == page.read_text()
