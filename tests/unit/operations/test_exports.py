"""Exports open safely in a spreadsheet, and are strict line by line."""

import csv
import io
import json
from dataclasses import dataclass

import pytest

from growbin_jobs.operations.exports import encoded, pages, safe_cell


@dataclass(frozen=True)
class Row:
    name: str
    count: int | None
    wait: float


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"])
def test_no_cell_is_a_formula(text):
    assert safe_cell(text) == f"'{text}"


def test_csv_has_a_head_and_numbers_stay_numbers():
    text = "".join(encoded([Row('a,"b"\n<script>', -3, 0.5), Row("=x\0\ud83d", None, 1.0)], Row, "csv"))

    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows == [["name", "count", "wait"], ['a,"b"\n<script>', "-3", "0.5"], ["'=x\ufffd?", "", "1.0"]]


def test_json_lines_are_strict():
    lines = list(encoded([Row("\ud83d", 1970670598291982290, float("nan"))], Row, "jsonl"))

    assert [json.loads(line) for line in lines] == [{"name": "\ufffd", "count": 1970670598291982290, "wait": "nan"}]


def test_a_list_in_pages_is_read_to_its_end_or_to_the_most_rows():
    def read(cursor):
        at = int(cursor or 0)
        return [at, at + 1], (str(at + 2) if at < 4 else None)

    assert list(pages(read)) == [0, 1, 2, 3, 4, 5]
    assert list(pages(read, most=3)) == [0, 1, 2]
    assert list(pages(lambda _: ([], None))) == []
