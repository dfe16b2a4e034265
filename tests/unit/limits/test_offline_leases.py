"""Leases of an offline share: whatever nodes do, no window holds more than the limit."""

from bisect import bisect_right

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.limits.offline_leases import Lease, kept_back, renewed

LIMIT, WINDOW, LASTS = 20, 60.0, 300.0
NODES = ("a", "b", "c", "d")


class Cluster:
    """Nodes that use all of their part, whether they should or not, and a central limit that uses all of the rest."""

    def __init__(self) -> None:
        self.now, self.reserve, self.opens = 1000.0, 0, 0.0
        self.leases: dict[str, Lease] = {}
        self.usable: dict[str, tuple[int, float]] = {}
        self.used: dict[str, list[float]] = {}
        self.central = LIMIT

    def fit(self) -> None:
        left = LIMIT - kept_back(self.leases.values(), reserve=self.reserve, now=self.now)
        if left < self.central:
            self.opens = self.now + WINDOW
        self.central = left

    def set(self, reserve: int) -> None:
        self.reserve = reserve
        self.fit()

    def renew(self, node: str) -> None:
        self.fit()
        lease = renewed(
            self.leases.values(), node, reserve=self.reserve, opens=self.opens, now=self.now, window=WINDOW, lasts=LASTS
        )
        self.leases[node] = lease
        self.fit()
        self.usable[node] = (lease.units, self.now + LASTS)

    def use(self) -> None:
        """Everybody sends what it may in any window that ends now."""
        for node, (units, ends) in self.usable.items():
            if self.now < ends:
                self._send(node, units)
        self._send("central", self.central)

    def _send(self, who: str, units: int) -> None:
        mine = self.used.setdefault(who, [])
        in_window = len(mine) - bisect_right(mine, self.now - WINDOW)
        mine += [self.now] * max(0, units - in_window)

    def worst(self) -> int:
        moments = sorted(each for mine in self.used.values() for each in mine)
        return max((bisect_right(moments, first + WINDOW * 0.999) - at for at, first in enumerate(moments)), default=0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("renew"), st.sampled_from(NODES)),
        st.tuples(st.just("set"), st.integers(0, LIMIT // 2)),
        st.tuples(st.just("pass"), st.sampled_from([0.5, 7.0, 30.0, 59.0, 61.0, 200.0, 290.0])),
    ),
    max_size=60,
)


@settings(max_examples=examples(150), deadline=None)
@given(STEPS)
def test_no_window_holds_more_than_the_limit_whoever_is_cut_off_dies_or_comes(steps: list[tuple[str, object]]) -> None:
    cluster = Cluster()
    for what, value in steps:
        match what:
            case "renew":
                cluster.renew(str(value))
            case "set":
                cluster.set(int(str(value)))
            case _:
                cluster.now += float(str(value))
        cluster.use()

    assert cluster.worst() <= LIMIT


def renew_all(cluster: Cluster, *nodes: str) -> list[int]:
    for node in nodes:
        cluster.renew(node)
    return [cluster.leases[node].units for node in nodes]


def test_the_share_is_divided_among_those_that_ask_and_comes_back_from_a_node_that_died() -> None:
    cluster = Cluster()
    cluster.set(10)
    assert renew_all(cluster, "a", "b", "c") == [0, 0, 0], "the whole limit was granted until now"
    cluster.now += WINDOW
    assert renew_all(cluster, "a", "b", "c") == [4, 3, 3]

    while cluster.now < 1000.0 + LASTS + 2 * WINDOW + 30:  # c is dead
        cluster.now += 20.0
        units = renew_all(cluster, "a", "b")
    assert units == [5, 5]
    assert cluster.central == LIMIT - 10


def test_what_is_no_longer_kept_back_goes_to_the_central_limit_when_nobody_can_use_it_any_more() -> None:
    cluster = Cluster()
    cluster.set(10)
    renew_all(cluster, "a")
    cluster.now += WINDOW
    renew_all(cluster, "a", "b")
    cluster.set(0)
    assert cluster.central == LIMIT - 10
    renew_all(cluster, "a")
    cluster.now += WINDOW + 1
    renew_all(cluster, "a")
    assert cluster.central == LIMIT
