"""The order of tests for several processes: what takes long begins first, so that none ends long after the others.

Each process gets an equal part of the list, and one that is done takes from the end of another's (``forked_run.py``).
"""

from __future__ import annotations

from itertools import groupby

import pytest

#: Folders, and files, whose tests start processes or browsers, the slowest first.
LONG = (
    "tests/faults/", "tests/fuzz/", "tests/contract/test_dramatiq_under_gevent.py",
    "tests/integration/test_rabbitmq_generations.py", "tests/proof/", "tests/staged_alerts/", "tests/e2e/",
    "tests/upgrade/", "tests/monitor/test_api_schema.py", "tests/integration/", "tests/examples/", "tests/release/",
    "tests/monitoring/", "tests/doctor/", "tests/docs/", "tests/unit/cli/",
)  # fmt: skip


#: Its files share a browser and monitors.
TOGETHER = "tests/e2e/monitor/"


def dealt(items: list[pytest.Item], processes: int) -> list[list[pytest.Item]]:
    """Return equal parts of the tests, each of which begins with its share of long ones; files stay together."""
    files = [list(group) for _, group in groupby(sorted(items, key=_path), _file)]
    long = sorted((each for each in files if _rank(each) < len(LONG)), key=_rank)
    short = [item for each in files if _rank(each) == len(LONG) for item in each]
    parts: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for number, each in enumerate(long):
        parts[number % processes] += each
    left = len(items)
    for number, part in enumerate(parts):
        share = left // (processes - number) - len(part)
        part += short[: max(0, share)]
        del short[: max(0, share)]
        left -= len(part)
    parts[-1] += short
    return parts


def _file(item: pytest.Item) -> str:
    return TOGETHER if item.nodeid.startswith(TOGETHER) else _path(item)


def _path(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _rank(file: list[pytest.Item]) -> int:
    name = file[0].nodeid
    return next((rank for rank, folder in enumerate(LONG) if name.startswith(folder)), len(LONG))
