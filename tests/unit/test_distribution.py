"""The order of tests for several processes."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.distribution import dealt

FILES = ("tests/unit/test_a.py", "tests/faults/test_b.py", "tests/e2e/monitor/test_c.py", "tests/docs/test_d.py")
COUNTS = st.lists(st.tuples(st.sampled_from(FILES), st.integers(1, 9)), max_size=8)


def names(items: list[Any]) -> list[str]:
    return [item.nodeid for item in items]


@given(COUNTS, st.integers(1, 6))
def test_every_test_is_dealt_once(counts: list[tuple[str, int]], processes: int):
    items: list[Any] = [
        SimpleNamespace(nodeid=f"{file}::test_{place}_{n}")
        for place, (file, count) in enumerate(counts)
        for n in range(count)
    ]

    parts = dealt(items, processes)

    assert sorted(name for part in parts for name in names(part)) == sorted(names(items))
    assert len(parts) == processes


def test_each_process_begins_with_its_share_of_long_ones():
    items: list[Any] = [
        SimpleNamespace(nodeid=f"tests/{name}.py::test_{n}")
        for name in ("faults/test_1", "faults/test_2", "unit/test_a", "unit/test_b")
        for n in range(4)
    ]

    first, second = map(names, dealt(items, 2))

    assert [first[0], second[0]] == ["tests/faults/test_1.py::test_0", "tests/faults/test_2.py::test_0"]
