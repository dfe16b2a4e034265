"""APScheduler's view of a due time: it only wakes the runner."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

from growbin_jobs.engine.periodic.due import When


class DueTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires at the due times of a rule, each a fixed time later.

    Parameters:
      when: The rule.
      zone: Of its times.
      offset: How much later; due times stay what they are.
    """

    def __init__(self, when: When, zone: ZoneInfo, offset: timedelta = timedelta(0)) -> None:
        self._when = when
        self._zone = zone
        self._offset = offset

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return when APScheduler fires next; never the time before again, and no time that has passed.

        What was missed is one run, and that APScheduler has already: after a night's sleep it need not count all.
        """
        after = now if previous_fire_time is None else max(previous_fire_time, now)
        return self._when.next_after(after - self._offset, self._zone) + self._offset
