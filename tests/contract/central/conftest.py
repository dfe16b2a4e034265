"""Two nodes whose journals are copied to one central database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.contract.central_node import Node, nodes

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.tasks import Tasks


@pytest.fixture
def new_node(tmp_path: Path, database: Database) -> Iterator[Callable[..., Node]]:
    with nodes(tmp_path, Tasks(database)) as make:
        yield make


@pytest.fixture
def a(new_node: Callable[..., Node]) -> Node:
    return new_node("a")


@pytest.fixture
def b(new_node: Callable[..., Node]) -> Node:
    return new_node("b")
