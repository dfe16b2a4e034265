"""Tables of health: the state of each target, its changes, and windows of maintenance."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import IdField, JsonField, UtcField, WordsField
from growbin_jobs.platform.tables.dirty import Clock, utc_now

#: What lies further ahead was written by a clock that has been set back since. Less may be a clock that is wrong now.
AHEAD: Final = timedelta(hours=2)

#: Targets that one statement claims.
BATCH: Final = 500


class HealthStateRow(peewee.Model):
    """Table ``health_states``. ``target``: ``agent:ID`` or ``model:ID``; ``recent``: the last checks, newest last."""

    target = IdField(primary_key=True)
    state = peewee.TextField()
    since = UtcField()
    reason = WordsField(null=True)
    failures = peewee.BigIntegerField()
    successes = peewee.BigIntegerField()
    recent = JsonField()
    checked_at = UtcField(null=True)
    last_due = UtcField(null=True)
    busy_until = UtcField(null=True)
    status = peewee.TextField(null=True)
    latency_ms = peewee.BigIntegerField(null=True)
    tls_expires_at = UtcField(null=True)
    alerted_state = peewee.TextField(null=True)
    claimed_due = UtcField(null=True)

    class Meta:
        table_name = "health_states"


class HealthEvent(peewee.Model):
    """Table ``health_events``. ``alert``: 1 where people were told."""

    id = IdField(primary_key=True)
    target = IdField()
    at = UtcField()
    before = peewee.TextField()
    after = peewee.TextField()
    reason = WordsField(null=True)
    alert = peewee.BigIntegerField()

    class Meta:
        table_name = "health_events"
        indexes = ((("target", "at"), False), (("at",), False))


class MaintenanceWindow(peewee.Model):
    """Table ``maintenance_windows``. ``target``: as in ``health_states``, or ``*`` for all."""

    id = IdField(primary_key=True)
    target = IdField()
    zone = peewee.TextField()
    weekdays = peewee.TextField(null=True)
    starts = peewee.TextField(null=True)
    minutes = peewee.BigIntegerField(null=True)
    from_at = UtcField(null=True)
    until_at = UtcField(null=True)

    class Meta:
        table_name = "maintenance_windows"


class HealthTable:
    """Reads and writes the state of targets.

    Parameters:
      database: Where the tables are; every method raises Deferred when it is away.
      clock: Returns the time, aware.
    """

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def claim_all(self, targets: Sequence[str], *, due: datetime) -> list[str]:
        """Claim targets whose checks are to be sent for a due time, :data:`BATCH` with one statement.

        The claim holds until the next due time. Called again for the same one, it returns those whose check has not
        begun: whoever claimed them may have died before it had sent anything.

        Returns:
          Those that were claimed.
        """
        claimed: list[str] = []
        for start in range(0, len(targets), BATCH):
            batch = targets[start : start + BATCH]
            claimed += self._database.transaction(partial(self._claim, targets=batch, due=due))
        return claimed

    def _claim(self, connection: Any, targets: Sequence[str], due: datetime) -> list[str]:
        row = HealthStateRow
        new = [self._new(target) for target in targets]
        row.insert_many(new).on_conflict_ignore().execute(connection)
        ahead = max(due, self._clock()) + AHEAD
        not_begun = row.last_due.is_null() | (row.last_due < due) | (row.last_due > ahead)
        not_newer = row.claimed_due.is_null() | (row.claimed_due <= due) | (row.claimed_due > ahead)
        claim = row.update(claimed_due=due).where(row.target.in_(targets) & not_begun & not_newer)
        return sorted(each["target"] for each in claim.returning(row.target).dicts().execute(connection))

    def _new(self, target: str) -> dict[str, Any]:
        return {
            "target": target, "state": "unknown", "since": self._clock(), "reason": None, "failures": 0, "successes": 0,
            "recent": [], "checked_at": None, "claimed_due": None, "last_due": None, "busy_until": None, "status": None,
            "latency_ms": None, "tls_expires_at": None, "alerted_state": None,
        }  # fmt: skip

    def claim(self, target: str, *, due: datetime | None, lease: timedelta) -> dict[str, Any] | None:
        """Take a target for one check, and return its row.

        Parameters:
          due: When the check was due; a due time is taken once. None: a person asks, or a recheck.
          lease: How long nobody else gets it; the check's own limit and some.

        Returns:
          The row as it was before, but with the new ``busy_until``, which tells this claim from later ones; None where
          somebody else checks it now, or where this due time was taken.
        """
        row, now = HealthStateRow, self._clock()
        select = row.select().where(row.target == target)
        if self._database.dialect == "postgresql":
            select = select.for_update()

        def work(connection: Any) -> dict[str, Any] | None:
            row.insert(self._new(target)).on_conflict_ignore().execute(connection)
            found: dict[str, Any]
            [found] = select.dicts().execute(connection)
            busy = found["busy_until"] is not None and now < found["busy_until"] <= now + lease + AHEAD
            last_due = found["last_due"]
            taken = due is not None and last_due is not None and due <= last_due <= max(due, now) + AHEAD
            if busy or taken:
                return None
            values = {"busy_until": now + lease, "last_due": due or found["last_due"]}
            row.update(values).where(row.target == target).execute(connection)
            return {**found, "busy_until": now + lease}

        return self._database.transaction(work)

    def store(self, target: str, values: dict[str, Any], events: Sequence[dict[str, Any]]) -> None:
        """Write a target's new state and its changes, and let the target go.

        Parameters:
          values: Columns of the row.
          events: ``at``, ``before``, ``after``, ``reason`` and ``alert`` of each change.
        """
        update = HealthStateRow.update({**values, "busy_until": None}).where(HealthStateRow.target == target)
        rows = [{"id": uuid.uuid4().hex, "target": target, **event} for event in events]

        def work(connection: Any) -> None:
            update.execute(connection)
            if rows:
                HealthEvent.insert_many(rows).execute(connection)

        self._database.transaction(work)

    def release(self, claimed: dict[str, Any]) -> None:
        """Let a target go without a result: its due time can be tried again, and no earlier one.

        Parameters:
          claimed: What :meth:`claim` returned. Where another one has taken the target meanwhile, nothing changes.
        """
        row = HealthStateRow
        mine = (row.target == claimed["target"]) & (row.busy_until == claimed["busy_until"])
        query = row.update(busy_until=None, last_due=claimed["last_due"]).where(mine)
        self._database.run(lambda connection: query.execute(connection))

    def keep_only(self, kind: str, ids: Sequence[str]) -> None:
        """Forget the states of targets of a kind that are gone; what happened to them stays in the events.

        Parameters:
          kind: ``agent`` or ``model``.
          ids: Of those that exist.
        """
        existing = {f"{kind}:{each}" for each in ids}
        known = [row["target"] for row in self._database.rows(HealthStateRow.select(HealthStateRow.target))]
        gone = [target for target in known if target.startswith(f"{kind}:") and target not in existing]
        row = HealthStateRow

        def work(connection: Any) -> None:
            for target in gone:
                row.delete().where(row.target == target).execute(connection)

        self._database.transaction(work)

    def states(self) -> list[dict[str, Any]]:
        """Return the rows of all targets, in order of their names."""
        return self._database.rows(HealthStateRow.select().order_by(HealthStateRow.target))

    def events(self, target: str | None = None, *, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest changes first, of one target or of all."""
        query = HealthEvent.select().order_by(HealthEvent.at.desc(), HealthEvent.id).limit(limit)
        return self._database.rows(query if target is None else query.where(HealthEvent.target == target))

    def windows(self, target: str) -> list[dict[str, Any]]:
        """Return the windows of maintenance of a target, those for all included."""
        row = MaintenanceWindow
        return self._database.rows(row.select().where(row.target.in_([target, "*"])).order_by(row.id))
