"""The list of faults is whole, and the page about it is current."""

from faults.catalogue import ELSEWHERE, FAULTS
from faults.jobs import KINDS, MIX, mixed, requests
from faults.table import PAGE, page

LIST = range(1, 36)


def test_each_fault_of_the_list_is_here_or_explained():
    here = {fault.number for fault in FAULTS}

    assert here | ELSEWHERE.keys() == set(LIST)
    assert not here & ELSEWHERE.keys()
    assert len(here) >= 30


def test_names_are_unique():
    names = [fault.name for fault in FAULTS]

    assert len(set(names)) == len(names)


def test_the_page_is_current():
    text = PAGE.read_text()

    assert page(text) == text, "run: PYTHONPATH=tests python -m faults.table"


def test_a_load_is_made_of_all_harmless_kinds():
    assert mixed(len(MIX)).keys() == set(MIX)
    assert sum(mixed(13).values()) == 13
    assert set(MIX) <= KINDS.keys()


def test_a_seed_decides_the_jobs():
    import random

    first, again = (requests(mixed(9), random.Random(3)) for _ in range(2))

    assert first == again
    assert len({request.job for request in first}) == 9
