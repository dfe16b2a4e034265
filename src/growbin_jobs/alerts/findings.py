"""What is wrong now, as numbers by subject: what the rules compare with their thresholds. No personal data is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.queue_minutes import QueueMinutes
from growbin_jobs.limits.budget_report import budgets_today
from growbin_jobs.operations.error_groups import error_groups
from growbin_jobs.scheduler.overview import Overview
from growbin_jobs.scheduler.presence import overdue_seconds
from growbin_jobs.scheduler.table import JOBS

#: How far back failures are grouped: what is new within it was not there before.
LOOKED_BACK: Final = timedelta(hours=24)

#: The subject of due times that nobody takes, whichever job's they are.
NOBODY_SCHEDULES: Final = "(no scheduler)"

#: The subject of budgets of single users, which are not named.
USERS: Final = "users"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that may be wrong.

    Attributes:
      subject: Which one; the same as long as it lasts.
      value: What the threshold is compared with.
      since: When it began, where that is known; seconds since 1970.
      always: It is wrong whatever the threshold.
      details: More for the message; ready for JSON.
    """

    subject: str
    value: float
    since: float | None = None
    always: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)


def measures(database: Database, zone: ZoneInfo) -> Mapping[str, Callable[[], list[Finding]]]:
    """Return by rule what reads its findings; each raises Deferred when the database is away."""
    return {
        "new_error_group": lambda: _error_groups(database),
        "dead_letters": lambda: [Finding(subject="all", value=float(DeadLetters(database).count_open()))],
        "queue_wait": lambda: _queue_waits(database),
        "budget": lambda: _budgets(database, datetime.now(zone)),
        "late_job": lambda: _late_jobs(database, zone),
    }


def _error_groups(database: Database) -> list[Finding]:
    now = datetime.now(UTC)
    found = error_groups(database, since=now - LOOKED_BACK, until=now + timedelta(minutes=1))
    return [
        Finding(
            subject=group.key,
            value=float(group.count),
            since=group.first_at.timestamp(),
            # Not the error's text: nobody knows what it quotes.
            details={
                "code": group.code, "error": group.error_class, "place": group.place, "count": group.count,
                "dead": group.dead, "actors": list(group.actors)[:5],
            },
        )
        for group in found.groups
    ]  # fmt: skip


def _queue_waits(database: Database) -> list[Finding]:
    now = datetime.now(UTC)
    newest = {each.queue_name: each for each in QueueMinutes(database).read(now - timedelta(minutes=3), now)}
    return [
        Finding(
            subject=name,
            value=each.oldest + max(0.0, (now - each.minute).total_seconds() - 60) if each.oldest else 0.0,
            since=(each.minute.timestamp() - each.oldest) if each.oldest else None,
            details={"ready": each.ready},
        )
        for name, each in newest.items()
        if each.oldest is not None
    ]


def _budgets(database: Database, now: datetime) -> list[Finding]:
    used = [
        (USERS if day.name.startswith("user:") else day.name, 100.0 * day.spent / day.cap)
        for day in budgets_today(database, now.date())
        if day.cap
    ]
    most: dict[str, float] = {}
    for name, percent in used:
        most[name] = max(percent, most.get(name, 0.0))
    users = Counter(name for name, percent in used if percent >= 100)
    today = now.date().isoformat()
    return [
        Finding(
            subject=f"{name} {today}",
            value=percent,
            details={"budget": name, "day": today} | ({"spent": users[USERS]} if name == USERS else {}),
        )
        for name, percent in most.items()
    ]


def _late_jobs(database: Database, zone: ZoneInfo) -> list[Finding]:
    found = [Finding(subject=NOBODY_SCHEDULES, value=overdue_seconds(database))]
    for job in Overview(database, [each for each in JOBS if not each.every_node], zone).jobs():
        late = job.last.late_by if job.last is not None and job.last.trouble != "none" else 0.0
        failed = job.last is not None and job.last.trouble == "failed"
        found.append(
            Finding(
                subject=job.job,
                value=late,
                since=job.last.due.timestamp() if job.last else None,
                always=failed,
                details={"outcome": job.last.outcome if job.last else "", "late_seconds": round(late)},
            )
        )
    return found
