"""Limits in the central database, on its clock: exact for all nodes together.

On PostgreSQL a request is one statement: it locks the rows in the order of their names, reads the clock when it has
them, decides and charges. On SQLite, which has one writer at a time, it is one short transaction around the same
arithmetic.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.prepared import Prepared
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limits.gcra import LONGEST_HOLD, Decision, Limit, decide
from growbin_jobs.limits.port import Answer, Charge
from growbin_jobs.limits.requests import can_be_granted, check_request
from growbin_jobs.limits.server_change import ServerChange, forgot_at

#: One row: what was decided; the rows of the limits before, as arrays in the order of their names.
#: ``held`` is materialized first, so the clock is read after the last lock was got.
_TAKE: Final = """
WITH asked AS (
    SELECT * FROM unnest(%(names)s::text[], %(costs)s::float8[]) AS a (name, cost)
), held AS MATERIALIZED (
    SELECT l.name, l.spacing, l.burst, l.tat, l.held_until, l.version, a.cost
    FROM call_limit l JOIN asked a USING (name) ORDER BY l.name FOR UPDATE OF l
), clock AS MATERIALIZED (
    SELECT count(*) AS found,
           coalesce(bool_and(cost > 0 AND cost < 'infinity' AND cost <= burst), false) AS possible,
           CASE WHEN bool_and(burst * spacing <= %(soon)s) AND NOT %(reserve)s
                THEN set_config('synchronous_commit', 'off', true) END AS disk,
           extract(epoch FROM clock_timestamp())::float8 AS now
    FROM held
), sane AS MATERIALIZED (
    SELECT h.*, c.now,
           CASE WHEN h.tat > c.now AND h.tat - c.now <= %(horizon)s + 2 * h.burst * h.spacing
                THEN h.tat ELSE c.now END AS base
    FROM held h, clock c
), starts AS MATERIALIZED (
    SELECT s.*, greatest(s.now, CASE WHEN s.held_until - s.now <= %(held)s THEN s.held_until END,
                         s.base + (s.cost - s.burst) * s.spacing) AS start FROM sane s
), latest AS MATERIALIZED (
    SELECT name, start, now, start <= now + %(patience)s AS granted,
           %(reserve)s AND start > now + %(patience)s AND start <= now + %(horizon)s AS reserved
    FROM starts ORDER BY start DESC, name COLLATE "C" LIMIT 1
), charged AS (
    UPDATE call_limit l
    SET tat = greatest(s.base, w.start) + s.cost * s.spacing, version = s.version + 1
    FROM starts s, latest w, clock c
    WHERE l.name = s.name AND c.possible AND c.found = %(count)s AND (w.granted OR (w.reserved AND s.name = w.name))
    RETURNING l.name, s.tat AS before, l.version
)
SELECT w.start, w.granted, w.name, w.now,
       (SELECT json_agg(json_build_array(h.name, h.spacing, h.burst)) FROM held h),
       (SELECT json_agg(json_build_array(g.name, g.before, g.version) ORDER BY g.name) FROM charged g),
       extract(epoch FROM pg_postmaster_start_time())::float8
FROM clock c LEFT JOIN latest w ON true
"""

_TAKE_PREPARED: Final = Prepared(
    _TAKE,
    names="text[]",
    costs="float8[]",
    count="bigint",
    patience="float8",
    reserve="boolean",
    horizon="float8",
    soon="float8",
    held="float8",
)

#: Seconds after which a limit has forgotten a grant of its whole burst: those whose limits all do so need not wait for
#: the disk. After a power cut no machine grants again before its last grants are over (they lie at most
#: :data:`growbin_jobs.limits.classes.OWED_REACH` ahead); for a crash of PostgreSQL alone see :mod:`.server_change`.
SOON: Final = 2.5

#: Names of which a process remembers how long they remember; there may be a million users.
_MOST_REMEMBERED: Final = 100_000

_COLUMNS: Final = "name, spacing, burst, tat, held_until, version"


class SqlLimits:
    """See :class:`growbin_jobs.limits.port.LimitStore`.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
      horizon: Seconds ahead that anybody may reserve.
    """

    def __init__(self, database: Database, *, horizon: float = 3600.0) -> None:
        self._database = database
        self._horizon = horizon
        self._server = ServerChange(database)
        self._soon_over: set[str] = set()
        self._postgresql = database.dialect == "postgresql"
        self._mark = "%s" if self._postgresql else "?"
        self._now = "extract(epoch FROM clock_timestamp())::float8" if self._postgresql else "unixepoch('subsec')"
        self._greatest = "greatest" if self._postgresql else "max"

    def ensure(self, limits: Iterable[Limit]) -> None:
        mark = self._mark
        sql = (
            f"INSERT INTO call_limit ({_COLUMNS}) VALUES ({mark}, {mark}, {mark}, {mark}, {mark}, 0) "  # noqa: S608
            "ON CONFLICT (name) DO UPDATE SET spacing = excluded.spacing, burst = excluded.burst"
        )
        rows = [(each.name, each.spacing, each.burst, each.tat, each.held_until) for each in _in_order(limits)]

        def work(connection: Any) -> None:
            for row in rows:
                connection.execute_sql(sql, row)

        self._database.transaction(work)

    def take(self, costs: Mapping[str, float], *, patience: float = 0.0, reserve: bool = False) -> Answer:
        if self._postgresql:
            limits, answer = self._taken_from_one_server(costs, patience, reserve)
        else:
            limits, answer = self._taken_from_one_file(costs, patience, reserve)
        check_request(limits, costs)  # out here: inside, the database would take it for a fault of its own
        assert answer is not None
        return answer

    def give_back(self, charges: Iterable[Charge]) -> bool:
        mark = self._mark
        sql = (
            f"UPDATE call_limit SET tat = {mark}, version = version + 1 "  # noqa: S608
            f"WHERE name = {mark} AND version = {mark}"
        )
        rows = [(each.before, each.name, each.version) for each in sorted(charges)]

        def work(connection: Any) -> list[int]:
            return [_changes(connection, connection.execute_sql(sql, row)) for row in rows]

        # Where it is undone by a power cut, the grant counts for a while although nobody used it.
        return all(self._database.transaction(work, durable=False))

    def hold(self, name: str, seconds: float) -> float:
        mark, now = self._mark, self._now
        sql = (
            f"UPDATE call_limit SET held_until = {self._greatest}(held_until, {now} + {mark}) "  # noqa: S608
            f"WHERE name = {mark} RETURNING held_until - {now}"
        )
        rows = self._rows(sql, (seconds, name))
        if not rows:
            raise ConfigurationError(f"There is no limit {name}. Make it first (LimitStore.ensure).")
        return float(rows[0][0])

    def find(self, names: Iterable[str]) -> list[Limit]:
        asked = sorted(set(names))
        if not asked:
            return []
        marks = ", ".join(self._mark for _ in asked)
        sql = f"SELECT {_COLUMNS} FROM call_limit WHERE name IN ({marks})"  # noqa: S608
        return _in_order(Limit(*row) for row in self._rows(sql, tuple(asked)))

    def limits(self) -> list[Limit]:
        sql = f"SELECT {_COLUMNS} FROM call_limit"  # noqa: S608
        return _in_order(Limit(*row) for row in self._rows(sql, ()))

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        def work(connection: Any) -> list[Any]:
            return list(connection.execute_sql(sql, values).fetchall())

        return self._database.run(work)

    def _taken_from_one_server(
        self, costs: Mapping[str, float], patience: float, reserve: bool
    ) -> tuple[list[Limit], Answer | None]:
        def ask() -> tuple[list[Limit], Answer | None, float]:
            return self._database.run(lambda one: self._take_at_once(one, costs, patience, reserve))

        limits, answer, since = ask()
        if self._server.noticed(since):  # it may lack grants: what it has said does not count
            if answer is not None:
                self.give_back(answer.charges)
            limits, answer, _ = ask()
        return limits, answer

    def _taken_from_one_file(
        self, costs: Mapping[str, float], patience: float, reserve: bool
    ) -> tuple[list[Limit], Answer | None]:
        soon_over = not reserve and self._soon_over.issuperset(costs)
        taken = self._database.transaction(
            lambda one: self._take_locked(one, costs, patience, reserve), durable=not soon_over
        )
        if len(self._soon_over) > _MOST_REMEMBERED:
            self._soon_over.clear()
        for limit in taken[0]:
            (self._soon_over.add if limit.burst * limit.spacing <= SOON else self._soon_over.discard)(limit.name)
        return taken

    def _take_at_once(
        self, connection: Any, costs: Mapping[str, float], patience: float, reserve: bool
    ) -> tuple[list[Limit], Answer | None, float]:
        names = sorted(costs)
        values = {
            "names": names,
            "costs": [costs[name] for name in names],
            "count": len(names),
            "patience": patience,
            "reserve": reserve,
            "horizon": self._horizon,
            "soon": SOON,
            "held": LONGEST_HOLD,
        }
        [(start, granted, name, now, found, charges, started)] = _TAKE_PREPARED.rows(connection, values)
        since = started + forgot_at(connection)
        limits = _in_order(Limit(*each) for each in found or ())
        if not can_be_granted(limits, costs):
            return limits, None, since
        charged = tuple(Charge(*each) for each in charges or ())
        return limits, Answer(Decision(start, granted, name, now), charged), since

    def _take_locked(
        self, connection: Any, costs: Mapping[str, float], patience: float, reserve: bool
    ) -> tuple[list[Limit], Answer | None]:
        names = sorted(costs)
        marks = ", ".join("?" for _ in names)
        sql = f"SELECT {self._now}, {_COLUMNS} FROM call_limit WHERE name IN ({marks}) ORDER BY name"  # noqa: S608
        rows = connection.execute_sql(sql, names).fetchall()
        limits = [Limit(*row[1:]) for row in rows]
        if not can_be_granted(limits, costs):
            return limits, None
        decision, changed = decide(limits, costs, rows[0][0], patience=patience, reserve=reserve, horizon=self._horizon)
        before = {limit.name: limit.tat for limit in limits}
        for limit in changed:
            values = (limit.tat, limit.version, limit.name)
            connection.execute_sql("UPDATE call_limit SET tat = ?, version = ? WHERE name = ?", values)
        return limits, Answer(decision, tuple(Charge(each.name, before[each.name], each.version) for each in changed))


def _in_order(limits: Iterable[Limit]) -> list[Limit]:
    return sorted(limits, key=lambda limit: limit.name)


def _changes(connection: Any, cursor: Any) -> int:
    return int(connection.rows_affected(cursor))
