"""Items that wait are one request; each item hears of its own outcome, and a bad one takes no other with it."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.sqlite.coalescer import Coalescer
from growbin_jobs.engine.sqlite.committer import Closed


class Requests:
    """Runs what was submitted when it is told to, in order; a request that raises is undone."""

    def __init__(self) -> None:
        self.waiting: list = []
        self.rows: list[int] = []
        self.requests = 0

    def submit(self, call, then) -> None:
        self.waiting.append((call, then))

    def run_all(self) -> None:
        while self.waiting:
            call, then = self.waiting.pop(0)
            self.requests += 1
            before = list(self.rows)
            try:
                result = call(self.rows)
            except Exception as error:
                self.rows[:] = before
                then(error, None)
            else:
                then(None, result)


def write(rows: list[int], items: Sequence[int]) -> list[int]:
    for item in items:
        if item < 0:
            raise UnicodeError("not storable")
        rows.append(item)
    return [item * 10 for item in items]


@pytest.fixture
def requests() -> Requests:
    return Requests()


@pytest.fixture
def heard() -> list:
    return []


@pytest.fixture
def coalescer(requests, heard):
    return Coalescer(requests.submit, write, lambda *outcome: heard.append(outcome))


def test_items_that_wait_are_one_request(coalescer, requests, heard):
    for item in (1, 2, 3):
        coalescer.add(item)
    assert len(coalescer) == 3

    requests.run_all()

    assert requests.requests == 1
    assert requests.rows == [1, 2, 3]
    assert heard == [(1, None, 10), (2, None, 20), (3, None, 30)]
    assert len(coalescer) == 0


def test_what_is_added_after_the_request_has_begun_is_another_one(coalescer, requests):
    coalescer.add(1)
    requests.run_all()
    coalescer.add_all([2, 3])
    requests.run_all()

    assert requests.requests == 2
    assert requests.rows == [1, 2, 3]


def test_nothing_is_no_request(coalescer, requests):
    coalescer.add_all([])

    assert requests.waiting == []


def test_a_request_that_is_run_again_writes_the_same_and_what_has_come_since(coalescer, requests, heard):
    coalescer.add(1)
    [(call, then)] = requests.waiting
    call([])  # its transaction failed
    coalescer.add(2)

    then(None, call(requests.rows))

    assert requests.rows == [1, 2]
    assert heard == [(1, None, 10), (2, None, 20)]


@given(st.lists(st.integers(-3, 9), max_size=40))
def test_each_item_succeeds_or_fails_by_itself(items):
    requests, heard = Requests(), {}
    coalescer = Coalescer(requests.submit, write, lambda item, *outcome: heard.setdefault(item, []).append(outcome))

    coalescer.add_all(items)
    requests.run_all()

    assert requests.rows == [item for item in items if item >= 0]
    assert sum(map(len, heard.values())) == len(items)
    for item, outcomes in heard.items():
        assert all((error is None) == (item >= 0) and (result is None) == (item < 0) for error, result in outcomes)
    assert len(coalescer) == 0


@pytest.mark.parametrize("error", [Closed("closed"), apsw.FullError("full"), OSError("gone"), apsw.CorruptError("bad")])
def test_trouble_with_the_file_fails_all_and_none_is_tried_alone(coalescer, requests, heard, error):
    coalescer.add_all([1, 2])
    [(call, then)] = requests.waiting
    requests.waiting.clear()
    call([])

    then(error, None)

    assert requests.waiting == []
    assert heard == [(1, error, None), (2, error, None)]


def test_items_of_a_request_that_was_refused_unrun_are_told(coalescer, requests, heard):
    coalescer.add_all([1, 2])
    [(_, then)] = requests.waiting
    refused = Closed("closed")

    then(refused, None)

    assert heard == [(1, refused, None), (2, refused, None)]
    coalescer.add(3)
    assert len(requests.waiting) == 2


def test_without_a_callback_a_bad_item_is_dropped_alone(requests):
    coalescer = Coalescer(requests.submit, lambda rows, items: write(rows, items) and None)

    coalescer.add_all([1, -1, 2])
    requests.run_all()

    assert requests.rows == [1, 2]
    assert len(coalescer) == 0
