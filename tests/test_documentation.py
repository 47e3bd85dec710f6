"""The documentation is true: its tables are current, its snippets run, its links lead somewhere."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from flask_otp_mpp import AlipayPlus, state_of
from flask_otp_mpp.stores import rules
from flask_otp_mpp.web.doc_tables import setting_rows
from tests.public import PACKAGE, PACKAGES, names_of, private_imports
from tests.wallet import settings

ROOT = Path(__file__).parent.parent
CODE = sorted(
    path
    for folder in ("deploy", "docs/examples", "example_app")
    for path in ROOT.glob(f"{folder}/**/*.py")
)
TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/README.md")]
PAGES = sorted([*TOP, *ROOT.glob("docs/**/*.md")])
LINKED = sorted({*PAGES, *ROOT.glob("*.md"), *ROOT.glob(".github/**/*.md")})
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")
SNIPPET = re.compile(r"```python\n(.*?)```", re.DOTALL)
DESCRIBED = re.compile(
    r"^\.\. (?:auto|py:)\w+:: (?:flask_otp_mpp\.stores::)?([\w.]+)$", re.MULTILINE
)
KEY = re.compile(r"\bOTP_MPP_[A-Z_]+[A-Z]\b")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", load(ROOT / "tools/tables.py").PAGES)
def test_the_generated_parts_of_a_page_are_current(page: str) -> None:
    """O4: if this fails, run `python tools/tables.py`."""
    text = (ROOT / page).read_text()
    assert load(ROOT / "tools/tables.py").filled(text, page) == text


def test_the_quickstart_starts_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """O4: with the keys that the README sets."""
    readme = (ROOT / "README.md").read_text()
    shown = set(re.findall(r"export (FLASK_OTP_MPP_\w+)", readme))
    given = settings(store="memory://")
    assert shown == {f"FLASK_{key}" for key in given}
    for key, value in given.items():
        monkeypatch.setenv(f"FLASK_{key}", value if isinstance(value, str) else json.dumps(value))
    app = load(ROOT / "docs/examples/quickstart.py").create_app()
    assert [protocol.name for protocol in state_of(app).protocols] == [AlipayPlus.name]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_snippets_of_a_page_run(page: Path) -> None:
    """O4: in order, in one namespace a page."""
    namespace: dict[str, object] = {"__name__": page.stem}
    snippets = SNIPPET.findall(page.read_text())
    for snippet in snippets:
        exec(compile(snippet, name_of(page), "exec", dont_inherit=True), namespace)
    assert all(snippet.strip() for snippet in snippets)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_snippets_of_a_page_import_public_names_only(page: Path) -> None:
    """O4: what a reader copies must not break in the next release."""
    snippets = SNIPPET.findall(page.read_text())
    assert [found for snippet in snippets for found in private_imports(snippet)] == []


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_the_examples_import_public_names_only(path: Path) -> None:
    """O4: the quickstart and the example wallet."""
    assert list(private_imports(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import flask_otp_mpp.core.rules",
        "from flask_otp_mpp.callers.google import GoogleCaller",
        "from flask_otp_mpp.protocols.google.plain import PlainSealer",
        "from flask_otp_mpp import core",
        "from flask_otp_mpp.callers import signed",
        "def late():\n    from flask_otp_mpp.web import build",
    ],
)
def test_a_private_import_is_found(source: str) -> None:
    """O4: a module, a name of one, and a module as a name; at any depth."""
    assert len(list(private_imports(source))) == 1


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    """O4: to a file, and to a heading in it."""
    for target, anchor in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        path = (page.parent / target).resolve()
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}
            assert anchor[1:] in slugs, f"{target}{anchor}"


def described(package: str) -> list[str]:
    """Return the names that a page of the reference describes, without the package itself."""
    page = ROOT / f"docs/reference/{package.rpartition('.')[2]}.md"
    return [name for name in DESCRIBED.findall(page.read_text()) if name not in PACKAGES]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_described_once_in_the_reference(package: str) -> None:
    """O4: names that the first package has as well are described there."""
    public = set(names_of(package)) - {"rules"}
    if package != PACKAGE:
        public -= names_of(PACKAGE)
    assert sorted(name for name in described(package) if "." not in name) == sorted(public)


def test_every_rule_is_described_in_the_reference() -> None:
    """O4: they are what a store of one's own decides by."""
    functions = {
        f"rules.{name}"
        for name, value in vars(rules).items()
        if inspect.isfunction(value) and value.__module__ == rules.__name__ and name[0] != "_"
    }
    assert {name for name in described(f"{PACKAGE}.stores") if "." in name} == functions


def test_the_pages_that_are_only_included_in_the_site_lead_to_their_files() -> None:
    """O4: for those who read them on GitHub."""
    for page, name in load(ROOT / "docs/conf.py").ELSEWHERE.items():
        assert f"](../{name})" in (ROOT / f"docs/{page}.md").read_text()


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("../tests/public.py", "{source}/blob/main/tests/public.py"),
        ("examples/quickstart.py", "{source}/blob/main/docs/examples/quickstart.py"),
        ("../README.md#use-it", "{source}/blob/main/README.md#use-it"),
        ("../deploy/README.md#sizing", "deployment.md#sizing"),
        ("concepts.md#delivery", "concepts.md#delivery"),
        ("operations/dashboard.svg", "operations/dashboard.svg"),
        ("nowhere.md", "nowhere.md"),
        ("#here", "#here"),
        ("https://elsewhere.example/a.md", "https://elsewhere.example/a.md"),
    ],
)
def test_on_the_site_a_link_leads_to_a_page_or_else_to_the_source(link: str, shown: str) -> None:
    """O4: one text serves the site and GitHub; what leads nowhere stays, and the build fails."""
    conf = load(ROOT / "docs/conf.py")
    expected = shown.format(source=conf.PROJECT["urls"]["Source"])
    assert conf.with_links(f"[a]({link})", ROOT / "docs", ROOT / "docs") == f"[a]({expected})"


def test_links_of_an_included_file_are_relative_to_where_it_is_written() -> None:
    """O4: such as those of CHANGES.md, on its page in the site."""
    conf = load(ROOT / "docs/conf.py")
    text = "[a](docs/hooks.md) [b](SECURITY.md) [c](deploy/README.md) [d](LICENSE)"
    files = f"{conf.PROJECT['urls']['Source']}/blob/main"
    shown = f"[a](hooks.md) [b](security-policy.md) [c](deployment.md) [d]({files}/LICENSE)"
    assert conf.with_links(text, ROOT / "docs", ROOT) == shown


def test_the_map_of_the_structure_is_current() -> None:
    """O4: it names every module that is not in a folder it describes as a whole."""
    page = (ROOT / "docs/structure.md").read_text()
    named = set(re.findall(r"\w+", page.partition("```text")[2].partition("```")[0]))
    package = ROOT / "flask_otp_mpp"
    folders = "core signing protocols protocols/alipay protocols/google stores stores/* web"
    found = [path for folder in folders.split() for path in package.glob(f"{folder}/*.py")]
    modules = {path.stem for path in found}
    assert modules - {"__init__"} - named == set()
    paths = re.findall(r"`((?:core|signing|protocols|stores|web)/[a-z0-9_/]+\.py)`", page)
    assert [path for path in paths if not (package / path).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_names_no_setting_that_does_not_exist(page: Path) -> None:
    """O4: but for the one that shows what a misspelling is told; OTP_MPP_TEST_* are the suite's."""
    known = {key for key, *_ in setting_rows()}
    named = {key for key in KEY.findall(page.read_text()) if not key.startswith("OTP_MPP_TEST_")}
    assert named - {"OTP_MPP_CODE_LIVE"} <= known


def test_every_setting_has_a_meaning() -> None:
    """O4: one sentence, of our own style."""
    for key, kind, _default, meaning in setting_rows():
        assert meaning.endswith("."), key
        assert len(kind) > 3, key
