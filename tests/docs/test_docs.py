"""Docs that cannot rot: what the code says and the pages repeat is compared."""

import importlib.machinery
import importlib.util
import re
from pathlib import Path

import pytest

from growbin_jobs import errors, names, settings
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
from growbin_jobs.engine import errors as engine_errors
from growbin_jobs.engine.supervision.supervisor import STOP_MARGIN
from growbin_jobs.names import AI, GROUPS
from growbin_jobs.states import AnalysisStatus

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


@pytest.fixture(scope="module")
def written():
    path = str(ROOT / "scripts" / "write_docs")
    spec = importlib.util.spec_from_loader("write_docs", importlib.machinery.SourceFileLoader("write_docs", path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize(
    "name", ["settings.md", "cli.md", "rules.md", "reasons.md", "groups.md", "events.md", "delivery.md"]
)
def test_written_pages_are_current(written, name):
    assert (DOCS / name).read_text() == written[name], "run scripts/write_docs"


def test_every_setting_is_documented():
    page = (DOCS / "settings.md").read_text()

    assert [
        name for name in settings.Settings.model_fields if f"`{settings.Settings.variable(name)}`" not in page
    ] == []


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
def test_links_to_headings_lead_somewhere(page):
    anchors = re.findall(r"\]\(((?!https?://)[^)#\s]*)#([^)\s]+)\)", page.read_text())

    assert [
        f"{target}#{anchor}"
        for target, anchor in anchors
        if anchor not in headings_of(page.parent / target if target else page)
    ] == []


def headings_of(page):
    """The anchors of a page's headings, as forges make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_that_pages_name_exist(page):
    known = {settings.Settings.variable(name) for name in settings.Settings.model_fields}
    named = set(re.findall(r"\bGROWBIN_[A-Z0-9_]+\b", page.read_text()))

    assert {name for name in named - known if not name.startswith("GROWBIN_TEST_")} == set()


def test_every_page_is_reachable_from_the_readme():
    index = (ROOT / "README.md").read_text() + (DOCS / "README.md").read_text()

    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and page.name not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_pages_show_exist(page, written):
    known = set(re.findall(r"^## `growbin-jobs ([a-z -]+)`$", written["cli.md"], re.MULTILINE))
    shown = re.findall(r"(?:^|`|\$\(|&& )growbin-jobs ([a-z]+)(?: ([a-z][a-z-]*))?", page.read_text(), re.MULTILINE)

    assert [words for words in shown if not {words[0], " ".join(words)} & known and page.name != "cli.md"] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_and_files_that_pages_name_exist(page):
    named = set(re.findall(r"(?<![\w/.])((?:scripts|src|tests)/[\w/]+(?:\.\w+)?|\.ci/run)", page.read_text()))

    assert {name for name in named if "NNNN" not in name and not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_pages_compiles_and_names_what_exists(page):
    for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        compile(code, page.name, "exec")
        for line in re.findall(r"^from growbin_jobs.*import.*$", code, re.MULTILINE):
            exec(line, {})


def test_both_readmes_have_the_same_parts():
    english, korean = ((ROOT / name).read_text() for name in ("README.md", "README.ko.md"))

    for part in (r"^#+ ", r"^```\w+$", r"^\|", r"^- ", r"\]\((?!README)"):
        found = [len(re.findall(part, text, re.MULTILINE)) for text in (english, korean)]
        assert found[0] == found[1], part
    commands = [re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for text in (english, korean)]
    bare = [[re.sub(r" +#.*", "", block) for block in blocks] for blocks in commands]
    assert bare[0] == bare[1]


def test_the_readme_shows_every_state_of_the_demo_as_it_is_printed():
    for name in ("README.md", "README.ko.md"):
        panel = re.search(r"^╭.*?^╰.*?$", (ROOT / name).read_text(), re.DOTALL | re.MULTILINE)[0]
        assert "completed" in panel
        assert "pet_bottle" in panel


def test_the_architecture_page_names_every_package():
    page = (DOCS / "architecture.md").read_text()
    source = ROOT / "src" / "growbin_jobs"
    packages = {path.parent.name for folder in (source, source / "engine") for path in folder.glob("*/*.py")}

    assert [name for name in sorted(packages - {"samples"}) if f"{name}/" not in page] == []


def test_two_pages_name_every_status_actor_and_queue():
    page = (DOCS / "pipeline.md").read_text()

    assert [status for status in AnalysisStatus if f"| `{status}` |" not in page] == []
    routes = [value for value in vars(names).values() if isinstance(value, names.Route)]
    assert {route.queue for route in routes} == {queue for group in GROUPS.values() for queue in group.queues}
    both = page + (DOCS / "platform.md").read_text()
    assert [route for route in routes if route.actor not in both or route.queue not in both] == []


def test_the_pipeline_page_has_the_limits_of_the_settings():
    page = (DOCS / "pipeline.md").read_text()
    defaults = {name: field.default for name, field in settings.Settings.model_fields.items()}

    for stage in ("upload", "vision", "rule", "response"):
        assert f"{defaults[f'{stage}_retries']}, {defaults[f'{stage}_backoff']:g} s" in page
        assert f"{defaults[f'{stage}_time_limit']:g} s" in page


def test_the_errors_page_draws_the_whole_tree():
    drawn = re.search(r"```text\n(GrowbinError.*?)```", (DOCS / "errors.md").read_text(), re.DOTALL)[1]
    trees = (errors, engine_errors)
    ours = {
        name for tree in trees for name, value in vars(tree).items()
        if isinstance(value, type) and issubclass(value, errors.GrowbinError)
    }  # fmt: skip

    assert sorted(re.findall(r"^[│├└─ ]*([A-Z]\w+)", drawn, re.MULTILINE)) == sorted(ours)


def test_the_workers_page_calculates_with_the_table():
    page = (DOCS / "workers.md").read_text()

    assert f"84 = {AI.processes} processes × {AI.threads} threads" in page
    assert AI.processes * AI.threads == 84
    assert f"{STOP_MARGIN:g} s" in page
    assert f"`GROWBIN_SHUTDOWN_TIMEOUT` ({settings.Settings.model_fields['shutdown_timeout'].default:g} s)" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_no_folder_of_the_machine_they_were_written_on(page):
    assert re.findall(r"/(?:work|root|home|Users)/\w+", page.read_text()) == []
