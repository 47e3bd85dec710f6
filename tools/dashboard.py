"""Draw docs/operations/dashboard.svg: the dashboard as Prometheus fills it, in real traffic."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlencode

import click

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks and example are not installed

from panels import Series, Span, draw, label  # noqa: E402 - see above
from traffic import wallet  # noqa: E402

from benchmarks.processes import free_port, serving  # noqa: E402

DASHBOARD: Final = ROOT / "ops/grafana/otp-mpp.json"
RULES: Final = ROOT / "ops/prometheus/alerts.yml"
PICTURE: Final = ROOT / "docs/operations/dashboard.svg"
FASTER: Final = 30
"""By what the fixed windows of panels and rules are divided."""
RATE_SECONDS: Final = 10
STEP: Final = 2
CONFIG: Final = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: wallet
    static_configs: [{targets: ["127.0.0.1:PORT"], labels: {instance: "wallet-1"}}]
  - job_name: node
    metrics_path: /node
    static_configs: [{targets: ["127.0.0.1:PORT"]}]
"""


def compressed(text: str) -> str:
    """Return rules or a query with each fixed window divided by FASTER."""

    def shorter(found: re.Match[str]) -> str:
        return f"[{int(found[1]) * {'m': 60, 'h': 3600}[found[2]] // FASTER}s]"

    return re.sub(r"\[(\d+)([mh])\]", shorter, text)


def query(expression: str) -> str:
    """Return a panel's query without Grafana's variables, and with shorter windows."""
    plain = expression.replace("$__rate_interval", f"{RATE_SECONDS}s").replace("$job", ".*")
    return compressed(plain)


def series_of(template: str, answer: Mapping[str, Any]) -> dict[str, Series]:
    """Return what ``/api/v1/query_range`` answered, by the legends of the series.

    :raises ValueError: if Prometheus could not answer.
    """
    if answer["status"] != "success":
        raise ValueError(answer["error"])
    found = answer["data"]["result"]
    return {
        label(template, one["metric"]): {float(at): float(value) for at, value in one["values"]}
        for one in sorted(found, key=lambda one: sorted(one["metric"].items()))
    }


def answers(
    panels: list[dict[str, Any]], ask: Callable[[str], Mapping[str, Any]]
) -> dict[int, dict[str, Series]]:
    """Ask each query of each panel."""
    return {
        panel["id"]: {
            name: values
            for target in panel.get("targets", [])
            for name, values in series_of(
                target["legendFormat"], ask(query(target["expr"]))
            ).items()
        }
        for panel in panels
    }


def asking(port: int, span: Span) -> Callable[[str], Mapping[str, Any]]:
    """Return what asks a Prometheus for a query's values over a time."""

    def ask(expression: str) -> Mapping[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        wanted = {"query": expression, "start": span.begin, "end": span.end, "step": STEP}
        connection.request("GET", f"/api/v1/query_range?{urlencode(wanted)}")
        read: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return read

    return ask


@click.command()
@click.option(
    "--seconds",
    type=click.IntRange(30, 600),
    default=90,
    show_default=True,
    help="How long the traffic is.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    default=PICTURE,
    help="Where the SVG goes; docs/operations/dashboard.svg.",
)
def main(seconds: int, to: Path) -> None:
    """Draw the dashboard of ops/grafana/otp-mpp.json in two incidents.

    The example wallet is served with metrics on this machine, and called as Alipay+, a merchant
    and Google call it. For a time its provider fails; later somebody guesses codes. Meanwhile a
    Prometheus, which must be installed, reads the metrics each second. Then it is asked each
    panel's own query, and the panels are drawn. Fixed windows of panels and rules are divided by
    30, so that a run shows what takes most of an hour in production.
    """
    program = shutil.which("prometheus")
    if program is None:
        raise click.ClickException("prometheus is not installed; on Debian: apt install prometheus")
    with TemporaryDirectory() as name, wallet(Path(name)) as traffic:
        folder, port = Path(name), free_port()
        target = traffic.url.rpartition(":")[2]
        (folder / "rules.yml").write_text(compressed(RULES.read_text()))
        (folder / "prometheus.yml").write_text(CONFIG.replace("PORT", target))
        command = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
        traffic.add_users(40 * seconds)
        with serving(command, port, {}, folder / "prometheus.log"):
            time.sleep(3)  # so that the first counts are an increase
            span = traffic.run(seconds)
            panels = json.loads(DASHBOARD.read_text())["panels"]
            found = answers(panels, asking(port, span))
    caption = (
        f"The example wallet in {seconds} s of mixed traffic, read by Prometheus each second. "
        f"Fixed windows, such as [1h], are divided by {FASTER}; $__rate_interval is "
        f"{RATE_SECONDS} s."
    )
    to.write_text(draw("flask-otp-mpp", caption, panels, found, span))
    shown = sum(map(bool, found.values()))
    click.echo(f"Drew {to}; {shown} of {sum('targets' in one for one in panels)} panels have data.")


if __name__ == "__main__":
    main()
