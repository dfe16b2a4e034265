"""What lists of the command line say exists in both languages: the code is read, so that nobody forgets a heading."""

import ast
import re
from pathlib import Path

import pytest

from growbin_jobs import cli
from growbin_jobs.cli import prove_view, webhooks
from growbin_jobs.cli.spoken import HEADINGS, SENTENCES, heading, spoken

MODULES = sorted(Path(cli.__file__).parent.glob("*.py"))
TREES = {path.stem: ast.parse(path.read_text("utf-8")) for path in MODULES}

#: Where sentences still are in English only: what is said while services run, and reports of what was compared.
ENGLISH = {"app", "archive", "audit_view", "demo", "health", "monitor", "prove", "stats"}

PLACEHOLDER = re.compile(r"\{[^}]*\}")


def calls(name):
    """Return each call of a function with a module's name, in all modules."""
    return [
        (module, node)
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", None)) == name
    ]


def constants(node):
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def test_each_sentence_of_the_code_has_its_korean_and_no_other_has():
    said = {node.args[0].value for _, node in calls("spoken") if isinstance(node.args[0], ast.Constant)}

    assert said | set(prove_view._WORDS.values()) | set(webhooks._DONE.values()) == set(SENTENCES)


@pytest.mark.parametrize("words", [HEADINGS, SENTENCES], ids=["headings", "sentences"])
def test_both_languages_have_the_same_values_and_are_two(words):
    for english, korean in words.items():
        assert sorted(PLACEHOLDER.findall(english)) == sorted(PLACEHOLDER.findall(korean)), english
    same = {english for english, korean in words.items() if not re.search("[가-힣]", korean)}
    assert same <= {"", "$", "id", "ms", "p95 ms", "{since} to {until} ({zone})"}


def test_each_heading_of_a_list_has_its_korean():
    shown = set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            target = getattr(node, "target", None) or next(iter(getattr(node, "targets", [])), None)
            if isinstance(node, ast.Assign | ast.AnnAssign) and getattr(target, "id", "") in ("columns", "_COLUMNS"):
                value = node.value
                keys = ast.Tuple(value.keys) if isinstance(value, ast.Dict) and target.id == "columns" else value
                shown |= constants(ast.Tuple(value.values) if target.id == "_COLUMNS" else keys)
    assert shown - {"left", "right"} <= set(HEADINGS)
    assert len(shown) > 20


def test_no_list_says_a_sentence_in_english_only():
    plain = {
        module
        for name in ("say", "print_line", "print_title")
        for module, node in calls(name)
        if isinstance(node.args[0], ast.Constant | ast.JoinedStr)
        and re.search("[A-Za-z]{2}", "".join(constants(node.args[0])))
    }
    assert plain <= ENGLISH, "its words belong into growbin_jobs.cli.spoken"


@pytest.mark.parametrize(
    ("language", "shown"),
    [("ko", ("데드 레터가 없습니다.", "상태", "own")), ("en", ("There are no dead letters.", "state", "own"))],
)
def test_the_reader_s_language_decides(monkeypatch, language, shown):
    monkeypatch.setenv("GROWBIN_LANGUAGE", language)

    assert (spoken("There are no dead letters."), heading("state"), heading("own")) == shown
