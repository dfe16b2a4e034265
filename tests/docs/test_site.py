"""The site of the docs builds, names every page, and asks no other server for anything."""

import importlib.machinery
import importlib.util
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: What a browser loads by itself, from elsewhere. A link that a person follows may lead anywhere.
LOADED = re.compile(r"""<(?:script|img|source|iframe|link(?=[^>]*stylesheet))[^>]*(?:src|href)=["']?(?:https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    path = str(ROOT / "scripts" / "docs_site")
    spec = importlib.util.spec_from_loader("docs_site", importlib.machinery.SourceFileLoader("docs_site", path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(site, tmp_path, monkeypatch):
    """A copy of the pages, to spoil."""
    for page in site.pages():
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / page, tmp_path / page)
    shutil.copyfile(site.CONFIG, tmp_path / "docs" / "zensical.toml")
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "CONFIG", tmp_path / "docs" / "zensical.toml")
    return tmp_path


def test_it_builds_and_loads_nothing_from_elsewhere(site, tmp_path):
    built = {page: page.read_text() for page in site.build(tmp_path / "docs").rglob("*.html")}

    assert len(built) > len(site.pages())
    assert [str(page) for page, text in built.items() if LOADED.search(text)] == []
    first = next(text for page, text in built.items() if page.name == "index.html" and "runbooks" not in page.parts)
    runbooks = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README"}
    assert set(re.findall(r"docs/runbooks/([\w-]+)\.html", first)) >= runbooks


def test_a_page_that_nobody_finds_stops_it(site, copy):
    (copy / "docs" / "lonely.md").write_text("# Lonely\n")

    with pytest.raises(SystemExit, match=r"docs/lonely\.md"):
        site.build(copy / "build")


def test_a_link_that_leads_nowhere_stops_it(site, copy):
    with (copy / "docs" / "first-steps.md").open("a") as page:
        page.write("[gone](gone.md)\n")

    with pytest.raises(SystemExit, match=r"docs/first-steps\.md links to gone\.md"):
        site.linked(Path("docs/first-steps.md"))
