"""What one scheduler shows for all nodes: queues, schedule, workers; of Growbin limits, breakers, money, models, too.

Of several schedulers the one that leads shows it (:class:`growbin_jobs.scheduler.presence.Presence`): sums do not
multiply. What cannot be read is missing, and is not 0.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.engine.node.health import Check
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.limits.budget_report import budgets_today
from growbin_jobs.limits.spent import spent
from growbin_jobs.metrics import shown
from growbin_jobs.metrics.cached import Source, read_all
from growbin_jobs.metrics.counts import process_counts
from growbin_jobs.metrics.exposition import Reading, render
from growbin_jobs.metrics.listening import listen_to_events
from growbin_jobs.metrics.server import Server
from growbin_jobs.models.model_ends import ModelEnds
from growbin_jobs.operations.limit_states import limit_states
from growbin_jobs.scheduler.jobs import ScheduledJob
from growbin_jobs.scheduler.overview import Overview, Trouble
from growbin_jobs.scheduler.presence import present
from growbin_jobs.scheduler.service import Scheduler

#: Seconds without a look of the timer after which a scheduler is not well.
LATE: Final = 60.0

_MICRO: Final = 1_000_000


def show(scheduler: Scheduler, jobs: Sequence[ScheduledJob], *, paid: bool) -> Callable[[], None]:
    """Serve the metrics and the health of a scheduler.

    Parameters:
      jobs: That are shown.
      paid: Its database has limits, breakers, money and models.

    Returns:
      What ends it.
    """
    stop, config = listen_to_events(process_counts()), scheduler.config
    if not config.scheduler_metrics_port:
        return stop
    page = ClusterPage(scheduler, jobs, paid=paid)
    checks = dict.fromkeys(("/startupz", "/livez", "/readyz"), page.checks)
    server = Server(
        config.metrics_host,
        config.scheduler_metrics_port,
        page.render,
        checks,
        named=(config.named("metrics_host"), config.named("scheduler_metrics_port")),
    )
    server.start()

    def end() -> None:
        stop()
        server.stop()

    return end


class ClusterPage:
    """Makes the page of a scheduler.

    Parameters:
      scheduler: Whose.
      jobs, paid: See :func:`show`.
    """

    def __init__(self, scheduler: Scheduler, jobs: Sequence[ScheduledJob], *, paid: bool) -> None:
        self._scheduler = scheduler
        config, database = scheduler.config, scheduler.database
        zone = ZoneInfo(config.timezone)
        queues = sorted({queue for group in config.groups for queue in group.queues})
        self._sources = [
            Source("broker", lambda: list(_queues(scheduler, queues))),
            Source("schedule", lambda: list(_schedule(database, jobs, zone))),
            Source("workers", lambda: list(_workers(database))),
        ]
        if paid:
            self._sources += _of_paid_calls(database, zone)

    def checks(self) -> list[Check]:
        """Return whether the timer looks at the schedule; a database that is away keeps it from nothing."""
        silent = time.monotonic() - self._scheduler.tick.looked_at
        return [Check("timer", silent < LATE, f"it last looked {silent:.0f} s ago" if silent >= LATE else "")]

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the page and its content type."""
        leads = self._scheduler.presence.leads
        readings = [Reading(shown.EXPORTER, (), float(leads))]
        for source, found in read_all(self._sources if leads else ()):
            readings.append(Reading(shown.CLUSTER_SOURCE, (source.name,), float(found is not None)))
            readings += found or ()
        return render(process_counts().copy(), readings, worker=self._scheduler.config.node, accept=accept)


def _of_paid_calls(database: Database, zone: ZoneInfo) -> list[Source]:
    """Return the sources of limits, breakers, money (by days of the zone) and models."""
    return [
        Source("limits", lambda: list(_limits(database))),
        Source("breakers", lambda: list(_breakers(database))),
        Source("budgets", lambda: list(_budgets(database, zone))),
        Source("usage", lambda: list(_usage(database, zone)), every=30.0),
        Source("models", lambda: list(_models(database, zone)), every=60.0),
    ]


def _queues(scheduler: Scheduler, queues: list[str]) -> Iterator[Reading]:
    for name, (depth, age) in scheduler.broker.survey(queues).items():
        for state, count in depth._asdict().items():
            if count is not None:
                yield Reading(shown.QUEUE_MESSAGES, (name, state), count)
        if age is not None:
            yield Reading(shown.QUEUE_AGE, (name,), age)


def _schedule(database: Database, jobs: Sequence[ScheduledJob], zone: ZoneInfo) -> Iterator[Reading]:
    yield Reading(shown.SCHEDULERS, (), len(present(database)))
    for job in Overview(database, jobs, zone).jobs():
        if job.last is not None and job.last.ended_at is not None:
            yield Reading(shown.JOB_LAST_RUN, (job.job,), job.last.ended_at.timestamp())
        if job.next_due is not None:
            yield Reading(shown.JOB_NEXT_DUE, (job.job,), job.next_due.timestamp())
        trouble = job.last.trouble if job.last is not None else Trouble.NONE
        for each in Trouble:
            yield Reading(shown.JOB_TROUBLE, (job.job, each.value), float(each is trouble))


def _workers(database: Database) -> Iterator[Reading]:
    alive: Counter[str] = Counter()
    left: dict[str, int] = {}
    living: set[str] = set()
    for group in Workers(database).all():
        if group.lives(datetime.now(UTC)):
            alive[group.group_name] += 1
            living.add(group.node)
        left[group.node] = group.unsynced + group.owed
    for name, count in alive.items():
        yield Reading(shown.NODES, (name,), count)
    gone = [node for node, rows in left.items() if rows and node not in living]
    yield Reading(shown.NODES_LEFT, (), len(gone))


def _limits(database: Database) -> Iterator[Reading]:
    for limit in limit_states(database):
        if _is_of_user(limit.name):
            continue
        yield Reading(shown.LIMIT_MOST, (limit.name,), limit.most)
        yield Reading(shown.LIMIT_WINDOW, (limit.name,), limit.window)
        yield Reading(shown.LIMIT_USED, (limit.name,), limit.last_minute)
        yield Reading(shown.LIMIT_LINE, (limit.name,), limit.line)
        yield Reading(shown.LIMIT_HELD, (limit.name,), limit.held)
        if limit.waiting is not None:
            yield Reading(shown.LIMIT_WAITING, (limit.name,), limit.waiting)


def _breakers(database: Database) -> Iterator[Reading]:
    for breaker, _ in Breakers(database).all():
        for state in ("closed", "open", "operator"):
            yield Reading(shown.BREAKERS, (breaker.name, state), float(state == breaker.state))


def _budgets(database: Database, zone: ZoneInfo) -> Iterator[Reading]:
    for budget in budgets_today(database, datetime.now(zone).date()):
        if _is_of_user(budget.name):
            continue
        yield Reading(shown.BUDGET_SPENT, (budget.name,), budget.spent / _MICRO)
        if budget.cap is not None:
            yield Reading(shown.BUDGET_CAP, (budget.name,), budget.cap / _MICRO)


def _usage(database: Database, zone: ZoneInfo) -> Iterator[Reading]:
    for one in spent(database, by="model", since=datetime.now(zone).date()):
        yield Reading(shown.COST_TODAY, (one.key or "unknown",), one.micro_dollars / _MICRO)


def _models(database: Database, zone: ZoneInfo) -> Iterator[Reading]:
    today = datetime.now(zone).date()
    for one in ModelEnds(database).all():
        if not one.offered:
            yield Reading(shown.MODEL_DAYS_LEFT, (one.model,), 0.0)
        elif one.ends is not None:
            yield Reading(shown.MODEL_DAYS_LEFT, (one.model,), float((one.ends - today).days))


def _is_of_user(name: str) -> bool:
    """Return whether a limit or a budget is a single user's, whose id no label may hold."""
    return name.removeprefix("tokens:").startswith("user:")
