"""Adds failed runs up by cause and node, for the figures of a minute or an hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from growbin_jobs.engine.central.failed_runs import Failure

#: Causes that are kept apart in one minute or hour, those with most failures. The others are counted as one.
MOST_CAUSES: Final = 500

#: A cause, or its number.
K = TypeVar("K")


@dataclass(slots=True)
class CauseCount:
    """Failed runs of one cause on one node.

    Attributes:
      dead: Of these runs, so many after which the message was given up.
      first_at, last_at: When the first and the last one ended.
      sample: The task of the last one.
    """

    runs: int
    dead: int
    first_at: datetime
    last_at: datetime
    sample: str

    def add(self, other: CauseCount) -> None:
        """Add other runs of the same cause."""
        self.runs, self.dead = self.runs + other.runs, self.dead + other.dead
        self.first_at = min(self.first_at, other.first_at)
        if other.last_at > self.last_at:
            self.last_at, self.sample = other.last_at, other.sample


def one(failure: Failure) -> CauseCount:
    """Return the count of one run."""
    return CauseCount(1, int(failure.dead), failure.at, failure.at, failure.task_id)


def added_up(counts: Iterable[tuple[tuple[K, str], CauseCount]], others: K) -> dict[tuple[K, str], CauseCount]:
    """Return the sums by cause and node.

    Parameters:
      others: Stands for the causes beyond :data:`MOST_CAUSES`.
    """
    found: dict[tuple[K, str], CauseCount] = {}
    for key, count in counts:
        if key in found:
            found[key].add(count)
        else:
            found[key] = count
    runs: Counter[K] = Counter()
    for (cause, _), count in found.items():
        runs[cause] += count.runs
    if len(runs) <= MOST_CAUSES + 1:  # the others are one, too
        return found
    kept = {cause for cause, _ in runs.most_common(MOST_CAUSES)}
    renamed = (((cause if cause in kept else others, node), each) for (cause, node), each in found.items())
    return added_up(renamed, others)
