"""From measurements to figures: medians over the rounds, and ratios within them."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from benchmarks.tasks.measurement import Measurement


class Spread(NamedTuple):
    """A median and what it lies between."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Return that of some values, at least one."""
        known = list(values)
        return cls(statistics.median(known), min(known), max(known))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})" if self.low < self.high else f"{self.median:.2f}"


@dataclass(frozen=True)
class Figures:
    """What all rounds say of one system, with one pool and one length of chains.

    Attributes:
      rate: Chains per second.
      cpu_us, broker_cpu_us: Median CPU time for a task, of the workers and of RabbitMQ, in microseconds.
      connections, peak_mb: The most of one process in any round.
      chains, lost, duplicates: Of all rounds together.
      journaled: The smallest share of tasks that the journal held as completed; None without a journal.
    """

    system: str
    pool: str
    length: int
    rate: Spread
    cpu_us: float
    broker_cpu_us: float
    connections: int
    peak_mb: float
    chains: int
    lost: int
    duplicates: int
    journaled: float | None


def summarise(rounds: Sequence[Sequence[Measurement]]) -> list[Figures]:
    """Return the figures of everything that was measured, in the order of its first measurement."""
    groups: dict[tuple[str, int, str], list[Measurement]] = {}
    for one in (one for measurements in rounds for one in measurements):
        groups.setdefault((one.pool, one.length, one.system), []).append(one)
    return [
        Figures(
            system=system,
            pool=pool,
            length=length,
            rate=Spread.of(one.chains_per_second for one in group),
            cpu_us=statistics.median(one.cpu_us_per_task for one in group),
            broker_cpu_us=statistics.median(one.broker_cpu_us_per_task for one in group),
            connections=max(one.connections for one in group),
            peak_mb=max(one.peak_mb for one in group),
            chains=sum(one.chains for one in group),
            lost=sum(one.lost for one in group),
            duplicates=sum(one.duplicates for one in group),
            journaled=min((one.journaled for one in group if one.journaled is not None), default=None),
        )
        for (pool, length, system), group in groups.items()
    ]


def ratio(rounds: Sequence[Sequence[Measurement]], pool: str, length: int, *, of: str = "c", to: str) -> Spread | None:
    """Return how many times faster one system is than another, None when they never met in a round.

    The ratio is taken within each round, whose measurements lie minutes apart at most: what else the machine does
    then hits both, while it may differ from round to round.
    """
    ratios = []
    for measurements in rounds:
        rates = {one.system: one.chains_per_second for one in measurements if (one.pool, one.length) == (pool, length)}
        if of in rates and to in rates:
            ratios.append(rates[of] / rates[to])
    return Spread.of(ratios) if ratios else None
