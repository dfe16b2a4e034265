"""Who has how much of an offline share: pure arithmetic on one clock.

The share is kept back from the central limit, and each node leases a part of it. A node may use its part until its
lease ends by its own clock; the others count the part as taken for a whole window longer, since the node may have used
it at the very end. In the same way a node that gets less is counted with what it had until a window has passed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

#: Seconds that a node may use its part without having reached the database.
LASTS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Lease:
    """The part of one node.

    Attributes:
      node: Its name.
      units: That it may use in a window.
      until: When the others may have them, on the database's clock.
      owed: What it had before, …
      owed_until: … and when the others may have the difference.
    """

    node: str
    units: int = 0
    until: float = 0.0
    owed: int = 0
    owed_until: float = 0.0

    def sane(self, now: float, longest: float) -> "Lease":
        """Return it as it may be: one that ends later than any can was given by a clock that has been set back since.

        Parameters:
          longest: Seconds of the longest lease.
        """
        last = now + longest
        return replace(self, until=min(self.until, last), owed_until=min(self.owed_until, last))

    def taken(self, now: float) -> int:
        """Return how many units nobody else may have."""
        return max(self.units if self.until > now else 0, self.owed if self.owed_until > now else 0)


def renewed(
    leases: Iterable[Lease],
    node: str,
    *,
    reserve: int,
    opens: float,
    now: float,
    window: float,
    lasts: float = LASTS,
) -> Lease:
    """Return the lease of a node that asks for it, or for its renewal.

    Parameters:
      leases: Of all nodes.
      node: Who asks.
      reserve: Units of all nodes together.
      opens: Nobody gets more than it has before this moment.
      now: The database's clock.
      window: Seconds in which the units count, and those by which the server's count may vary.
      lasts: Seconds that the node may go without asking again.
    """
    live = {lease.node: lease for lease in leases if lease.until > now or lease.taken(now)}
    mine, names = live.pop(node, Lease(node)), sorted({*live, node})
    had = mine.taken(now)
    fair = reserve // len(names) + (names.index(node) < reserve % len(names))
    units = max(0, min(fair, reserve - sum(other.taken(now) for other in live.values())))
    if now < opens:
        units = min(units, mine.units if mine.until > now else 0)
    if units >= had:
        return Lease(node, units, now + lasts + window)
    used_until = now + window if mine.until > now and mine.units > units else mine.owed_until
    return Lease(node, units, now + lasts + window, had, used_until)


def kept_back(leases: Iterable[Lease], *, reserve: int, now: float) -> int:
    """Return how many units the central limit must leave alone: the share, or what nodes still have of a larger one."""
    return max(reserve, sum(lease.taken(now) for lease in leases))
