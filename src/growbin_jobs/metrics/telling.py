"""The keeper's job that tells the central database what this node has counted, for those who ask there."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from growbin_jobs.metrics.count_files import NodeCounts
from growbin_jobs.metrics.counted import TASK_SECONDS, TASKS
from growbin_jobs.metrics.counts import Counts
from growbin_jobs.models.node_counts import ActorCounts, NodeCountsTable

#: Seconds between two words of a node.
EVERY: Final = 10.0

#: What a silent node has counted is kept for so long, as its worker groups are.
_KEPT: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class TellCounts:
    """Replace what the table has of this node, and delete what nodes said that are long gone.

    Attributes:
      clock: Seconds since 1970, UTC.
    """

    node: str
    counts: NodeCounts
    table: NodeCountsTable
    clock: Callable[[], float] = time.time

    def run_once(self) -> bool:
        """Do both; return False: nobody needs to hear of it.

        Raises:
          Deferred: The database is away.
        """
        at = datetime.fromtimestamp(self.clock(), UTC)
        self.table.report(self.node, by_actor(self.counts.read()), at=at)
        self.table.forget(seen_before=at - _KEPT)
        return False


def by_actor(counts: Counts) -> list[ActorCounts]:
    """Return the ends of runs among a node's counts, by queue and actor."""
    ends: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for (queue, actor, status), [number] in counts.values.get(TASKS.name, {}).items():
        ends[queue, actor][status] = int(number)
    seconds = counts.values.get(TASK_SECONDS.name, {})
    return [
        ActorCounts(queue=queue, actor=actor, ends=its, seconds=seconds.get((queue, actor), []))
        for (queue, actor), its in sorted(ends.items())
    ]
