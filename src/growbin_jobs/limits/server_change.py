"""Holds all limits for a while when another PostgreSQL server answers than the one that granted before.

A standby that takes over may lack the last grants (replication is asynchronous where nobody says otherwise), and would
grant them again. It is told by the start time of the server's process, which a restart changes too. A server that
recovers from a crash of one of its processes keeps its start time and may lack them as well, since grants do not wait
for the disk: it is told by its statistics, which begin anew then.
"""

from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.offline_leases import LASTS
from growbin_jobs.limits.parameters import SPREAD

#: Seconds for which nothing is granted: a window of the limits for a minute, and the time to the server's count.
HOLD: Final = 60.0 + SPREAD

#: Of a connection: since when its server counts. A crash ends all connections, so it is asked once for each.
_ATTRIBUTE: Final = "growbin_forgot_at"
_FORGOT_AT: Final = "SELECT coalesce(extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time())::float8, 0)"


class ServerChange:
    """Notices another server. One for each process; a race between threads costs a question more.

    Parameters:
      database: The central one, PostgreSQL.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: float | None = None

    def noticed(self, since: float) -> bool:
        """Return whether a server answers that is not the one which granted before; then all limits are held by now.

        Parameters:
          since: What changes with it: its start and :func:`forgot_at`, added up.

        Raises:
          Deferred: The database is away.
        """
        if since == self._known:
            return False
        held = self._database.transaction(lambda connection: _hold_if_new(connection, since))
        changed = held or self._known is not None
        self._known = since
        return changed


def forgot_at(connection: Any) -> float:
    """Return when the server of a connection last recovered from a crash, or its statistics were reset by hand."""
    known = connection.connection().__dict__
    if _ATTRIBUTE not in known:
        [(moment,)] = connection.execute_sql(_FORGOT_AT).fetchall()
        known[_ATTRIBUTE] = float(moment)
    return float(known[_ATTRIBUTE])


def _hold_if_new(connection: Any, since: float) -> bool:
    connection.execute_sql(
        "INSERT INTO limit_server (id, started) VALUES (1, %s) ON CONFLICT (id) DO NOTHING", (since,)
    )
    [(before,)] = connection.execute_sql("SELECT started FROM limit_server WHERE id = 1 FOR UPDATE").fetchall()
    if float(before) == since:
        return False
    connection.execute_sql("UPDATE limit_server SET started = %s WHERE id = 1", (since,))
    # Locked in the order in which requests lock them.
    connection.execute_sql("SELECT name FROM call_limit ORDER BY name FOR UPDATE")
    connection.execute_sql(
        "UPDATE call_limit SET held_until = greatest(held_until, extract(epoch FROM clock_timestamp())::float8 + %s)",
        (HOLD,),
    )
    # Leases of offline shares may be lost as well: nobody gets more than it has until all of them have ended.
    connection.execute_sql(
        "UPDATE limit_reserve SET opens = greatest(opens, extract(epoch FROM clock_timestamp())::float8 + %s)",
        (LASTS + HOLD,),
    )
    return True
