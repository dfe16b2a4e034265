"""Each fault of the catalogue, on each broker it concerns: nothing is lost, nothing is done twice.

Starting workers is what takes time, so the faults of one kind of installation happen to one installation, one after
the other. Each is judged when it is over, by everything that was ever handed in; after one that was not survived the
next begins with a new installation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from tests.whole import WHOLE

from faults.catalogue import FAULTS, Fault, Where, play
from faults.installation import Installation
from faults.pauses import DIVISOR
from faults.servers import Node, Postgres, Rabbit

pytestmark = pytest.mark.timeout(300)


def cases() -> list[Any]:
    return [
        pytest.param(
            fault,
            where,
            id=f"{fault.number:02}-{fault.name}-{where.replace(' ', '-')}",
            marks=[pytest.mark.services] * (where != "embedded"),
        )
        # Those on a node of their own first: neighbours here run in the same process, and share it.
        for fault in sorted(FAULTS, key=lambda fault: "own node" not in fault.where)
        for where in (fault.where if WHOLE else fault.in_ci)
    ]


class Site:
    """Builds installations, and keeps one of each kind as long as it survives.

    Parameters:
      build: Makes one, and has the stack undo it.
    """

    def __init__(self, build: Callable[[Where, ExitStack], Installation]) -> None:
        self._build = build
        self._kept: dict[Where, tuple[Installation, ExitStack]] = {}

    @contextmanager
    def installation(self, where: Where) -> Iterator[Installation]:
        """Lend one; it is gone if what happens in the block raises."""
        if where not in self._kept:
            undo = ExitStack()
            self._kept[where] = self._build(where, undo), undo
        installation, undo = self._kept[where]
        try:
            yield installation
        except BaseException:
            del self._kept[where]
            undo.close()
            raise

    def close(self) -> None:
        """End all, as an operator does."""
        for installation, undo in self._kept.values():
            with undo:
                installation.stop()


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    def own_node(undo: ExitStack) -> Node:
        """Return a RabbitMQ that nobody else uses: it blocks its publishers, or is killed."""
        node = Node.own(tmp_path_factory.mktemp("node"))
        undo.callback(node.remove)
        return node

    def build(where: Where, undo: ExitStack) -> Installation:
        rabbit = postgres = None
        if where != "embedded":
            rabbit = Rabbit(own_node(undo) if where == "own node" else Node(request.getfixturevalue("rabbitmq_server")))
            undo.callback(rabbit.remove)
            postgres = Postgres(request.getfixturevalue("postgres_server")["url"])
            undo.callback(postgres.remove)
        folder = tmp_path_factory.mktemp("installation") / "files"
        installation = Installation(folder, rabbit=rabbit, postgres_url=postgres and postgres.url, forks=True)
        installation.env[DIVISOR] = "10"
        undo.callback(installation.close)
        return installation

    site = Site(build)
    yield site
    site.close()


@pytest.mark.parametrize(("fault", "where"), cases())
def test_nothing_is_lost_and_nothing_done_twice(fault: Fault, where: Where, site: Site) -> None:
    with site.installation(where) as installation:
        play(fault, installation, drips=fault.drips)

        verdict = installation.settle()

        assert verdict.holds, installation.evidence(verdict)
        assert not verdict.killed | verdict.undead, installation.evidence(verdict)
        fault.check(installation, verdict)
