"""Docs that cannot rot: what the code says and the pages repeat is compared."""

import importlib.machinery
import importlib.util
import re
from pathlib import Path

import pytest

from growbin_jobs import settings
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])


@pytest.fixture(scope="module")
def written():
    path = str(ROOT / "scripts" / "write_docs")
    spec = importlib.util.spec_from_loader("write_docs", importlib.machinery.SourceFileLoader("write_docs", path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize("name", ["settings.md", "cli.md", "rules.md", "groups.md"])
def test_written_pages_are_current(written, name):
    assert (DOCS / name).read_text() == written[name], "run scripts/write_docs"


def test_every_setting_is_documented():
    page = (DOCS / "settings.md").read_text()

    assert [name for name in settings.Settings.model_fields if f"`{settings.variable(name)}`" not in page] == []


def test_every_rule_is_documented():
    page = (DOCS / "rules.md").read_text()

    assert [item for item in load_rules(rules_folder(None)) if f"`{item}`" not in page] == []


def test_every_command_has_an_example(written):
    sections = written["cli.md"].split("\n## ")[1:]

    assert len(sections) >= 9
    assert [
        section.splitlines()[0]
        for section in sections
        if "```sh\ngrowbin-jobs" not in section and "growbin-jobs" not in section.split("```sh")[-1]
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_that_pages_name_exist(page):
    known = {settings.variable(name) for name in settings.Settings.model_fields}
    named = set(re.findall(r"\bGROWBIN_[A-Z0-9_]+\b", page.read_text()))

    assert {name for name in named - known if not name.startswith("GROWBIN_TEST_")} == set()


def test_every_page_is_reachable_from_the_readme():
    index = (ROOT / "README.md").read_text() + (DOCS / "README.md").read_text()

    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and page.name not in index] == []
