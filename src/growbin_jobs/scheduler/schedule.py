"""The periodic jobs of an engine of one's own: actors that ``growbin-jobs scheduler --engine`` fires.

::

    engine = Engine(EngineConfig.from_env("SHOP_")).install()
    schedule = Schedule(engine)

    @schedule.job("5 0 * * *")
    def close_day(due, since, until):
        ...

    @schedule.job(timedelta(minutes=5), overlap=Overlap.SKIP)
    def refresh_prices():
        ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.engine import Engine
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.scheduler.jobs import Overlap, Period, RunAll, RunLatest, ScheduledJob
from growbin_jobs.scheduler.known_messages import KnownMessages
from growbin_jobs.scheduler.once import once_a_due_time

if TYPE_CHECKING:
    from dramatiq import Actor

    from growbin_jobs.scheduler.effects import DueTimes

#: The package of the schedule's tables.
SCHEMA: Final = ("growbin_jobs.scheduler",)

_NAMES: Final = ("due", "since", "until")

#: By engine, for as long as the process lives, as the modules do that make both.
_SCHEDULES: Final[dict[Engine, Schedule]] = {}


class Schedule:
    """The periodic jobs of an engine. Make one for an engine, beside it: commands find it by the engine's module.

    Parameters:
      engine: Whose actors they are.

    Attributes:
      jobs: Those that were declared by now.

    Raises:
      ConfigurationError: The engine has a schedule already.
    """

    def __init__(self, engine: Engine) -> None:
        if engine in _SCHEDULES:
            raise ConfigurationError(f"{engine!r} has a schedule already: declare all its jobs with that one.")
        self._engine = engine
        self._jobs: list[ScheduledJob] = []
        self._due_times = once_a_process(self._open)
        _SCHEDULES[engine] = self
        watch = KnownMessages(lambda: {job.name for job in self._jobs})
        engine.prepare_with(lambda: watch.in_worker(self.config, None))

    @property
    def jobs(self) -> tuple[ScheduledJob, ...]:
        """The jobs, in the order of their declaration."""
        return tuple(self._jobs)

    @property
    def config(self) -> EngineConfig:
        """The engine's configuration, with the tables of the schedule."""
        its = self._engine.config
        return replace(its, source=self._engine.source, groups=self._engine.groups, schema=(*its.schema, *SCHEMA))

    def job(
        self,
        when: str | timedelta | Cron | Every,
        *,
        name: str | None = None,
        queue_name: str = "default",
        period: Period = Period.INTERVAL,
        catch_up: RunAll | RunLatest | None = None,
        overlap: Overlap = Overlap.QUEUE,
        max_run: timedelta = timedelta(hours=1),
        done_within: timedelta = timedelta(hours=1),
        after: str | None = None,
        again: bool = False,
        **options: Any,
    ) -> Callable[[Callable[..., Any]], Actor[Any, Any]]:
        """Return the decorator that makes a function an actor and a periodic job.

        The function may take ``due`` (when it is nominally due), ``since`` and ``until`` (of the data that it is
        about), each as ISO 8601 in UTC, or none of them. Each due time is done once: one that ended without an error is
        not run again, whoever sends its message.

        Parameters:
          when: A cron expression of five fields, in the configuration's zone; or the time between two runs.
          name: Of the job and the actor; None: the function's.
          queue_name, options: Of the actor, as :func:`dramatiq.actor` takes them.
          period: The data that a run is about.
          catch_up: What happens to due times that came while no scheduler ran; None: the latest of a day is run.
          overlap: What happens while an earlier run has not ended.
          max_run: A run that has not ended after so long is counted as failed, and keeps nobody waiting.
          done_within: It must have ended so long after it was due; later is late.
          after: Name of a job whose latest due time must have been done first.
          again: Its effect is to send messages, whose ids are made from this one's: it runs again after a crash.

        Raises:
          ConfigurationError: The rule is none, the name is taken, or there is no job ``after``.
        """

        def declare(run: Callable[..., Any]) -> Actor[Any, Any]:
            if inspect.iscoroutinefunction(run):
                raise ConfigurationError("A periodic job is no coroutine: let it send a message to an async actor.")
            job = ScheduledJob(
                name=name or run.__name__, when=rule_of(when), route=Route(name or run.__name__, queue_name),
                period=period, catch_up=catch_up or RunLatest(timedelta(days=1)), overlap=overlap, max_run=max_run,
                done_within=done_within, after=after,
            )  # fmt: skip
            self._check(job)
            once = once_a_due_time(_taking(run), job.name, self._due_times, again=again)
            actor: Actor[Any, Any] = self._engine.actor(once, actor_name=job.name, queue_name=queue_name, **options)
            self._jobs.append(job)
            return actor

        return declare

    def _check(self, job: ScheduledJob) -> None:
        known = {each.name for each in self._jobs}
        if job.name in known:
            raise ConfigurationError(f"There is a periodic job {job.name!r} already: choose another name.")
        if job.after is not None and job.after not in known:
            raise ConfigurationError(f"{job.name} is to run after {job.after!r}: declare that job before it.")

    def _open(self) -> DueTimes:
        from growbin_jobs.engine.opening import open_current
        from growbin_jobs.scheduler.effects import DueTimes

        return DueTimes(open_current(replace(self.config, source=self._engine.source)))


def schedule_of(engine: Engine) -> Schedule | None:
    """Return the schedule of an engine; None: it has none."""
    return _SCHEDULES.get(engine)


def rule_of(when: str | timedelta | Cron | Every) -> Cron | Every:
    """Return the rule that somebody wrote.

    Raises:
      ConfigurationError: It is none.
    """
    if isinstance(when, timedelta):
        seconds = when.total_seconds()
        if seconds < 1 or seconds % 1:
            raise ConfigurationError(f"{when} is no time between two runs: it needs whole seconds, at least one.")
        return Every(seconds)
    return Cron(when) if isinstance(when, str) else when


def _taking(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes due, since and until, and gives another one those that it takes."""
    parameters = inspect.signature(run).parameters.values()
    every = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
    wanted = [name for name in _NAMES if every or name in {each.name for each in parameters}]

    def taking(due: str, **interval: Any) -> Any:
        given = {"due": due} | interval
        return run(**{name: given[name] for name in wanted if name in given})

    taking.__wrapped__ = run  # type: ignore[attr-defined]
    taking.__name__, taking.__doc__, taking.__module__ = run.__name__, run.__doc__, run.__module__
    return taking
