"""What is held about one user, table by table, with the objects; and handing all of it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from growbin_jobs.adapters.objects import Listed, ObjectStore
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.erasing import CentralMessages
from growbin_jobs.errors import NotFound
from growbin_jobs.limits.subjects import SubjectUsage
from growbin_jobs.messages import owner_of
from growbin_jobs.models.analysis_subject import SubjectAnalyses
from growbin_jobs.models.audit import Audit
from growbin_jobs.models.batch_subject import SubjectBatches
from growbin_jobs.models.erasure_refs import Refs, ref_hash
from growbin_jobs.names import SPOOL_PREFIX
from growbin_jobs.operations.json_ready import as_json
from growbin_jobs.operations.readable_json import strict
from growbin_jobs.platform.retention.archive_subjects import ArchiveSubjects
from growbin_jobs.platform.tables.archives import Archives
from growbin_jobs.platform.tables.subjects import SubjectFacts

#: Rows of the audit that are handed out at most.
_MOST_AUDIT: Final = 100_000

_FOREVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was handed out: rows by table, and bytes of pictures."""

    rows: dict[str, int]
    pictures: int
    size: int


@dataclass(frozen=True, slots=True)
class Held:
    """How many things are held, and their bytes: of rows as JSON, as they are handed out."""

    number: int = 0
    size: int = 0

    def plus(self, size: int) -> Held:
        """Return this with one thing more."""
        return Held(self.number + 1, self.size + size)


class Person:
    """Everything about one user.

    Parameters:
      database: The central one.
      objects: With pictures and archives.
      user_id: Whose.

    Every method raises Deferred when the database or the object store is away.
    """

    def __init__(self, database: Database, objects: ObjectStore, user_id: str) -> None:
        self.user_id = user_id
        self.facts, self.usage = SubjectFacts(database), SubjectUsage(database)
        self.analyses, self.messages = SubjectAnalyses(database), CentralMessages(database)
        self.batches = SubjectBatches(database)
        self._database, self._objects = database, objects

    def archives(self, leave: Callable[[Any, str], object] = lambda _connection, _key: None) -> ArchiveSubjects:
        """Return the archives; see there."""
        return ArchiveSubjects(self._objects, Archives(self._database), leave)

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield table and row of everything in the central database and in archives."""
        yield from (("waste_analysis", row) for row in self.analyses.rows(self.user_id))
        yield from self.facts.rows(self.user_id)
        yield from self.usage.rows(self.user_id)
        yield from self.batches.rows(self.user_id)
        yield from self._messages()
        for found in self.archives().find(self.user_id):
            yield from ((f"archived {found.source}", row) for row in found.rows)
        for record in Audit(self._database).find(whose=self.user_id, limit=_MOST_AUDIT):
            yield "audit", {"at": record.at, "who": record.who, "action": record.action, "target": record.target}

    def pictures(self, refs: Refs | None = None) -> Iterator[Listed]:
        """Yield all pictures, those that wait in the spool too.

        Parameters:
          refs: What the user's analyses are known by; None: those that the database names.
        """
        known = refs or self.refs()
        yield from list(self._objects.list(f"uploads/{self.user_id}/"))
        for each in list(self._objects.list(SPOOL_PREFIX)):
            if known.cover(None, each.key.removeprefix(SPOOL_PREFIX), _FOREVER):
                yield each

    def show(self) -> dict[str, Held]:
        """Return how much each table holds about the user, and how many pictures there are."""
        held: dict[str, Held] = {}
        for table, row in self.rows():
            size = len(strict(as_json(row)).encode("utf-8", "replace"))
            held[table] = held.get(table, Held()).plus(size)
        pictures = Held()
        for each in self.pictures():
            pictures = pictures.plus(each.size)
        return dict(sorted(held.items())) | ({"pictures": pictures} if pictures.number else {})

    def export(self, row: Callable[[str, dict[str, Any]], object], picture: Callable[[str, bytes], object]) -> Exported:
        """Hand everything out.

        Parameters:
          row: Gets table and row, one after the other.
          picture: Gets key and bytes.
        """
        counts: Counter[str] = Counter()
        for table, values in self.rows():
            row(table, values)
            counts[table] += 1
        pictures = size = 0
        for each in self.pictures():
            try:
                data = self._objects.get(each.key)
            except NotFound:  # stored meanwhile: the spool is emptied then
                continue
            picture(each.key, data)
            pictures, size = pictures + 1, size + len(data)
        return Exported(dict(sorted(counts.items())), pictures, size)

    def refs(self) -> Refs:
        """Return what the user's messages are known by."""
        hashes = [ref_hash("analysis", each) for each in self.analyses.ids(self.user_id)]
        return Refs(dict.fromkeys([ref_hash("user", self.user_id), *hashes], _FOREVER))

    def analyses_of_messages(self) -> set[str]:
        """Return the analyses that the user's messages name: one may have no row yet."""
        found = set()
        for _, _, body, _ in self.messages.bodies():
            user, analysis = owner_of(body)
            if user == self.user_id and analysis is not None:
                found.add(analysis)
        return found

    def _messages(self) -> Iterator[tuple[str, dict[str, Any]]]:
        belong = partial(Refs.belong, self.refs())
        for table, task_id, body, status in self.messages.bodies():
            if belong(body):
                text = body if isinstance(body, str) else body.decode("utf-8", "replace")
                yield table, {"task_id": task_id, "status": status, "message": text}
