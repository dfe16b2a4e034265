"""What keepers and schedulers delete from the central database once a day or hour: how much of it is there now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.forgetting import Measured, OldRows, forget, measure


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted, or would be; ``rows``: by table in order, with estimated bytes."""

    dry_run: bool
    rows: list[Measured]


def forget_old(database: Database, old: Iterable[OldRows], *, dry_run: bool, seconds: float) -> Forgotten:
    """Delete what is too old, or only count it.

    Parameters:
      old: From the jobs that delete it by themselves.
      seconds: No batch begins after so many.

    Raises:
      Deferred: The database is away.
    """
    rows = list(old)
    measured = [measure(database, each) for each in rows]
    if dry_run:
        return Forgotten(True, measured)
    deleted = forget(database, rows, seconds=seconds)
    done = [Measured(each.table, deleted.get(each.table, 0), _share(each, deleted)) for each in measured]
    return Forgotten(False, done)


def _share(measured: Measured, deleted: dict[str, int]) -> int:
    return round(measured.size * deleted.get(measured.table, 0) / measured.rows) if measured.rows else 0
