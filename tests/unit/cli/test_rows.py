"""Rows for people: a table, or where it does not fit, one fact a line."""

import pytest
from rich.cells import cell_len

from growbin_jobs.cli.facts import print_facts
from growbin_jobs.cli.rows import print_rows

COLUMNS = {"id": "left", "table": "left", "rows": "right"}
ROWS = [["ab424a01ab54", "statistics_slots", "1084"], ["04289fdc71f9", "한국어", "7"]]


@pytest.mark.parametrize("width", [20, 27, 28, 29, 33, 38, 80])
def test_nothing_is_cut_at_any_width(capsys, monkeypatch, width):
    monkeypatch.setattr("growbin_jobs.cli.rows.out._width", width)
    monkeypatch.setenv("GROWBIN_LANGUAGE", "en")

    print_rows("title", COLUMNS, ROWS, folds="table")

    shown = capsys.readouterr().out
    assert "…" not in shown
    assert all(cell in shown.replace(" ", "") for row in ROWS for cell in (row[0], row[1][:6], row[2]))
    assert ("rows   1084" in shown) == (width < 28)
    assert "\n\n" in shown or max(map(cell_len, shown.splitlines())) <= width


def test_values_stand_below_each_other_behind_names_of_any_script(capsys):
    print_facts([("상태", "x"), ("id", "y"), ("queues", "z")])

    assert [cell_len(line[:-1]) for line in capsys.readouterr().out.splitlines()] == [8, 8, 8]
