"""What is deleted when: the table of policies, and the jobs that carry it out in batches."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from growbin_jobs.errors import Permanent
from growbin_jobs.platform.retention.archive_file import lines_of
from growbin_jobs.platform.retention.archiving import Archiving
from growbin_jobs.platform.tables.partitions import PARTITIONED, Partitions
from growbin_jobs.platform.tables.retention import RetentionTable
from growbin_jobs.platform.tables.sources import SOURCES

logger = logging.getLogger(__name__)

Job = Literal["old_logs", "old_sessions", "compress_statistics"]

#: Rows of one transaction and of one archive.
BATCH: Final = 5000

#: Rows that a dry run looks at to estimate bytes.
_SAMPLE: Final = 200


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a table keeps its rows.

    Attributes:
      archive: They are archived before they are deleted.
      after: The table whose old rows must all be gone before.
    """

    job: Job
    source: str
    keep: timedelta
    archive: bool
    after: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a job did to one table, or would do.

    Attributes:
      rows: Deleted, or to be deleted.
      size: Bytes of the archives that were written; of a dry run the rows' as JSON, estimated from the oldest ones.
      partitions: That were dropped.
      refused: Why the rest stays; empty: it was allowed to go.
      more: The time was up before all was done.
    """

    source: str
    before: datetime
    rows: int = 0
    size: int = 0
    partitions: tuple[str, ...] = ()
    refused: str = ""
    more: bool = False


class Cleanup:
    """Carries policies out.

    Parameters:
      policies: In the order in which they are carried out.
      table: The rows.
      partitions: Of PostgreSQL.
      archiving: For what is archived before.
      budget: Seconds that one run may take; the next one goes on.
      monotonic: A clock.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        table: RetentionTable,
        partitions: Partitions,
        archiving: Archiving,
        *,
        budget: float,
        batch: int = BATCH,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policies = tuple(policies)
        self._table = table
        self._partitions = partitions
        self._archiving = archiving
        self._budget = budget
        self._batch = batch
        self._monotonic = monotonic

    def run(self, job: Job, due: datetime, *, dry_run: bool = False) -> list[Removed]:
        """Delete what is too old, counted from when the job was due.

        Parameters:
          dry_run: Only count.

        Raises:
          Transient: A row has changed while it was archived.
          Deferred: The database or the object store is away.
        """
        mine = [policy for policy in self._policies if policy.job == job]
        if dry_run:
            return [self._count(each, due - each.keep) for each in mine]
        if job == "old_logs":
            self._look_after_partitions(due)
        end, done = self._monotonic() + self._budget, list[Removed]()
        for policy in mine:
            unfinished = next(
                (each for each in done if each.source == policy.after and (each.refused or each.more)), None
            )
            if unfinished is None:
                done.append(self._carry_out(policy, due - policy.keep, end))
            else:
                done.append(replace(unfinished, source=policy.source, before=due - policy.keep, rows=0, size=0))
        return done

    def _count(self, policy: Policy, before: datetime) -> Removed:
        source = SOURCES[policy.source]
        rows, sample = self._table.count(source, before), self._table.batch(source, before, _SAMPLE)
        size = round(len(lines_of(sample)) / len(sample) * rows) if sample else 0
        return Removed(policy.source, before, rows, size)

    def _look_after_partitions(self, due: datetime) -> None:
        self._partitions.ensure(due)
        for table, rows in self._partitions.strays().items():
            logger.error("retention.stray_rows table=%s rows=%d: their times lie in no month that exists", table, rows)

    def _carry_out(self, policy: Policy, before: datetime, end: float) -> Removed:
        source, rows, size = SOURCES[policy.source], 0, 0
        partitioned = policy.source in PARTITIONED
        dropped: list[str] = []
        if partitioned and not policy.archive:
            dropped = self._partitions.drop(policy.source, before, if_empty=False)
        refused, more = "", False
        try:
            while not (more := self._monotonic() >= end):
                if policy.archive:
                    manifest = self._archiving.move(source, before, self._batch)
                    done, size = (manifest.rows, size + manifest.size) if manifest else (0, size)
                else:
                    done = self._table.delete_batch(source, before, self._batch)
                if not done:
                    break
                rows += done
        except Permanent as error:
            refused = str(error)
            logger.error("retention.refused table=%s reason=%s", policy.source, error.code)  # noqa: TRY400
        if partitioned and policy.archive:
            dropped = self._partitions.drop(policy.source, before, if_empty=True)
        return Removed(policy.source, before, rows, size, tuple(dropped), refused, more)
