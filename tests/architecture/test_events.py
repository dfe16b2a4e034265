"""Whoever emits an event gives it the fields of its row, no more and no less."""

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from growbin_jobs.engine import events

ENGINE = Path(__file__).parents[2] / "src" / "growbin_jobs" / "engine"
ROWS = {name: row for name, row in vars(events).items() if isinstance(row, events.Event)}


def emits() -> Iterator[tuple[str, str, ast.Call]]:
    """Each place that emits a row of the table: where, the row's name in code, the call."""
    for path in sorted(ENGINE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "emit"
                and isinstance(node.func.value, ast.Attribute)
                and getattr(node.func.value.value, "id", "") == "events"
            ):
                yield f"{path.relative_to(ENGINE)}:{node.lineno}", node.func.value.attr, node


def test_an_emitted_event_has_its_row_s_fields():
    places = list(emits())

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
