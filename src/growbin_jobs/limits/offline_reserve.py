"""The offline shares of limits in the central database: kept back from the limit, and leased to nodes."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import CLOCK_VARIES, SqlWords
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.named import COUNT_VARIES, NamedLimit, NamedLimits
from growbin_jobs.limits.offline_leases import LASTS, Lease, kept_back, renewed
from growbin_jobs.rates import Rate

#: The largest part of a limit that may be kept back.
MOST: Final = 0.5

_LEASES: Final = "SELECT node, units, until, owed, owed_until FROM limit_lease WHERE name = ?"
_PROMISE: Final = "SELECT most, window_seconds FROM limit_promise WHERE name = ? ORDER BY since DESC LIMIT 1"


class Granted(NamedTuple):
    """What a node may use of one limit while the database is away.

    Attributes:
      rate: Of this node alone; None: nothing.
      is_new: The node had no lease before, so that it has used nothing of it.
    """

    rate: Rate | None
    is_new: bool


class Reserves:
    """Keeps back and leases. Its errors mean what :meth:`Database.run` says.

    Parameters:
      database: The central one.
      limits: Makes the parameters of a limit.
    """

    def __init__(self, database: Database, limits: NamedLimits) -> None:
        self._database = database
        self._limits = limits
        self._sql = SqlWords(database.dialect)

    def parts(self) -> dict[str, float]:
        """Return the offline shares by the limits' names, 0.0–1.0; a limit without one is not in it."""
        rows = self._database.run(
            lambda one: self._sql.rows(one, "SELECT name, part FROM limit_reserve WHERE part > 0 ORDER BY name")
        )
        return {name: float(part) for name, part in rows}

    def set(self, name: str, part: float) -> int:
        """Keep back a part of a limit from now on; nodes lease it when a window of the limit has passed.

        Returns:
          The units that all nodes together may use in a window.

        Raises:
          ConfigurationError: The limit does not exist, has no promise of its own, or the part is none.
        """
        if not 0 <= part <= MOST:
            raise ConfigurationError(f"An offline share is 0% to {MOST:.0%} of a limit.")

        def work(connection: Any) -> int | None:
            promised = self._promised(connection, name)
            if promised is None or not self._sql.rows(connection, "SELECT 1 FROM call_limit WHERE name = ?", name):
                return None
            if part and not _units(promised, part):
                return 0
            self._sql.run(
                connection,
                "INSERT INTO limit_reserve (name, part, opens) VALUES (?, ?, 0) "
                "ON CONFLICT (name) DO UPDATE SET part = excluded.part",
                *(name, part),
            )
            _, _, now = self._locked(connection, name)
            self._fit(connection, name, promised, part, self._leases(connection, name), now)
            return _units(promised, part)

        units = self._database.transaction(work)
        if units is None:
            raise ConfigurationError(f"There is no limit {name} of which a share could be kept back.")
        if part and not units:
            raise ConfigurationError(f"{part:.0%} of {name} is less than one request. Choose a larger share.")
        return units

    def reduced(self, limits: Iterable[NamedLimit]) -> list[Limit]:
        """Return the parameters of limits with what is kept back of each of them taken away."""
        made = {limit.name: limit for limit in limits}

        def work(connection: Any) -> dict[str, tuple[float, list[Lease], float]]:
            rows = self._sql.rows(connection, "SELECT name, part, $now FROM limit_reserve")
            return {
                name: (float(part), self._leases(connection, name), float(now))
                for name, part, now in rows
                if name in made
            }

        kept = self._database.run(work) if made else {}
        return [
            self._central(limit.name, limit.rate, *kept[limit.name]) if limit.name in kept else limit.parameters
            for limit in made.values()
        ]

    def fit(self, name: str) -> None:
        """Let the central limit grant what is left of a rate that was changed, and note when nodes may have more."""

        def work(connection: Any) -> None:
            if not self._sql.rows(connection, "SELECT 1 FROM limit_reserve WHERE name = ?", name):
                return
            part, _, now = self._locked(connection, name)
            if (promised := self._promised(connection, name)) is not None:
                self._fit(connection, name, promised, part, self._leases(connection, name), now)

        self._database.transaction(work)

    def renew(self, node: str, names: Iterable[str]) -> dict[str, Granted]:
        """Lease a node its parts of some limits, or renew them; limits without an offline share are left out."""
        asked = sorted(set(names))
        marks = ", ".join("?" for _ in asked)
        sql = f"SELECT name FROM limit_reserve WHERE name IN ({marks}) ORDER BY name"  # noqa: S608 marks only
        shared = self._database.run(lambda one: [row[0] for row in self._sql.rows(one, sql, *asked)]) if asked else []
        return {
            name: self._database.transaction(lambda one, name=name: self._renewed(one, node, name))  # type: ignore[misc]
            for name in shared
        }

    def _renewed(self, connection: Any, node: str, name: str) -> Granted:
        part, opens, now = self._locked(connection, name)
        promised, leases = self._promised(connection, name), self._leases(connection, name)
        if promised is None:
            return Granted(None, is_new=False)
        window = promised.window + COUNT_VARIES
        leases = self._sane(connection, name, leases, now, LASTS + window)
        if opens > now + window + CLOCK_VARIES:  # of a clock that has been set back since
            opens = self._open_later(connection, name, now + window)
        if self._fit(connection, name, promised, part, leases, now):
            opens = now + window  # the whole limit was granted here until now
        lease = renewed(leases, node, reserve=_units(promised, part), opens=opens, now=now, window=window)
        self._sql.run(
            connection,
            "INSERT INTO limit_lease (name, node, units, until, owed, owed_until) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (name, node) DO UPDATE SET units = excluded.units, until = excluded.until, "
            "owed = excluded.owed, owed_until = excluded.owed_until",
            *(name, node, lease.units, lease.until, lease.owed, lease.owed_until),
        )
        self._sql.run(
            connection, "DELETE FROM limit_lease WHERE name = ? AND until < ? AND owed_until < ?", name, now, now
        )
        self._fit(connection, name, promised, part, [lease, *(each for each in leases if each.node != node)], now)
        is_new = all(each.node != node or not each.taken(now) for each in leases)
        return Granted(Rate(lease.units, promised.window) if lease.units else None, is_new)

    def _fit(self, connection: Any, name: str, promised: Rate, part: float, leases: list[Lease], now: float) -> bool:
        """Let the central limit grant what is left; return whether it granted more until now."""
        rows = self._sql.rows(connection, "SELECT spacing, version FROM call_limit WHERE name = ? $lock", name)
        wanted = self._central(name, promised, part, leases, now)
        # A limit that has granted nothing yet leaves nothing to wait for.
        grows = bool(rows) and bool(rows[0][1]) and wanted.spacing > float(rows[0][0]) * (1 + 1e-9)
        self._sql.run(
            connection,
            "UPDATE call_limit SET spacing = ?, burst = ?,"
            " held_until = CASE WHEN held_until < ? THEN ? ELSE held_until END WHERE name = ?",
            *(wanted.spacing, wanted.burst, wanted.held_until, wanted.held_until, name),
        )
        if grows:
            self._open_later(connection, name, now + promised.window + COUNT_VARIES)
        return grows

    def _open_later(self, connection: Any, name: str, opens: float) -> float:
        self._sql.run(connection, "UPDATE limit_reserve SET opens = ? WHERE name = ?", opens, name)
        return opens

    def _central(self, name: str, promised: Rate, part: float, leases: list[Lease], now: float) -> Limit:
        left = promised.most - kept_back(leases, reserve=_units(promised, part), now=now)
        limit = self._limits.named(name, Rate(max(1, left), promised.window)).parameters
        if left >= 1:
            return limit
        # The limit was lowered below what nodes have: nothing is granted here until their leases have ended.
        return replace(limit, held_until=max(max(each.until, each.owed_until) for each in leases))

    def _sane(self, connection: Any, name: str, leases: list[Lease], now: float, longest: float) -> list[Lease]:
        """Return leases, none of which lasts longer than any can; what was changed for that is written."""
        sane = [lease.sane(now, longest) for lease in leases]
        for lease, before in zip(sane, leases, strict=True):
            if max(before.until, before.owed_until) > now + longest + CLOCK_VARIES:
                sql = "UPDATE limit_lease SET until = ?, owed_until = ? WHERE name = ? AND node = ?"
                self._sql.run(connection, sql, lease.until, lease.owed_until, name, lease.node)
        return sane

    def _locked(self, connection: Any, name: str) -> tuple[float, float, float]:
        [(part, opens)] = self._sql.rows(connection, "SELECT part, opens FROM limit_reserve WHERE name = ? $lock", name)
        [(now,)] = self._sql.rows(connection, "SELECT $now")
        return float(part), float(opens), float(now)

    def _promised(self, connection: Any, name: str) -> Rate | None:
        rows = self._sql.rows(connection, _PROMISE, name)
        return Rate(int(rows[0][0]), float(rows[0][1])) if rows else None

    def _leases(self, connection: Any, name: str) -> list[Lease]:
        return [
            Lease(node, int(units), float(until), int(owed), float(owed_until))
            for node, units, until, owed, owed_until in self._sql.rows(connection, _LEASES, name)
        ]


def _units(promised: Rate, part: float) -> int:
    return math.floor(promised.most * part + 1e-9)
