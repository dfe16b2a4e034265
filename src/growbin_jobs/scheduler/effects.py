"""What actors use: takes a due time, so that it has its effect once however often its message comes.

::

    @actor(...)
    def aggregate_daily(due, since, until):
        with due_times.taking("statistics.aggregate_daily", due) as run:
            if run is None:
                return                                  # it has had its effect, or is not to be run
            counts = count(since, until)
            run.commit(lambda connection: store(connection, counts))   # effect and "done" in one transaction

A run that another one has overtaken finds out when it commits: :class:`Overtaken`, and nothing of it stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.foreign_errors import describe
from growbin_jobs.errors import Deferred, Permanent
from growbin_jobs.scheduler.rows import NOT_RUN, JobRunRow, LedgerRow, RunState, database_time

T = TypeVar("T")

#: How long a run keeps others away without a word; a long one calls :meth:`Run.keep`.
LEASE: Final = timedelta(seconds=60)

#: Due times as old as this are not run: whether they had their effect may be forgotten (``retention``).
OLDEST: Final = timedelta(days=95)


class Overtaken(Deferred):
    """Another run has taken the due time meanwhile. Its message comes back, and finds the due time done."""


@dataclass(slots=True)
class Run:
    """A due time that this run has taken.

    Attributes:
      fence: Grows each time that the due time is taken; only the latest one may commit.
      again: It may have had its effect before: messages, which are the same ones each time.
      committed: It has had its effect.
    """

    due_times: DueTimes
    job: str
    due: datetime
    fence: int
    again: bool = False
    committed: bool = False

    def commit(self, write: Callable[[Any], T]) -> T:
        """Have the effect: what is written and "done" are one transaction, or nothing is.

        Parameters:
          write: Gets the connection of the transaction. The effect must be in the central database, or be one that may
            come twice.

        Returns:
          What ``write`` returns.

        Raises:
          Overtaken: Another run has the due time; nothing was written.
          Deferred: The database is away.
        """
        result = self.due_times.commit(self, write)
        self.committed = True
        return result

    def done(self) -> None:
        """Say that the effect has come: one outside the database, or messages that have ids made from this one's."""
        self.commit(lambda _: None)

    def keep(self) -> None:
        """Keep the due time for another :data:`LEASE`; call it between the parts of a long run.

        Raises:
          Overtaken: Another run has it; stop.
        """
        self.due_times.keep(self)


class DueTimes:
    """Takes due times.

    Parameters:
      database: The central one.
      clock: Returns the time by a connection; default: the database's own clock.

    Every method raises Deferred when the database is away.
    """

    def __init__(self, database: Database, *, clock: Callable[[Any], datetime] = database_time) -> None:
        self._database = database
        self._clock = clock

    @contextmanager
    def taking(self, job: str, due: str | datetime, *, again: bool = False) -> Iterator[Run | None]:
        """Take a due time for the block. One that raises is given back, and recorded as failed; else it is done.

        Parameters:
          job: Its name in the table.
          due: The message's ``due``.
          again: Also where it was done: for runs whose effect is to send messages. Those carry ids made from this
            message's, so sending them again sends the same ones, and a worker that dies between "done" and sending
            loses none.

        Yields:
          None where there is nothing to do.

        Raises:
          Deferred: Another run has it; it may come to no end.
          Permanent: ``due`` is no time.
        """
        run = self.take(job, due, again=again)
        try:
            yield run
            if run is not None and not run.committed:
                run.done()
        except Exception as error:
            if run is not None and not isinstance(error, Overtaken):
                self.give_back(run, error)
            raise

    def take(self, job: str, due: str | datetime, *, again: bool = False) -> Run | None:
        """Take a due time; see :meth:`taking`. Whoever calls this commits or gives back."""
        moment = _moment(due)
        holder = str(uuid.uuid4())

        def work(connection: Any) -> Run | float | None:
            now = self._clock(connection)
            if now - moment > OLDEST or self._settled(connection, job, moment):
                return None
            fresh = {
                "job": job, "due": moment, "holder": "", "fence": 0, "held_until": now, "taken_at": now, "effects": 0,
            }  # fmt: skip
            JobRunRow.insert(fresh).on_conflict_ignore().execute(connection)
            # No run holds it for longer than that: one that seems to was begun under a clock that was set back since.
            free = (JobRunRow.held_until <= now) | (JobRunRow.held_until > now + 2 * LEASE)
            free &= JobRunRow.done_at.is_null() | again
            taken = {"holder": holder, "fence": JobRunRow.fence + 1, "held_until": now + LEASE, "taken_at": now}
            JobRunRow.update(taken).where(_this(job, moment) & free).execute(connection)
            [row] = JobRunRow.select().where(_this(job, moment)).dicts().execute(connection)
            if row["holder"] == holder:
                if row["done_at"] is None:
                    self._note(connection, job, moment, RunState.STARTED, started_at=now, reason=None, ended_at=None)
                return Run(self, job, moment, row["fence"], again)
            if row["done_at"] is not None and not again:
                return None
            return float((row["held_until"] - now).total_seconds())

        found = self._database.transaction(work)
        if isinstance(found, float):
            raise Deferred(f"another run of {job} has this due time", wait=min(max(found, 1.0), 30.0))
        return found

    def commit(self, run: Run, write: Callable[[Any], T]) -> T:
        """See :meth:`Run.commit`."""
        overtaken: list[bool] = []

        def work(connection: Any) -> T | None:
            now = self._clock(connection)
            effects = peewee.Case(None, [(JobRunRow.done_at.is_null(), 1)], 0 if run.again else 1)
            done = {"done_at": now, "held_until": now, "effects": JobRunRow.effects + effects}
            if not JobRunRow.update(done).where(_mine(run)).execute(connection):
                overtaken.append(True)
                return None
            self._note(connection, run.job, run.due, RunState.DONE, ended_at=now, reason=None)
            return write(connection)

        result = self._database.transaction(work)
        if overtaken:
            raise Overtaken(f"another run of {run.job} has overtaken this one", wait=5.0)
        return result  # type: ignore[return-value]

    def keep(self, run: Run) -> None:
        """See :meth:`Run.keep`."""

        def work(connection: Any) -> int:
            until = self._clock(connection) + LEASE
            return int(JobRunRow.update(held_until=until).where(_mine(run)).execute(connection))

        if not self._database.transaction(work):
            raise Overtaken(f"another run of {run.job} has overtaken this one", wait=5.0)

    def give_back(self, run: Run, error: Exception) -> None:
        """Let the next try take the due time at once; in the ledger it has failed until one succeeds."""

        def work(connection: Any) -> None:
            now = self._clock(connection)
            if JobRunRow.update(held_until=now).where(_mine(run) & JobRunRow.done_at.is_null()).execute(connection):
                self._note(connection, run.job, run.due, RunState.FAILED, ended_at=now, reason=describe(error))

        self._database.transaction(work)

    @staticmethod
    def _settled(connection: Any, job: str, due: datetime) -> bool:
        """Was it decided that this due time is not run? A message may come long after that."""
        this = (LedgerRow.job == job) & (LedgerRow.due == due) & LedgerRow.state.in_(NOT_RUN)
        return bool(list(LedgerRow.select(LedgerRow.job).where(this).dicts().execute(connection)))

    @staticmethod
    def _note(connection: Any, job: str, due: datetime, state: RunState, **columns: Any) -> None:
        this = (LedgerRow.job == job) & (LedgerRow.due == due)
        LedgerRow.update(state=state, **columns).where(this).execute(connection)


def _this(job: str, due: datetime) -> Any:
    return (JobRunRow.job == job) & (JobRunRow.due == due)


def _mine(run: Run) -> Any:
    return _this(run.job, run.due) & (JobRunRow.fence == run.fence)


def _moment(due: str | datetime) -> datetime:
    try:
        moment = due if isinstance(due, datetime) else datetime.fromisoformat(due)
    except (ValueError, TypeError):
        raise Permanent("request_invalid", detail="due is no time such as 2026-11-28T00:05:00+00:00") from None
    if moment.utcoffset() is None:
        raise Permanent("request_invalid", detail="due has no time zone")
    return moment
