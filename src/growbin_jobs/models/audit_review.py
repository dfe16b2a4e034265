"""The review of a month of the audit: who came, as what, from where, and whose data they saw.

개인정보의 안전성 확보조치 기준 제8조 asks that access records are looked over once a month; this is what to look over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.models.audit import Audit, AuditRecord
from growbin_jobs.models.audit_check import verify_chain

#: An address from which somebody has not come for so long is new.
KNOWN_FOR: Final = timedelta(days=90)

#: Rows of each list at most.
MOST: Final = 200

#: Actions that show personal data, and of these the ones that take it away.
_SEEN: Final = ("photo.seen", "analysis.seen", "task.text_seen", "tasks.exported")

_BY_PERSON: Final = """SELECT who, role, action, count(*), count(DISTINCT CASE WHEN whose <> '' THEN whose END),
    min(at), max(at) FROM audit WHERE at >= ? AND at < ? GROUP BY who, role, action ORDER BY who, role, action"""
_ADDRESSES: Final = """SELECT who, address, count(*), min(at) FROM audit WHERE at >= ? AND at < ? AND who <> ''
    AND address <> '' AND NOT EXISTS (SELECT 1 FROM audit older WHERE older.who = audit.who
    AND older.address = audit.address AND older.at >= ? AND older.at < ?)
    GROUP BY who, address ORDER BY count(*) DESC, who, address LIMIT ?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonReview:
    """What one person, token or account did in the month.

    Attributes:
      who: Name; empty: nobody that was known, such as refused sign-ins.
      roles: As what; several: the role has changed.
      rows: Of the audit.
      looks: Rows that show personal data, and ``people`` whose.
      first_at, last_at: ISO 8601, UTC.
      actions: How often what.
    """

    who: str
    roles: list[str]
    rows: int
    looks: int
    people: int
    first_at: str
    last_at: str
    actions: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAddress:
    """An address from which somebody came for the first time in 90 days."""

    who: str
    address: str
    rows: int
    first_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReview:
    """A month.

    Attributes:
      month: ``2026-11``, of ``zone``.
      complete: The month is over.
      rows: Of the audit in it.
      chain: What is wrong with the chain; None: nothing.
      head: The chain's last row, to keep elsewhere.
      people: Those with most looks first.
      refused: Sign-ins that were refused or failed.
      new_addresses: First those that were used most.
      taken: Rows of exports and of photos in full, with their reasons; the newest first, 200 at most.
      access: Rows about tokens and about sessions that others ended; the newest first, 200 at most.
    """

    month: str
    zone: str
    complete: bool
    rows: int
    chain: str | None
    head: str
    people: list[PersonReview]
    refused: int
    new_addresses: list[NewAddress]
    taken: list[AuditRecord]
    access: list[AuditRecord]


def review(database: Database, month: str, zone: ZoneInfo, *, now: datetime | None = None) -> AuditReview:
    """Return the review of a month; the whole chain is verified for it.

    Parameters:
      database: The central one.
      month: ``2026-11``.
      zone: Of the month.
      now: Aware; None: now.

    Raises:
      ConfigurationError: That is no month, or one to come.
      Deferred: The database is away.
    """
    since, until = _span(month, zone)
    now = now or datetime.now(UTC)
    if since > now:
        raise ConfigurationError("That month is to come.")
    sql, audit = SqlWords(database.dialect), Audit(database)
    begin, end, old = (_iso(each) for each in (since, until, since - KNOWN_FOR))
    rows = database.run(lambda one: sql.rows(one, _BY_PERSON, begin, end))
    addresses = database.run(lambda one: sql.rows(one, _ADDRESSES, begin, end, old, begin, MOST))
    verdict = verify_chain(audit)

    def those(*actions: str) -> list[AuditRecord]:
        found = [row for each in actions for row in audit.find(action=each, since=since, until=until, limit=MOST)]
        return sorted(found, key=lambda row: -row.number)[:MOST]

    return AuditReview(
        month=month,
        zone=zone.key,
        complete=until <= now,
        rows=sum(int(row[3]) for row in rows),
        chain=verdict.wrong,
        head=verdict.head,
        people=_people(rows),
        refused=sum(int(row[3]) for row in rows if row[2] in ("sign_in.failed", "sign_in.refused")),
        new_addresses=[NewAddress(who=w, address=a, rows=int(n), first_at=at) for w, a, n, at in addresses],
        taken=those("tasks.exported", "photo.opened"),
        access=those("token.created", "token.revoked", "session.ended_by_admin"),
    )


def _people(rows: list[Any]) -> list[PersonReview]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    people = [
        PersonReview(
            who=who,
            roles=sorted({row[1] for row in its if row[1]}),
            rows=sum(int(row[3]) for row in its),
            looks=sum(int(row[3]) for row in its if row[2] in (*_SEEN, "photo.opened")),
            people=max((int(row[4]) for row in its), default=0),
            first_at=min(row[5] for row in its),
            last_at=max(row[6] for row in its),
            actions=_sums(its),
        )
        for who, its in found.items()
    ]
    return sorted(people, key=lambda each: (-each.looks, -each.rows, each.who))


def _sums(rows: list[Any]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in rows:
        sums[row[2]] = sums.get(row[2], 0) + int(row[3])
    return sums


def _span(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    except ValueError:
        first = datetime(1, 1, 1, tzinfo=UTC)
    if not 2000 <= first.year <= 9000:
        raise ConfigurationError("A month is written 2026-11.")
    following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return first.astimezone(UTC), following.astimezone(UTC)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
