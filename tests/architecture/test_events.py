"""Whoever emits an event gives it the fields of its row, no more and no less."""

import ast
import logging
from functools import cache

import pytest
from tests.architecture.sources import SOURCE, text_of, tree_of

from growbin_jobs.engine import events

ENGINE = SOURCE / "engine"
ROWS = {name: row for name, row in vars(events).items() if isinstance(row, events.Event)}


@cache
def emits() -> list[tuple[str, str, ast.Call]]:
    """Each place that emits a row of the table: where, the row's name in code, the call."""
    found = []
    for path in sorted(ENGINE.rglob("*.py")):
        for node in ast.walk(tree_of(path)) if "emit" in text_of(path) else ():
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "emit"
                and isinstance(node.func.value, ast.Attribute)
                and getattr(node.func.value.value, "id", "") == "events"
            ):
                found.append((f"{path.relative_to(ENGINE)}:{node.lineno}", node.func.value.attr, node))
    return found


def test_an_emitted_event_has_its_row_s_fields():
    places = emits()

    assert places
    for place, name, call in places:
        given = {keyword.arg for keyword in call.keywords} | ({"actor", "id", "queue"} if call.args else set())
        assert given == {*ROWS[name].measurements, *ROWS[name].metadata}, place


def test_each_row_happens_somewhere():
    assert ROWS.keys() - {name for _, name, _ in emits()} == set()


def test_a_row_is_in_the_table_once():
    assert len(ROWS) == len(events.EVENTS)
    assert {row.name for row in ROWS.values()} == set(events.EVENTS)


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_a_line_shows_the_row_s_own_fields_only(row):
    if row.line is None:
        assert row.listeners == ()
        return
    words = dict.fromkeys((*row.measurements, *row.metadata), 1)

    assert logging.LogRecord("", row.level or 0, "", 0, row.line, (words,) if words else (), None).getMessage()
    assert row.line.split()[0].split("=")[0].count(".") == 1


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_no_row_has_room_for_anybody_s_data(row):
    fields = {*row.measurements, *row.metadata}

    assert not fields & {"args", "kwargs", "payload", "body", "message", "result", "exception", "text", "options"}
    assert not set(row.measurements) & set(row.metadata)
