"""What GitHub and package indexes read: workflows, templates, hooks and the README."""

from __future__ import annotations

import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
FORMS = sorted(ROOT.glob(".github/ISSUE_TEMPLATE/[!c]*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TEXTS = ("*.md", "*.toml", "*.txt", "*.cfg", "*.py", ".*.yaml", "Makefile", ".ci/*")
FOLDERS = (".github/**/*", "docs/**/*.md", "tools/*", "ops/**/*.yml", "tests/*.py")
VERSION = re.compile(r"[\w.-]+/[\w./-]+@(v\d+(\.\d+){0,2}|[0-9a-f]{40} # v\d+(\.\d+){0,2})")
# In two parts, or this file would name one.
HOSTS = re.compile("py" r"pi\.org|python" r"hosted\.org|gh" r"cr\.io|dock" r"er\.io|qu" r"ay\.io")


def name_of(path: Path) -> str:
    return path.name


def read(path: str | Path) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def _jobs() -> Iterator[Any]:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield pytest.param(job, id=f"{path.stem}-{name}")


JOBS = list(_jobs())


def steps_of(job: Any, action: str) -> list[Any]:
    return [step for step in job["steps"] if step.get("uses", "").startswith(f"{action}@")]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_workflow_may_only_read_the_repository(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "group" in workflow["concurrency"]
    assert "secrets." not in path.read_text()


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_job_that_may_write_says_what_for(path: Path) -> None:
    writes = [line for line in path.read_text().splitlines() if re.search(r": write\b", line)]
    reasons = [line.partition(" # ")[2] for line in writes]
    assert all(len(reason) > 20 for reason in reasons), writes
    granted = [job.get("permissions", {}) for job in read(path)["jobs"].values()]
    assert sum(list(one.values()).count("write") for one in granted) == len(writes)
    assert {scope for one in granted for scope in one} <= {"id-token", "attestations", "pages"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_every_action_has_a_version(path: Path) -> None:
    used = re.findall(r"uses: (.+)$", path.read_text(), re.MULTILINE)
    assert used != []
    assert [one for one in used if VERSION.fullmatch(one) is None] == []


@pytest.mark.parametrize("job", JOBS)
def test_a_job_has_a_name_an_end_and_keeps_no_credentials(job: Any) -> None:
    assert job["name"]
    assert 5 <= job["timeout-minutes"] <= 60
    assert "continue-on-error" not in job
    checkouts = steps_of(job, "actions/checkout")
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False] * len(checkouts)


@pytest.mark.parametrize("job", JOBS)
def test_no_value_is_pasted_into_a_shell(job: Any) -> None:
    """A tag may be named like a command: a shell gets values by its environment only."""
    assert [step["run"] for step in job["steps"] if "${{" in step.get("run", "")] == []
    assert all("run" in step or "uses" in step for step in job["steps"])


def test_the_workflows_call_targets_that_exist() -> None:
    text = "".join(path.read_text() for path in WORKFLOWS)
    called = {*re.findall(r"make ([a-z-]+)", text), *re.findall(r"target: ([a-z-]+)", text)}
    assert called >= {
        "test",
        "test-all",
        "test-lowest",
        "test-newest",
        "test-wheel",
        "lint",
        "docs",
        "demo",
    }
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert called - set(targets) == set()


@pytest.mark.parametrize(("path", "job"), [("ci.yml", "quick"), ("release.yml", "test")])
def test_each_python_that_the_package_names_is_tested(path: str, job: str) -> None:
    tested = read(f".github/workflows/{path}")["jobs"][job]["strategy"]["matrix"]["python"]
    named = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if ":: 3." in one]
    assert tested == named
    assert PROJECT["requires-python"] == f">={tested[0]}"


def test_what_is_published_was_built_once_then_tested_and_attested() -> None:
    release = read(".github/workflows/release.yml")
    assert release[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads "on" as true
    chain = {name: job.get("needs") for name, job in release["jobs"].items()}
    assert chain == {"build": None, "test": "build", "attest": "test", "publish": "attest"}
    assert release["jobs"]["publish"]["environment"] == "release"
    assert steps_of(release["jobs"]["attest"], "actions/attest-build-provenance") != []
    built = [name for name, job in release["jobs"].items() if {"run": "make dist"} in job["steps"]]
    assert built == ["build"]


def test_the_site_is_published_from_main_only_as_it_was_checked() -> None:
    """The job that may write runs no code of the repository."""
    jobs = read(".github/workflows/ci.yml")["jobs"]
    assert {"run": "make docs"} in jobs["docs"]["steps"]
    publish = jobs["publish-docs"]
    assert publish["needs"] == "docs"
    assert publish["if"] == "github.event_name == 'push' && github.ref == 'refs/heads/main'"
    assert publish["permissions"] == {"id-token": "write", "pages": "write"}
    assert [list(step) for step in publish["steps"]] == [["uses"]]
    writing = [name for name, job in jobs.items() if "permissions" in job]
    assert writing == ["publish-docs"]


@pytest.mark.parametrize("path", FORMS, ids=name_of)
def test_a_form_is_one_that_github_accepts(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert all(field["attributes"]["label"] for field in fields)


def test_the_form_for_bugs_asks_what_is_needed_and_warns_of_secrets() -> None:
    form = read(".github/ISSUE_TEMPLATE/bug.yml")
    asked = {field["id"] for field in form["body"] if "id" in field}
    assert asked >= {"happened", "versions", "protocol", "store", "log", "clean"}
    warning = form["body"][0]["attributes"]["value"]
    assert all(word in warning for word in ("codes", "tokens", "keys", "phone", "SECURITY.md"))
    (promise,) = form["body"][-1]["attributes"]["options"]
    assert promise["required"] is True


def test_weaknesses_are_led_to_the_security_policy() -> None:
    config = read(".github/ISSUE_TEMPLATE/config.yml")
    assert config["blank_issues_enabled"] is False
    source = PROJECT["urls"]["Source"]
    assert [link["url"] for link in config["contact_links"]] == [f"{source}/blob/main/SECURITY.md"]


def test_the_hooks_before_a_commit_are_the_tools_of_the_project() -> None:
    config = read(".pre-commit-config.yaml")
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks] == [
        "ruff-format",
        "ruff-check",
        "mypy",
        "secrets",
        "spelling",
    ]
    assert {hook["language"] for hook in hooks} == {"system"}
    starts = (".venv/bin/python -m ", "sh tools/")
    assert [hook["entry"] for hook in hooks if not hook["entry"].startswith(starts)] == []


def test_no_file_names_the_host_of_a_registry() -> None:
    paths = {path for pattern in (*TEXTS, *FOLDERS) for path in ROOT.glob(pattern)}
    files = [path for path in paths if path.is_file()]
    assert len(files) > 100
    assert [name_of(path) for path in files if HOSTS.search(path.read_text())] == []


def test_the_readme_on_an_index_links_to_the_files_of_its_version() -> None:
    shown = runpy.run_path(str(ROOT / "setup.py"))["long_description"]()
    source, version = PROJECT["urls"]["Source"], f"v{PROJECT['version']}"
    files = f"{source}/blob/{version}/"
    links = re.findall(r"\]\(([^)]+)\)", shown)
    mine = [link.removeprefix(files).partition("#")[0] for link in links if files in link]
    assert [link for link in links if not link.startswith("https://")] == []
    assert len(mine) > 20
    assert [path for path in mine if not (ROOT / path).is_file()] == []
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", shown)
    assert pictures == [f"{source}/raw/{version}/docs/flow.svg"]
    assert shown.splitlines()[0] == (ROOT / "README.md").read_text().splitlines()[0]


def test_the_readme_is_short() -> None:
    """Whoever decides in ten minutes reads all of it; what is longer has a page of its own."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
