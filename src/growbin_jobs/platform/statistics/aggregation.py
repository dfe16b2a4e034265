"""Statistics of days, weeks and months: counted from facts, redone for late facts, refused where facts are gone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from growbin_jobs.errors import NotFound, Permanent
from growbin_jobs.platform.measures.periods import Kind, Period, kind_of, period_at, period_of, periods_between
from growbin_jobs.platform.tables.dirty import Clock, utc_now
from growbin_jobs.platform.tables.slots import Slots
from growbin_jobs.platform.tables.statistics import StatisticsTable


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What one run of an aggregation did.

    Attributes:
      period: The label of the period that it was for.
      redone: Other periods that were counted anew, since facts had come late.
      refused: Periods with late facts whose older facts are deleted: their rows are as they were.
      slots: Slots that were counted anew, those of each table by themselves.
      refused_slots: Slots that have late facts, and older ones of the same table that are deleted.
    """

    period: str
    redone: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    slots: int = 0
    refused_slots: int = 0


Outcome = Literal["counted", "refused", "not ended"]


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What became of one period of a backfill; ``gone``: sources that are not complete any more."""

    period: str
    outcome: Outcome
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """One number of a row, and what the facts give without slots; ``facts`` is None where they are gone."""

    name: str
    stored: Any
    facts: Any

    @property
    def agrees(self) -> bool | None:
        """Whether both are the same; None: nothing to compare with."""
        return None if self.facts is None else self.stored == self.facts


class Statistics:
    """Counts periods.

    Parameters:
      table: Stores the rows.
      slots: Rolls facts up.
      zone: Of the periods.
      clock: Returns the time, aware. It decides what is too young to be final, never which period is counted.
    """

    def __init__(self, table: StatisticsTable, slots: Slots, *, zone: ZoneInfo, clock: Clock = utc_now) -> None:
        self._table = table
        self._slots = slots
        self._zone = zone
        self._clock = clock

    def aggregate(self, kind: Kind, since: datetime) -> Aggregated:
        """Count the period that a moment lies in, and all counted periods that late facts have changed.

        Running it again gives the same rows.

        Parameters:
          since: The begin of the job's data interval, such as yesterday's midnight.

        Raises:
          Permanent: ``statistics_not_ended``; or ``statistics_facts_gone``, when the period's facts were deleted before
            it was counted.
          Deferred: The database is away.
        """
        period = period_at(kind, since, self._zone)
        now = self._clock()
        if period.until > now:
            raise Permanent("statistics_not_ended", period=period.label)
        rolled = self._slots.roll(now, now=now)
        gone = self._table.recount(period)
        if gone and self._table.find(period) is None:
            raise Permanent("statistics_facts_gone", period=period.label, sources=", ".join(gone))
        done = Aggregated(period.label, slots=len(rolled.slots), refused_slots=len(rolled.refused))
        if gone:
            done.refused.append(period.label)
        for label, refused in self._redo(but=period):
            (done.refused if refused else done.redone).append(label)
        return done

    def backfill(self, kind: Kind, since: datetime, until: datetime) -> Iterator[Backfilled]:
        """Count all periods again that have a part between two moments, and say what became of each."""
        now = self._clock()
        self._slots.roll(min(until, now), now=now)
        for period in periods_between(kind, since, until, self._zone):
            if period.until > now:
                yield Backfilled(period.label, "not ended")
                continue
            gone = self._table.recount(period)
            yield Backfilled(period.label, "refused" if gone else "counted", tuple(gone))

    def explain(self, label: str) -> list[Compared]:
        """Count a period once more from its facts alone, and compare each number with its row.

        Raises:
          NotFound: The period was never counted.
          Permanent: ``request_invalid``, when the label means no period.
        """
        period = period_of(kind_of(label), label, self._zone)
        row = self._table.find(period)
        if row is None:
            raise NotFound(f"{label} was not counted in {period.zone}. Count it: growbin-jobs stats backfill")
        counted, _ = self._table.count_from_facts(period)
        facts = counted.values() if counted else {}
        names = [name for name in facts or row if name.startswith(("total", "active", "production", "failed"))]
        compared = [Compared(name, row[name], facts.get(name)) for name in names]
        for model, usage in sorted(row["llm_usage"]["by_model"].items()):
            its = facts.get("llm_usage", {}).get("by_model", {}).get(model, {} if facts else None)
            compared += [
                Compared(f"{model}: {name}", value, None if its is None else its.get(name, 0))
                for name, value in usage.items()
            ]
        return compared

    def bounds(self, label: str) -> tuple[datetime, datetime]:
        """Return the begin and the end of a period; the end does not belong to it.

        Raises:
          Permanent: ``request_invalid``, when the label means no period.
        """
        period = period_of(kind_of(label), label, self._zone)
        return period.since, period.until

    def show(self, kind: Kind, limit: int) -> list[dict[str, Any]]:
        """Return the newest rows of a kind first."""
        return self._table.latest(kind, limit, zone=self._zone.key)

    def _redo(self, *, but: Period) -> Iterator[tuple[str, bool]]:
        """Count stale rows anew; yields each label, and True where it was refused."""
        for kind, label, zone in self._table.stale():
            period = period_of(kind, label, ZoneInfo(zone))  # type: ignore[arg-type]
            if period != but:
                yield label, bool(self._table.recount(period))
