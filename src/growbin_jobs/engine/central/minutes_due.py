"""Which minutes' figures are to be computed anew, because runs that ended in them have come since.

A copy notes its minutes at the end of the transaction that brings the rows, so no row is ever there without its note.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import peewee

from growbin_jobs.engine.central import bulk
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.fields import UtcField, stored_moment

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)

#: Beyond it are numbers that somebody's clock or message made up, and no minutes.
_LAST: Final = 253_402_300_799 // 60


class MinuteDueRow(peewee.Model):
    """Table ``minutes_due``. ``migrations/`` creates it; a test holds the two together."""

    minute = UtcField(primary_key=True)
    touched = peewee.BigIntegerField()

    class Meta:
        table_name = "minutes_due"


def touch(connection: peewee.Database, dialect: Dialect, minutes: Iterable[int]) -> None:
    """Note minutes; the last statement of a transaction, since another one that notes the same waits for its end.

    Parameters:
      minutes: Since 1970, UTC.
    """
    # An update and not DO NOTHING: it waits for the one who computes the minute, and is not deleted with his note.
    rows = [(stored_moment(EPOCH + each * MINUTE), 1) for each in sorted(minutes)
            if 0 <= each < _LAST]  # fmt: skip
    if rows:
        conflict = "(minute) DO UPDATE SET touched = minutes_due.touched + 1"
        bulk.insert(connection, dialect, "minutes_due", ("minute", "touched"), rows, conflict)
