"""The table ``audit``: who did or saw what, as a chain in which a changed or missing row shows.

Each row holds the SHA-256 of the one before and its own. ``audit_chain`` says where the chain begins and ends, so that
rows missing at an end show too. Whoever may write to the database can write a whole new chain: who wants to find that
keeps the head that :func:`growbin_jobs.models.audit_check.verify_chain` returns somewhere else, and gives it to a later
check.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.errors import ConfigurationError

_COLUMNS: Final = "number, at, who, role, address, action, target, whose, reason, details, before, hash"
_ENDS: Final = "SELECT first, first_before, last, last_hash FROM audit_chain WHERE id = 1"
_BEGIN: Final = (
    "INSERT INTO audit_chain (id, first, first_before, last, last_hash) VALUES (1, 1, '', 0, '') "
    "ON CONFLICT (id) DO NOTHING"
)
_LOCKED_ENDS: Final = f"{_ENDS} $lock"
#: The action of the row that says that older rows were deleted.
PRUNED: Final = "audit.pruned"

#: The least time that rows are kept: 개인정보의 안전성 확보조치 기준 제8조 asks for two years from 50,000 persons on.
LEAST_KEPT: Final = timedelta(days=730)

#: Longest text of one column, in characters.
_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What somebody did or saw.

    Attributes:
      who: Name of the person, token or account.
      role: What they were then, such as ``operator+personal``.
      address: From where.
      action: What, as a word of the table of permissions, or ``session.begun`` and the like.
      target: With which thing, such as an analysis's id.
      whose: Whose personal data it is; empty where it is nobody's.
      reason: Why, in their own words.
      details: More, ready for JSON.
    """

    who: str
    action: str
    role: str = ""
    address: str = ""
    target: str = ""
    whose: str = ""
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """A row of the chain, as it is stored; ``at`` is ISO 8601 in UTC, ``details`` JSON."""

    number: int
    at: str
    who: str
    role: str
    address: str
    action: str
    target: str
    whose: str
    reason: str
    details: str
    before: str
    hash: str

    def expected_hash(self) -> str:
        """Return the hash that the row must have."""
        return _hash(self.number, self.at, self.who, self.role, self.address, self.action, self.target, self.whose,
                     self.reason, self.details, self.before)  # fmt: skip


class Audit:
    """The only writer of ``audit``.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def append(self, entry: AuditEntry) -> AuditRecord:
        """Add a row behind the last one, under a lock of the chain.

        Call it before what it records: what cannot be recorded must not happen.
        """
        return self._database.transaction(lambda connection: self._append(connection, entry))

    def after(self, number: int, *, limit: int, until: int | None = None) -> list[AuditRecord]:
        """Return rows behind a number, in their order."""
        condition = "number > ?" + (" AND number <= ?" if until is not None else "")
        values = (number, until) if until is not None else (number,)
        return self._rows(f"WHERE {condition} ORDER BY number LIMIT {int(limit)}", *values)

    def ends(self) -> tuple[int, str, int, str]:
        """Return the number of the first row, the hash before it, the number of the last row and its hash."""
        return self._database.run(self._ends)

    def has_more_than(self, last: int) -> bool:
        """Return whether there are rows that do not belong to a chain which ended at a row, or goes on by now."""

        # The end is read again with the rows: somebody may have added one meanwhile.
        def work(connection: Any) -> bool:
            now = self._ends(connection, lock=True)[2]
            return bool(self._sql.rows(connection, "SELECT 1 FROM audit WHERE number > ? LIMIT 1", max(now, last)))

        return self._database.transaction(work)

    def find(
        self,
        *,
        before: int | None = None,
        who: str | None = None,
        whose: str | None = None,
        action: str | None = None,
        target: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> list[AuditRecord]:
        """Return the newest rows that fit, the newest first.

        Parameters:
          before: Only rows with a smaller number: the next page.
          who, whose, action, target: Exactly these.
          since, until: Aware times; the end does not belong to it.
          limit: Most rows.
        """
        conditions: list[tuple[str, Any]] = [
            ("number < ?", before), ("who = ?", who), ("whose = ?", whose), ("action = ?", action),
            ("target = ?", target), ("at >= ?", since and _iso(since)), ("at < ?", until and _iso(until)),
        ]  # fmt: skip
        chosen = [(condition, value) for condition, value in conditions if value is not None]
        where = "WHERE " + " AND ".join(condition for condition, _ in chosen) if chosen else ""
        return self._rows(f"{where} ORDER BY number DESC LIMIT {int(limit)}", *(value for _, value in chosen))

    def prune(self, older_than: datetime) -> int:
        """Delete the oldest rows and write down that it was done; return how many.

        Parameters:
          older_than: Aware; at least :data:`LEAST_KEPT` ago.

        Raises:
          ConfigurationError: It is later than that.
        """
        if older_than > datetime.now(UTC) - LEAST_KEPT:
            raise ConfigurationError(f"Rows of the audit are kept for at least {LEAST_KEPT.days} days.")

        def work(connection: Any) -> int:
            first, _, last, _ = self._ends(connection, lock=True)
            kept = self._sql.rows(connection, "SELECT min(number) FROM audit WHERE at >= ?", _iso(older_than))[0][0]
            begin = kept if kept is not None else last
            if begin <= first:
                return 0
            cut = self._sql.rows(connection, "SELECT before FROM audit WHERE number = ?", begin)
            self._sql.run(connection, "DELETE FROM audit WHERE number < ?", begin)
            self._sql.run(
                connection, "UPDATE audit_chain SET first = ?, first_before = ? WHERE id = 1", begin, cut[0][0]
            )
            self._append(connection, AuditEntry(who="keeper", action=PRUNED, target=str(begin)))
            return int(begin - first)

        return self._database.transaction(work)

    def _append(self, connection: Any, entry: AuditEntry) -> AuditRecord:
        _, _, last, last_hash = self._ends(connection, lock=True)
        texts = [entry.who, entry.role, entry.address, entry.action, entry.target, entry.whose, entry.reason]
        details = json.dumps(dict(entry.details), ensure_ascii=True, sort_keys=True, default=str)
        values = (last + 1, _iso(datetime.now(UTC)), *(storable(text)[:_LONGEST] for text in texts), details, last_hash)
        row = (*values, _hash(*values))
        self._sql.run(connection, f"INSERT INTO audit ({_COLUMNS}) VALUES ({', '.join('?' * 12)})", *row)  # noqa: S608
        self._sql.run(connection, "UPDATE audit_chain SET last = ?, last_hash = ? WHERE id = 1", row[0], row[-1])
        return _record(row)

    def _ends(self, connection: Any, *, lock: bool = False) -> tuple[int, str, int, str]:
        if lock:
            self._sql.run(connection, _BEGIN)
        ends = self._sql.rows(connection, _LOCKED_ENDS if lock else _ENDS)
        first, first_before, last, last_hash = ends[0] if ends else (1, "", 0, "")
        return first, first_before, last, last_hash

    def _rows(self, rest: str, *values: Any) -> list[AuditRecord]:
        sql = f"SELECT {_COLUMNS} FROM audit {rest}"  # noqa: S608 the rest is ours, values are marked
        return [_record(row) for row in self._database.run(lambda one: self._sql.rows(one, sql, *values))]


def _record(row: Iterable[Any]) -> AuditRecord:
    return AuditRecord(**dict(zip(_COLUMNS.split(", "), row, strict=True)))


def _hash(*values: Any) -> str:
    return hashlib.sha256(json.dumps(values, ensure_ascii=True).encode()).hexdigest()


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
