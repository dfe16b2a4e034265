"""The order of tests for several processes: what takes long begins first, so that none ends long after the others.

pytest-xdist gives each process an equal part of the list, and lets one that is done take from the end of another's.

Each process collects all tests. In a fresh checkout no byte code is kept yet, of tests nor of the product, and all of
them would compile the same file at the same time, to the last one. So each goes through the folders in an order of its
own, and mostly finds what another one has kept.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import groupby
from typing import TypeVar

import pytest

T = TypeVar("T")

#: Folders, and files, whose tests start processes or browsers, the slowest first.
LONG = (
    "tests/faults/", "tests/fuzz/", "tests/contract/test_dramatiq_under_gevent.py",
    "tests/integration/test_rabbitmq_generations.py", "tests/proof/", "tests/staged_alerts/", "tests/e2e/",
    "tests/upgrade/", "tests/monitor/test_api_schema.py", "tests/integration/", "tests/examples/", "tests/release/",
    "tests/monitoring/", "tests/doctor/", "tests/docs/", "tests/unit/cli/",
)  # fmt: skip


#: Its files share a browser and monitors.
TOGETHER = "tests/e2e/monitor/"


def shuffled(found: Iterable[T], process: str) -> list[T]:
    """Return what a folder holds in an order that differs from process to process."""
    own = list(found)
    random.Random(process).shuffle(own)
    return own


def dealt(items: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """Return the tests so that each of several equal parts begins with its share of long ones; files stay together.

    In whatever order a process has found the files, the tests are in the same order for all.
    """
    files = [list(group) for _, group in groupby(sorted(items, key=_path), _file)]
    long = sorted((each for each in files if _rank(each) < len(LONG)), key=_rank)
    short = [item for each in files if _rank(each) == len(LONG) for item in each]
    parts: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for number, each in enumerate(long):
        parts[number % processes] += each
    left = len(items)
    for number, part in enumerate(parts):
        share = left // (processes - number) - len(part)  # as pytest-xdist divides
        part += short[: max(0, share)]
        del short[: max(0, share)]
        left -= len(part)
    return [item for part in parts for item in part] + short


def _file(item: pytest.Item) -> str:
    return TOGETHER if item.nodeid.startswith(TOGETHER) else _path(item)


def _path(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _rank(file: list[pytest.Item]) -> int:
    name = file[0].nodeid
    return next((rank for rank, folder in enumerate(LONG) if name.startswith(folder)), len(LONG))
