"""The table ``rate_limit_log``: what each limit granted on this node, by the minute."""

from collections.abc import Iterable

import apsw

_ADD = "INSERT INTO rate_limit_log (timestamp, api, count) VALUES (?, ?, ?)"
_SUMS = """
SELECT api, timestamp, sum(count) FROM rate_limit_log WHERE timestamp >= ?
GROUP BY api, timestamp ORDER BY api, timestamp
"""


def add(connection: apsw.Connection, minute: float, counts: Iterable[tuple[str, int]]) -> None:
    """Add to a minute's counts. Processes add rows of their own, which are summed when they are read.

    Parameters:
      minute: Its beginning, in seconds since 1970, UTC.
      counts: Units by the limit's name.
    """
    connection.executemany(_ADD, [(float(minute), name, units) for name, units in counts])


def since(connection: apsw.Connection, moment: float) -> list[tuple[str, float, int]]:
    """Return name, beginning and units of each minute that began at a moment or later, by name and time."""
    return list(connection.execute(_SUMS, (moment,)))
