import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from growbin_jobs.operations.json_ready import as_json, iso


class State(StrEnum):
    DONE = "done"


@dataclass(frozen=True)
class Inner:
    at: float
    state: State


@dataclass(frozen=True)
class Outer:
    path: Path
    died_at: float | None
    seen_at: datetime
    lag: float
    parts: list[Inner]
    counts: dict[State, int]
    payload: Any
    body: bytes


def test_a_dataclass_becomes_what_json_takes():
    value = Outer(
        path=Path("/a"), died_at=None, seen_at=datetime(2026, 1, 2, tzinfo=UTC), lag=1.5,
        parts=[Inner(0.0, State.DONE)],
        counts={State.DONE: 2}, payload={"died_at": 1.0, "b": (1,)}, body=b"\xff{}",
    )  # fmt: skip

    found = as_json(value)

    assert json.loads(json.dumps(found)) == found
    assert found == {
        "path": "/a",
        "died_at": None,
        "seen_at": "2026-01-02T00:00:00+00:00",
        "lag": 1.5,
        "parts": [{"at": "1970-01-01T00:00:00.000+00:00", "state": "done"}],
        "counts": {"done": 2},
        "payload": {"died_at": 1.0, "b": [1]},  # data of others stays as it is
        "body": "\\xff{}",
    }
    assert list(found) == ["path", "died_at", "seen_at", "lag", "parts", "counts", "payload", "body"]


@pytest.mark.parametrize("seconds", [1e30, -1e30, float("nan"), float("inf")])
def test_a_time_of_no_calendar_is_its_number(seconds):
    assert iso(seconds) == str(seconds)
