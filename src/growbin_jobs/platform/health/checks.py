"""One check of one target: take it, look, decide its state, write that down."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from growbin_jobs.platform.health.maintenance import in_maintenance
from growbin_jobs.platform.health.transitions import Memory, Observed, Policy, observe
from growbin_jobs.platform.health.words import Finding, State
from growbin_jobs.platform.tables.dirty import Clock, utc_now
from growbin_jobs.platform.tables.health import HealthTable

logger = logging.getLogger(__name__)

#: Seconds that a check may take beyond its own deadline before somebody else may take the target.
LEASE_MARGIN: Final = 15.0


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check.

    Attributes:
      skipped: Why there was none: ``busy``, ``taken`` or ``expired``; then the rest is empty.
      finding: What was found; None: the checker is offline.
      recheck_in: Seconds until it should be checked again out of turn.
    """

    target: str
    checked_at: datetime
    skipped: str | None = None
    finding: Finding | None = None
    state: State = "unknown"
    recheck_in: float | None = None

    def as_dict(self, id_name: str, id_: Any) -> dict[str, Any]:
        """Return it as an actor's result."""
        found = self.finding
        status = self.skipped or (found.status if found else "unknown")
        result: dict[str, Any] = {id_name: id_, "status": status, "checked_at": self.checked_at.isoformat()}
        if self.skipped:
            return result
        result |= {"state": self.state, "response_time_ms": found.latency_ms if found else None}
        if found is not None:
            result |= {"reason": found.reason, "http_status": found.http_status, "source": found.source}
            result["phases_ms"] = dict(found.phases)
            if found.tls_expires_at is not None:
                result["tls_days"] = (found.tls_expires_at - self.checked_at).days
        return result


class Checks:
    """Runs checks of one kind of target.

    Parameters:
      table: Of the states.
      policy: When a state changes.
      seconds: That one check may take.
      clock: Returns the time, aware.
    """

    def __init__(self, table: HealthTable, policy: Policy, *, seconds: float, clock: Clock = utc_now) -> None:
        self._table = table
        self._policy = policy
        self._lease = timedelta(seconds=2 * seconds + LEASE_MARGIN)
        self._clock = clock

    def run(
        self, target: str, look: Callable[[], Finding | None], *, due: datetime | None, expires: datetime | None = None
    ) -> Checked:
        """Check a target once for a due time.

        Parameters:
          target: Such as ``agent:7``.
          look: Makes the check; None: the checker is offline.
          due: When it was due; None: a person asks, or a recheck.
          expires: A check that starts later is left out: the next one is due.

        Raises:
          Deferred: The database is away. The due time can be tried again.
        """
        if expires is not None and self._clock() > expires:
            return Checked(target, self._clock(), skipped="expired")
        row = self._table.claim(target, due=due, lease=self._lease)
        if row is None:
            return Checked(target, self._clock(), skipped="busy")
        try:
            finding = look()
        except BaseException:
            self._table.release(row)
            raise
        now = self._clock()
        quiet = in_maintenance(self._table.windows(target), now)
        seen = observe(_memory(row), finding, now, self._policy, quiet=quiet)
        self._write(target, seen, finding)
        return Checked(target, now, finding=finding, state=seen.memory.state, recheck_in=seen.recheck_in)

    def _write(self, target: str, seen: Observed, finding: Finding | None) -> None:
        memory = seen.memory
        values = {
            "state": memory.state, "since": memory.since, "failures": memory.failures, "successes": memory.successes,
            "recent": [list(each) for each in memory.recent], "checked_at": memory.checked_at,
            "alerted_state": memory.alerted, "reason": finding.reason if finding else "the checker is offline",
        }  # fmt: skip
        if finding is not None:
            values |= {"status": finding.status, "latency_ms": finding.latency_ms}
            if finding.tls_expires_at is not None:
                values["tls_expires_at"] = finding.tls_expires_at
        events = [
            {"at": each.at, "before": each.before, "after": each.after, "reason": each.reason, "alert": int(each.alert)}
            for each in seen.changes
        ]
        self._table.store(target, values, events)
        for each in seen.changes:
            level = logging.WARNING if each.alert else logging.INFO
            logger.log(level, "health.changed target=%s before=%s after=%s alert=%s", target, each.before, each.after,
                       each.alert)  # fmt: skip


def _memory(row: dict[str, Any]) -> Memory:
    return Memory(
        state=row["state"],
        since=row["since"],
        failures=row["failures"],
        successes=row["successes"],
        recent=tuple((bool(each[0]), int(each[1])) for each in row["recent"]),
        checked_at=row["checked_at"],
        alerted=row["alerted_state"],
    )
