"""The schedule's tables, their states as words, and the clock of the database that they are in."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.fields import UtcField, WordsField


class RunState(StrEnum):
    """What has become of a due time.

    ::

        due ──> claimed ──> sent ──> started ──> done
         │                    └─────────┴─────> failed ──> started (a retry)
         └──> overlapped, coalesced, skipped, missed
    """

    DUE = "due"
    CLAIMED = "claimed"
    SENT = "sent"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    OVERLAPPED = "overlapped"
    COALESCED = "coalesced"
    SKIPPED = "skipped"
    MISSED = "missed"


#: A due time in one of these has had no end yet.
OPEN: Final = (RunState.DUE, RunState.CLAIMED, RunState.SENT, RunState.STARTED)

#: It was decided that a due time of these is not run; the reason is in its row.
NOT_RUN: Final = (RunState.OVERLAPPED, RunState.COALESCED, RunState.SKIPPED, RunState.MISSED)


class StateRow(peewee.Model):
    """Table ``schedule_state``: one row for each job; whoever plans or claims locks it."""

    job = peewee.TextField(primary_key=True)
    revision = peewee.BigIntegerField()
    planned_until = UtcField()
    paused_at = UtcField(null=True)
    paused_until = UtcField(null=True)
    paused_by = WordsField(null=True)
    pause_reason = WordsField(null=True)
    removed_at = UtcField(null=True)

    class Meta:
        table_name = "schedule_state"


class RevisionRow(peewee.Model):
    """Table ``schedule_revision``: which rule held from when to when."""

    job = peewee.TextField()
    number = peewee.BigIntegerField()
    rule = peewee.TextField()
    zone = peewee.TextField()
    since = UtcField()
    until = UtcField(null=True)

    class Meta:
        table_name = "schedule_revision"
        primary_key = peewee.CompositeKey("job", "number")


class LedgerRow(peewee.Model):
    """Table ``schedule_ledger``: one row for each due time, or for several that were settled together."""

    job = peewee.TextField()
    due = UtcField()
    state = peewee.TextField()
    message_id = peewee.TextField()
    revision = peewee.BigIntegerField()
    tzdata = peewee.TextField()
    data_since = UtcField()
    data_until = UtcField()
    not_before = UtcField()
    done_by = UtcField()
    covers_from = UtcField()
    covers = peewee.BigIntegerField()
    manual = peewee.BigIntegerField()
    fence = peewee.BigIntegerField()
    claimed_by = peewee.TextField(null=True)
    claimed_until = UtcField(null=True)
    sent_at = UtcField(null=True)
    started_at = UtcField(null=True)
    ended_at = UtcField(null=True)
    reason = WordsField(null=True)

    class Meta:
        table_name = "schedule_ledger"
        primary_key = peewee.CompositeKey("job", "due")
        indexes = ((("state", "due"), False),)


class JobRunRow(peewee.Model):
    """Table ``job_run``: which due times were taken, and had their effect."""

    job = peewee.TextField()
    due = UtcField()
    holder = peewee.TextField()
    fence = peewee.BigIntegerField()
    held_until = UtcField()
    taken_at = UtcField()
    done_at = UtcField(null=True)
    effects = peewee.BigIntegerField()

    class Meta:
        table_name = "job_run"
        primary_key = peewee.CompositeKey("job", "due")


class ProcessRow(peewee.Model):
    """Table ``scheduler_process``: the schedulers that are alive, as far as they have said."""

    id = peewee.TextField(primary_key=True)
    node = peewee.TextField()
    version = peewee.TextField()
    started_at = UtcField()
    seen_at = UtcField()

    class Meta:
        table_name = "scheduler_process"


def database_time(connection: Any) -> datetime:
    """Return the time by the database's clock: the one that all schedulers and workers share."""
    postgresql = isinstance(connection, peewee.PostgresqlDatabase)
    sql = "extract(epoch FROM clock_timestamp())::float8" if postgresql else "unixepoch('subsec')"
    [[seconds]] = connection.execute_sql(f"SELECT {sql}").fetchall()
    return datetime.fromtimestamp(float(seconds), UTC)
