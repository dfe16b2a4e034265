"""Recomputes by another algorithm that every due time had one effect: a walk through local time, minute by minute.

It shares nothing with the due times of ``engine/periodic``: each minute asks the zone what its clock shows. A time that
the clock skips is noticed by the jump, one that it shows twice by having been seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.engine.periodic.zones import tzdata_version
from growbin_jobs.scheduler.registry import Clock
from growbin_jobs.scheduler.rows import OPEN, JobRunRow, LedgerRow, RevisionRow, RunState, StateRow, database_time
from growbin_jobs.scheduler.rules import parse_rule

_MINUTE: Final = timedelta(minutes=1)

#: Clocks are looked at from so long before, to know which times were seen.
_LEAD: Final = timedelta(hours=26)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is not as it should be.

    Attributes:
      kind: ``hole``: nothing was recorded, or it has had no effect and no reason why not; ``double``: a due time that
        the rule does not have, or more than one effect; ``tzdata``: such a due time, computed with other rules of the
        time zones.
    """

    kind: str
    job: str
    due: datetime
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a verification.

    Attributes:
      checked: Due times that were looked at.
      settled: Of them, those that were not run, with a reason.
      pending: Of them, those that are on their way and not late.
    """

    checked: int
    settled: int
    pending: int
    findings: list[Finding]


def walked(rule: Cron | Every, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the due times later than ``after``, up to ``until``, by looking at a clock every minute.

    Parameters:
      rule: Whole seconds where it is an interval; one of no whole minutes is looked for as often as it needs.
      zone: Whose clock.
    """
    fixed = isinstance(rule, Cron) and rule.fixed
    # Who belongs to real time does not depend on what the clock has shown before.
    at = after.astimezone(UTC).replace(second=0, microsecond=0) - (_LEAD if fixed else _MINUTE)
    shown: set[tuple[date, int, int]] = set()
    last: datetime | None = None
    step = timedelta(seconds=math.gcd(60, round(rule.seconds))) if isinstance(rule, Every) else _MINUTE
    while (at := at + step) <= until:
        if isinstance(rule, Every):
            fits = round(at.timestamp()) % round(rule.seconds) == 0
        else:
            local = at.astimezone(zone).replace(tzinfo=None, fold=0)
            fits = _clock_fits(rule, local, last, shown) if fixed else _matches(rule, local)
            last = local
        if fits and at > after:
            yield at


def _clock_fits(rule: Cron, local: datetime, last: datetime | None, shown: set[tuple[date, int, int]]) -> bool:
    passed = [local]
    if last is not None and local - last > _MINUTE:  # the clock was set forward over these
        passed = [last + _MINUTE * number for number in range(1, int((local - last) / _MINUTE) + 1)]
    fits = False
    for each in passed:
        if _matches(rule, each) and (key := (each.date(), each.hour, each.minute)) not in shown:
            shown.add(key)
            fits = True
    return fits


def _matches(rule: Cron, local: datetime) -> bool:
    return local.minute in rule.minutes and local.hour in rule.hours and rule.matches_day(local.date())


def verify(database: Database, since: datetime, until: datetime, *, clock: Clock = database_time) -> Verdict:
    """Compare the ledger with what was due by the rules that held.

    Parameters:
      since: Due times later than this.
      until: And not later than this, nor than now.

    Raises:
      Deferred: The database is away.
    """
    now, revisions, rows, runs, planned = database.run(lambda connection: _read(connection, since, until, clock))
    until = min(until, now)
    effects = {(run["job"], run["due"]): run["effects"] for run in runs}
    checked = settled = pending = 0
    findings: list[Finding] = []
    for job in sorted({revision["job"] for revision in revisions}):
        mine = [row for row in rows if row["job"] == job]
        expected = _expected(job, revisions, since, min(until, planned.get(job, now)))
        checked += len(expected)
        by_due = {row["due"]: row for row in mine if row["covers"] == 1}
        spans = [row for row in mine if row["covers"] > 1]
        for due in expected:
            row = by_due.get(due) or next((each for each in spans if each["covers_from"] <= due <= each["due"]), None)
            problem = _problem(row, now)
            if problem is not None:
                findings.append(Finding(kind="hole", job=job, due=due, detail=problem))
            elif row is not None:
                pending += row["state"] in OPEN
                settled += row["state"] not in (*OPEN, RunState.DONE)
        # What was planned but is late in coming: no scheduler looks.
        late = _expected(job, revisions, max(since, planned.get(job, now)), min(until, now - timedelta(minutes=2)))
        findings += [Finding(kind="hole", job=job, due=due, detail="no scheduler has planned it") for due in late]
        checked += len(late)
        findings += _extra(job, mine, set(expected), effects)
    return Verdict(checked=checked, settled=settled, pending=pending, findings=findings)


def _problem(row: dict[str, Any] | None, now: datetime) -> str | None:
    if row is None:
        return "nothing was recorded"
    if row["state"] == RunState.FAILED:
        return f"failed: {row['reason']}"
    if row["state"] in OPEN and row["done_by"] < now:
        return f"{row['state']} since it was due, and it should have ended by {row['done_by'].isoformat()}"
    return None


def _extra(
    job: str, rows: list[dict[str, Any]], expected: set[datetime], effects: dict[tuple[str, datetime], int]
) -> Iterator[Finding]:
    """Yield due times that the rule does not have, and those that had more than one effect."""
    for row in rows:
        due = row["due"]
        if not row["manual"] and row["covers"] == 1 and due not in expected and row["state"] not in OPEN:
            other = row["tzdata"] != tzdata_version()
            detail = "not due by the rule that held" + (f"; computed with tzdata {row['tzdata']}" if other else "")
            yield Finding(kind="tzdata" if other else "double", job=job, due=due, detail=detail)
        if (count := effects.get((job, due), 0)) > 1:
            yield Finding(kind="double", job=job, due=due, detail=f"it had {count} effects")


def _expected(job: str, revisions: list[dict[str, Any]], since: datetime, until: datetime) -> list[datetime]:
    found: set[datetime] = set()
    for revision in revisions:
        if revision["job"] == job:
            begins = max(since, revision["since"])
            ends = min(until, revision["until"] or until)
            if begins < ends:
                found.update(walked(parse_rule(revision["rule"]), ZoneInfo(revision["zone"]), begins, ends))
    return sorted(found)


def _read(connection: Any, since: datetime, until: datetime, clock: Clock) -> tuple[Any, ...]:
    def rows(query: Any) -> list[dict[str, Any]]:
        return list(query.dicts().execute(connection))

    in_time = (LedgerRow.due > since) & (LedgerRow.covers_from <= until)
    return (
        clock(connection),
        rows(RevisionRow.select().order_by(RevisionRow.job, RevisionRow.number)),
        rows(LedgerRow.select().where(in_time).order_by(LedgerRow.job, LedgerRow.due)),
        rows(JobRunRow.select().where((JobRunRow.due > since) & (JobRunRow.due <= until))),
        {row["job"]: row["planned_until"] for row in rows(StateRow.select())},
    )
