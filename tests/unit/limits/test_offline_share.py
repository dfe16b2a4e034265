"""A node's offline share: what its processes have together, and when it ends."""

from pathlib import Path
from typing import Any

import pytest

from growbin_jobs.errors import Deferred
from growbin_jobs.limits import offline_share
from growbin_jobs.limits.named import NamedLimits
from growbin_jobs.limits.offline_leases import LASTS
from growbin_jobs.limits.offline_reserve import Granted
from growbin_jobs.limits.offline_share import RENEWAL, OfflineShare
from growbin_jobs.rates import Rate, parse_rates

LIMITS = NamedLimits(parse_rates("vision=100,project=200,user:*=5"))
COSTS = {"vision": 1.0}


class Centre:
    """Grants the same part to everybody who asks, unless it is away."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.granted: dict[str, Granted] = {"vision": Granted(Rate(2), is_new=True)}
        self.is_away = False

    def renew(self, node: str, names: Any) -> dict[str, Granted]:
        if self.is_away:
            raise Deferred("away", wait=1.0)
        self.asked.append(list(names))
        return self.granted


class Node:
    def __init__(self, path: Path) -> None:
        self.now, self.path, self.centre, self.allowed = 1000.0, path, Centre(), True

    def process(self) -> OfflineShare:
        return OfflineShare(
            self.centre,  # type: ignore[arg-type]
            LIMITS,
            node="n",
            path=self.path / "node" / "offline_share.db",
            allowed=lambda: self.allowed,
            clock=lambda: self.now,
        )


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_all_processes_of_the_node_have_it_together_one_that_comes_later_too(node: Node) -> None:
    first = node.process()
    assert not first.is_leased()
    first.renew(["vision", "project"])
    assert (first.is_leased(), first.is_leased(["vision"]), first.is_leased(["vision", "project"])) == (
        True, True, False,
    )  # fmt: skip

    node.centre.is_away = True
    later = node.process()
    assert later.is_leased(["vision"])
    assert [each.take(COSTS).decision.granted for each in (first, later, first)] == [True, False, False]


def test_it_is_renewed_now_and_then_and_ends_where_it_was_not(node: Node) -> None:
    share = node.process()
    for _ in range(5):
        share.renew(["vision", "user:u-1", "tokens:user:u-1"])
    assert node.centre.asked == [["vision"]]

    node.now += RENEWAL
    node.centre.is_away = True
    for _ in range(2):
        with pytest.raises(Deferred):
            share.renew(["vision"])
    node.now += LASTS - RENEWAL - 1
    assert share.is_leased(["vision"])
    node.now += 1
    assert not share.is_leased(["vision"])
    with pytest.raises(Deferred, match="has ended"):
        share.check([limit for limit in LIMITS.configured() if limit.name == "vision"])


def test_a_machine_that_was_started_anew_has_none(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.process().renew(["vision"])
    monkeypatch.setattr(offline_share, "this_boot", lambda: "another")
    node.now = 5.0
    assert not node.process().is_leased()


@pytest.mark.parametrize("why", ["a cap was set", "nothing is kept back any more"])
def test_it_ends_at_once_where_it_may_not_be_used(node: Node, why: str) -> None:
    share = node.process()
    share.renew(["vision"])
    node.now += RENEWAL
    if why == "a cap was set":
        node.allowed = False
    else:
        node.centre.granted = {}
    share.renew(["vision"])

    assert not share.is_leased()


def test_a_file_that_was_lost_may_have_granted_what_nobody_knows_of(node: Node) -> None:
    node.centre.granted = {"vision": Granted(Rate(2), is_new=False)}
    share = node.process()
    share.renew(["vision"])

    decision = share.take(COSTS).decision
    assert not decision.granted
    assert decision.wait > 55.0


def test_a_failure_holds_it_for_a_minute(node: Node) -> None:
    share = node.process()
    share.renew(["vision"])
    share.hold(["vision"])

    assert not share.take(COSTS).decision.granted


def test_nothing_is_made_where_nothing_is_leased(node: Node) -> None:
    node.centre.granted = {}
    node.process().renew(["vision"])

    assert list(node.path.iterdir()) == []
