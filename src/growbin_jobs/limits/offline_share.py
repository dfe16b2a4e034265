"""A node's part of the limits for the time in which it cannot reach the central database.

It is leased from the central limits beforehand and kept in a file of the node, which all its processes share: they take
their tickets from it together, and a process that starts while the database is away finds it.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.errors import Deferred
from growbin_jobs.limit_names import common_name
from growbin_jobs.limits.named import COUNT_VARIES, NamedLimit, NamedLimits
from growbin_jobs.limits.offline_leases import LASTS
from growbin_jobs.limits.offline_reserve import Granted, Reserves
from growbin_jobs.limits.port import Answer, Charge
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.limits.starts import this_boot

#: Seconds between two renewals by one process.
RENEWAL: Final = 20.0

#: Seconds that nothing is sent after a failed request: nobody can be asked whether the server is well.
HOLD: Final = 60.0

#: The tables of limits; the node's file has them too. Its leases name the boot of the machine, and end on its clock.
_SCHEMA: Final = ("growbin_jobs.limits",)


class OfflineShare:
    """One for each process; safe from any thread.

    Parameters:
      reserves: The central leases.
      limits: Makes the parameters of a limit.
      node: Its name.
      path: Of the node's file; it is made with the first lease.
      allowed: Asked at each renewal: whether the share may be used at all.
      clock: Seconds since the machine was started, the same in all its processes.
    """

    def __init__(
        self,
        reserves: Reserves,
        limits: NamedLimits,
        *,
        node: str,
        path: Path,
        allowed: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._reserves = reserves
        self._limits = limits
        self._node = node
        self._path = path
        self._allowed = allowed
        self._clock = clock
        self._sql = SqlWords("sqlite")
        self._lock = threading.Lock()
        self._opened: Database | None = None
        self._renew_at: dict[str, float] = {}

    def take(self, costs: Mapping[str, float], *, patience: float = 0.0, reserve: bool = False) -> Answer:
        """See :class:`growbin_jobs.limits.port.Grants`."""
        return SqlLimits(self._database()).take(costs, patience=patience, reserve=reserve)

    def give_back(self, charges: Iterable[Charge]) -> bool:
        """See :class:`growbin_jobs.limits.port.Grants`."""
        return SqlLimits(self._database()).give_back(charges)

    def check(self, needed: Iterable[NamedLimit]) -> None:
        """Return where the node may use its part of these limits now.

        Raises:
          Deferred: The leases have ended.
        """
        if not self.is_leased([limit.name for limit in needed]):
            raise Deferred("This node's offline share has ended: the database is away for too long.", wait=5.0)

    def renew(self, names: Collection[str]) -> None:
        """Renew the leases of some limits, where that is due.

        Raises:
          Deferred: The central database is away.
        """
        now = self._clock()
        with self._lock:
            # One user's limit has no share: a request that counts for it waits for the database.
            shared = [name for name in names if common_name(name) == name]
            due = [name for name in shared if self._renew_at.get(name, 0.0) <= now]
            self._renew_at |= dict.fromkeys(due, now + RENEWAL)
        if not due:
            return
        try:
            leases = self._reserves.renew(self._node, due)
            # Read after the lease: what is not allowed leaves an old one to its end, and makes no new one.
            if leases and self._allowed():
                self._keep(leases, ends=now + LASTS)
            elif self._path.exists():
                self._keep(dict.fromkeys(due, Granted(None, is_new=False)), ends=0.0)
        except BaseException:
            with self._lock:
                self._renew_at |= dict.fromkeys(due, 0.0)
            raise

    def is_leased(self, names: Iterable[str] | None = None) -> bool:
        """Return whether the node may use a part of all these limits now; None: of any."""
        if not self._path.exists():
            return False
        wanted, sql = set(names or ()), "SELECT name FROM limit_lease WHERE node = ? AND until > ? AND units > 0"
        try:
            rows = self._database().run(lambda one: self._sql.rows(one, sql, this_boot(), self._clock()))
        except Deferred:
            return False
        leased = {name for (name,) in rows}
        return bool(leased) if names is None else bool(wanted) and wanted <= leased

    def hold(self, names: Iterable[str]) -> None:
        """Send nothing for a while: a request has failed, and no breaker can be asked."""
        store = SqlLimits(self._database())
        for name in names:
            store.hold(name, HOLD)

    def _keep(self, leases: dict[str, Granted], *, ends: float) -> None:
        """Write what the node has to its file, and let its limits follow."""
        database, boot = self._database(), this_boot()
        made = {limit.name for limit in SqlLimits(database).limits()}
        for name, granted in leases.items():
            if granted.rate is not None:
                limit = self._limits.named(name, granted.rate).parameters
                SqlLimits(database).ensure([limit])
                if name not in made and not granted.is_new:  # the file was lost, with what it had granted
                    SqlLimits(database).hold(name, granted.rate.window + COUNT_VARIES)

        def work(connection: Any) -> None:
            self._sql.run(connection, "DELETE FROM limit_lease WHERE node <> ?", boot)
            for name, granted in leases.items():
                units = granted.rate.most if granted.rate else 0
                self._sql.run(
                    connection,
                    "INSERT INTO limit_lease (name, node, units, until, owed, owed_until) VALUES (?, ?, ?, ?, 0, 0) "
                    "ON CONFLICT (name, node) DO UPDATE SET units = excluded.units, until = excluded.until",
                    *(name, boot, units, ends),
                )

        database.transaction(work)

    def _database(self) -> Database:
        with self._lock:
            if self._opened is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._opened = open_database(None, default_path=self._path, pool_size=4, timeout=1.0)
                upgrade(self._opened, _SCHEMA)
            return self._opened
