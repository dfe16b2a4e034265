"""The books of the budgets on PostgreSQL: each change is one statement, so a busy row is locked for one round trip.

All statements lock in one order: reservations first, then the totals by day and name.
"""

from collections.abc import Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.prepared import Prepared
from growbin_jobs.limits.bookkeeping import NEARLY, SPENT
from growbin_jobs.limits.budget_books import (
    EACH_USER,
    EXPIRED_AT_ONCE,
    LONGEST_LEASE,
    Answer,
    Asked,
    Clock,
    End,
    Judged,
)
from growbin_jobs.limits.budget_cover import Covers

#: The day of the budgets; see :func:`growbin_jobs.limits.bookkeeping.day_of`.
_DAY: Final = """
asked AS MATERIALIZED (
    SELECT a.name,
           CASE WHEN own.name IS NOT NULL THEN own.cap
                WHEN a.is_users AND common.name IS NOT NULL THEN common.cap
                ELSE a.cap END AS cap
    FROM unnest(%(names)s::text[], %(caps)s::bigint[], %(users)s::boolean[]) AS a (name, cap, is_users)
    LEFT JOIN budget own ON own.name = a.name LEFT JOIN budget common ON common.name = %(each_user)s
), clock AS MATERIALIZED (
    SELECT coalesce(%(now)s::float8, extract(epoch FROM clock_timestamp())::float8) AS now
), today AS MATERIALIZED (
    SELECT now, (to_timestamp(now) AT TIME ZONE %(zone)s)::date AS local FROM clock
), day AS MATERIALIZED (
    SELECT t.now, CASE WHEN l.latest = to_char(t.local + 1, 'YYYY-MM-DD') THEN l.latest
                       ELSE to_char(t.local, 'YYYY-MM-DD') END AS day
    FROM today t, (SELECT max(d.day) AS latest FROM budget_day d JOIN asked USING (name)) l
)"""

#: One row: the clock, the day, and the budgets. Where one has no totals yet, has to be accounted for, or is not
#: covered, nothing is reserved. It does not wait for the disk; a cover that is seen is on the disk.
_RESERVE: Final = f"""
WITH {_DAY}, held AS MATERIALIZED (
    SELECT d.name, d.day, d.reserved, d.released, d.told, a.cap, c.covered, c.server <> %(start)s AS forgotten
    FROM budget_day d JOIN asked a USING (name) JOIN day USING (day) LEFT JOIN budget_cover c USING (name, day)
    ORDER BY d.day, d.name FOR UPDATE OF d
), judged AS MATERIALIZED (
    SELECT name, day, cap, told, reserved - released AS spent, covered, coalesce(forgotten, false) AS forgotten,
           cap IS NULL OR reserved - released + %(amount)s <= cap AS has_room,
           CASE WHEN reserved - released + %(amount)s > cap THEN {SPENT}
                WHEN (reserved - released + %(amount)s) * 100::numeric >= cap * {NEARLY}::numeric THEN {NEARLY}
                ELSE 0 END AS percent
    FROM held
), verdict AS MATERIALIZED (
    SELECT count(*) = %(count)s AS found, coalesce(bool_and(has_room), false) AS granted,
           NOT coalesce(bool_or(forgotten), false) AND coalesce(
               NOT bool_and(has_room) OR bool_and(cap IS NULL OR coalesce(spent + %(amount)s <= covered, false)), false
           ) AS ready,
           set_config('synchronous_commit', 'off', true) AS disk
    FROM judged
), booked AS (
    UPDATE budget_day d
    SET cap = j.cap,
        reserved = d.reserved + CASE WHEN v.granted THEN %(amount)s ELSE 0 END,
        told = CASE WHEN v.granted OR NOT j.has_room THEN greatest(d.told, j.percent) ELSE d.told END
    FROM judged j, verdict v WHERE v.found AND v.ready AND d.name = j.name AND d.day = j.day
), entered AS (
    INSERT INTO budget_entry (id, name, day, state, amount, settled, expires_at)
    SELECT %(reservation)s, j.name, j.day, 'open', %(amount)s, 0, day.now + %(lease)s
    FROM judged j, verdict v, day WHERE v.found AND v.ready AND v.granted
)
SELECT day.now, day.day, v.found, v.disk,
       (SELECT json_agg(json_build_array(name, cap, spent, has_room, CASE WHEN percent > told THEN percent END, covered)
                        ORDER BY name COLLATE "C") FROM judged),
       (SELECT json_agg(name) FROM judged WHERE forgotten)
FROM day, verdict v
"""  # noqa: S608 - our own words

#: Makes the totals of the day; each budget's first reservation of a day needs it.
_OPEN_DAY: Final = f"""
WITH disk AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)), {_DAY}
INSERT INTO budget_day (name, day, cap, reserved, settled, released, unknown, told)
SELECT a.name, day.day, a.cap, 0, 0, 0, 0, 0 FROM asked a, day, disk ORDER BY a.name
ON CONFLICT (name, day) DO NOTHING
RETURNING name
"""  # noqa: S608 - our own words

#: Ends what is found; see :func:`growbin_jobs.limits.bookkeeping.ended` and :attr:`Entry.totals`. One row: how many.
#: It does not wait for the disk: what a crash undoes is a reservation that is open again, and unknown in the end.
_END: Final = """
WITH disk AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)), found AS MATERIALIZED (
    SELECT id, name, day, amount, state FROM budget_entry WHERE {which}
), changing AS MATERIALIZED (
    SELECT * FROM found WHERE state = 'open' OR (state = 'unknown' AND %(end)s = 'settled')
), entries AS (
    UPDATE budget_entry e
    SET state = %(end)s, settled = %(cost)s, usage_id = coalesce(%(usage_id)s, e.usage_id)
    FROM changing c WHERE e.id = c.id AND e.name = c.name
), sums AS MATERIALIZED (
    SELECT name, day, count(*) AS entries,
           sum(greatest(amount, %(cost)s) - amount)::bigint AS reserved,
           sum(%(cost)s::bigint)::bigint AS settled,
           sum(CASE %(end)s WHEN 'settled' THEN greatest(amount, %(cost)s) - %(cost)s
                            WHEN 'released' THEN amount ELSE 0 END)::bigint AS released,
           sum(CASE WHEN %(end)s = 'unknown' THEN amount ELSE 0 END
               - CASE WHEN state = 'unknown' THEN amount ELSE 0 END)::bigint AS unknown
    FROM changing GROUP BY name, day
), held AS MATERIALIZED (
    SELECT d.name, d.day FROM budget_day d JOIN sums USING (name, day) ORDER BY d.day, d.name FOR UPDATE OF d
), totals AS (
    UPDATE budget_day d
    SET reserved = d.reserved + s.reserved, settled = d.settled + s.settled,
        released = d.released + s.released, unknown = d.unknown + s.unknown
    FROM sums s JOIN held h USING (name, day) WHERE d.name = s.name AND d.day = s.day
)
SELECT coalesce(sum(entries), 0)::bigint, (SELECT count(*) FROM disk) FROM sums
"""

_TYPES: Final = {
    "names": "text[]", "caps": "bigint[]", "users": "boolean[]", "each_user": "text", "count": "bigint",
    "now": "float8", "zone": "text", "reservation": "text", "amount": "bigint", "lease": "float8", "start": "text",
    "end": "text", "cost": "bigint",
    "usage_id": "text",
}  # fmt: skip

_RESERVE_PREPARED: Final = Prepared(_RESERVE, **_TYPES)
_ONE: Final = Prepared(_END.format(which="id = %(reservation)s ORDER BY name FOR UPDATE"), **_TYPES)
_EXPIRED: Final = _END.format(
    which="state = 'open' AND (expires_at < coalesce(%(now)s::float8, extract(epoch FROM clock_timestamp())::float8)"
    " OR expires_at > coalesce(%(now)s::float8, extract(epoch FROM clock_timestamp())::float8) + %(longest)s)"
    " ORDER BY day, name LIMIT %(most)s FOR UPDATE SKIP LOCKED"
)


class StatementBooks:
    """See :class:`growbin_jobs.limits.budget_books.Books`.

    Parameters:
      database: The central one, PostgreSQL.
      zone: Whose days they are; the server must know it too.
      clock: None: the database's.
      covers: Of the budgets.
    """

    def __init__(self, database: Database, zone: ZoneInfo, clock: Clock, covers: Covers) -> None:
        self._database = database
        self._covers = covers
        self._zone = zone.key
        self._clock = clock

    def reserve(self, reservation: str, asked: Sequence[Asked], amount: int, lease: float) -> Answer:
        while True:
            values = {
                "names": [one.name for one in asked],
                "caps": [one.cap for one in asked],
                "users": [one.is_users for one in asked],
                "each_user": EACH_USER,
                "count": len(asked),
                "now": self._now(),
                "zone": self._zone,
                "reservation": reservation,
                "amount": amount,
                "lease": lease,
            }
            [(now, day, found, _, budgets, forgotten)] = self._database.run(
                lambda one, values=values: _RESERVE_PREPARED.rows(  # type: ignore[misc]
                    one, values | {"start": self._covers.start(one)}
                )
            )
            if found:
                return Answer(now, day, [Judged(*one) for one in budgets], forgotten or ())
            self._rows(_OPEN_DAY, values)

    def end(self, reservation: str, end: End, cost: int, usage_id: str | None) -> None:
        self._prepared(_ONE, {"reservation": reservation, "end": end, "cost": cost, "usage_id": usage_id})

    def expire(self) -> int:
        values = {
            "now": self._now(), "most": EXPIRED_AT_ONCE, "longest": LONGEST_LEASE, "end": "unknown", "cost": 0,
            "usage_id": None,
        }  # fmt: skip
        [(entries, _)] = self._rows(_EXPIRED, values)
        return int(entries)

    def _now(self) -> float | None:
        return self._clock() if self._clock is not None else None

    def _prepared(self, statement: Prepared, values: dict[str, Any]) -> list[Any]:
        return self._database.run(lambda connection: statement.rows(connection, values))

    def _rows(self, sql: str, values: dict[str, Any]) -> list[Any]:
        def work(connection: Any) -> list[Any]:
            return list(connection.execute_sql(sql, values).fetchall())

        return self._database.run(work)
