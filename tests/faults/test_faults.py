"""Each fault of the catalogue, on each broker it concerns: nothing is lost, nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.catalogue import FAULTS, Fault, play
from faults.installation import Installation
from faults.servers import Node, Rabbit

pytestmark = pytest.mark.timeout(300)


def cases() -> list[Any]:
    return [
        pytest.param(
            fault,
            where,
            id=f"{fault.number:02}-{fault.name}-{where.replace(' ', '-')}",
            marks=[pytest.mark.services] * (where != "embedded"),
        )
        for fault in FAULTS
        if fault.run == "ci"
        for where in fault.where
    ]


@pytest.fixture(scope="session")
def own_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A RabbitMQ that nobody else uses: it is killed, and blocks its publishers."""
    node = Node.own(tmp_path_factory.mktemp("node"))
    yield node
    node.remove()


@pytest.fixture
def installation(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    rabbit = None
    postgres_url = None
    if where != "embedded":
        shared = where == "rabbitmq"
        node = Node(request.getfixturevalue("rabbitmq_server")) if shared else request.getfixturevalue("own_node")
        rabbit = Rabbit(node)
        postgres_url = request.getfixturevalue("postgres_url")
    installation = Installation(tmp_path / "installation", rabbit=rabbit, postgres_url=postgres_url)
    yield installation
    installation.close()
    if rabbit:
        rabbit.remove()


@pytest.mark.parametrize(("fault", "where"), cases())
def test_nothing_is_lost_and_nothing_done_twice(fault: Fault, where: str, installation: Installation) -> None:
    play(fault, installation, drips=fault.drips)

    verdict = installation.settle()

    assert verdict.holds, installation.evidence(verdict)
    assert not verdict.killed | verdict.undead, installation.evidence(verdict)
    fault.check(installation, verdict)
