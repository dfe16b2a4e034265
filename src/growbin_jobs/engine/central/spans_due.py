"""Which spans of five minutes are to be computed anew, because one of their minutes was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from growbin_jobs.engine.central import bulk
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.fields import stored_moment

SPAN: Final = timedelta(minutes=5)


def span_of(moment: datetime) -> datetime:
    """Return when the span of a moment began; spans are counted from 1970 on."""
    long = int(SPAN.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // long * long, UTC)


def touch_span(connection: Any, dialect: Dialect, minute: datetime) -> None:
    """Note the span of a minute, in the transaction that computes the minute."""
    span = span_of(minute)
    # An update and not DO NOTHING: it waits for the one who computes the span, and is not deleted with his note.
    conflict = "(span) DO UPDATE SET touched = task_spans_due.touched + 1"
    row = (stored_moment(span), stored_moment(span + SPAN), 1)
    bulk.insert(connection, dialect, "task_spans_due", ("span", "ends", "touched"), [row], conflict)
