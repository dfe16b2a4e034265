"""What was erased about people: who asked, when, how much, and what waits. It holds hashes, and no person's id.

The hashes of a user and of the user's analyses stay for :data:`KEEP_REFS`, so that rows which come late from a node
that was away are known for what they are. Of a user who comes back under the same id only messages belong to the
erasure that were made before it.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.models.erasure_refs import Refs, ref_hash
from growbin_jobs.models.erasure_rows import (
    ErasureCountRow,
    ErasureNodeRow,
    ErasureObjectRow,
    ErasureRefRow,
    ErasureRow,
    add_refs,
)

#: How long hashes are kept: longer than a message, a dead letter or a node's absence lasts.
KEEP_REFS: Final = timedelta(days=400)

#: A journal that was found empty is looked through again after so long, for messages that came late.
LOOK_AGAIN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The record of one erasure. Times are aware, in UTC.

    Attributes:
      subject_hash: Of the user's id (:func:`~growbin_jobs.models.erasure_refs.ref_hash`).
      pseudonym: See the table; None once it is done.
      done_at: When nothing was left; None: not yet.
      erased: Rows and objects that were deleted or made anonymous, by table.
      nodes: Whose journals were found empty.
    """

    id: str
    subject_hash: str
    asked_at: datetime
    asked_by: str
    reason: str
    pseudonym: str | None
    done_at: datetime | None
    erased: Mapping[str, int]
    nodes: Sequence[str]


class Erasures:
    """Records of erasures.

    Parameters:
      database: The central one; every method raises Deferred when it is away.
      clock: Returns the time, aware.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    def begin(self, user_id: str, *, by: str, reason: str) -> Erasure:
        """Return the erasure of a user that is not done, which is gone on with; or begin one."""
        subject = ref_hash("user", user_id)

        def work(connection: Any) -> str:
            query = ErasureRow.select().where((ErasureRow.subject_hash == subject) & ErasureRow.done_at.is_null())
            for row in query.order_by(ErasureRow.asked_at).limit(1).dicts().execute(connection):
                return str(row["id"])
            values: dict[str, Any] = {
                "id": uuid.uuid4().hex, "subject_hash": subject, "asked_at": self._clock(), "asked_by": by,
                "reason": reason, "pseudonym": f"erased-{uuid.uuid4().hex}",
            }  # fmt: skip
            ErasureRow.insert(values).execute(connection)
            add_refs(connection, values["id"], [subject])
            return str(values["id"])

        found = self.get(self._database.transaction(work))
        assert found is not None
        return found

    def get(self, erasure_id: str) -> Erasure | None:
        """Return one record, or None."""
        return next(iter(self._read(ErasureRow.id == erasure_id)), None)

    def of_user(self, user_id: str) -> list[Erasure]:
        """Return the records about a user, the newest first."""
        return self._read(ErasureRow.subject_hash == ref_hash("user", user_id))

    def all(self) -> list[Erasure]:
        """Return all records, the newest first."""
        return self._read(ErasureRow.id.is_null(False))

    def refs(self, erasure_ids: Sequence[str]) -> Refs:
        """Return the hashes of some erasures."""
        ref, row = ErasureRefRow, ErasureRow
        query = ref.select(ref.hash, row.asked_at).join(row, on=(row.id == ref.erasure_id))
        query = query.where(ref.erasure_id.in_(list(erasure_ids))).order_by(row.asked_at)
        return Refs({each["hash"]: each["asked_at"] for each in self._database.rows(query)})

    def add_analyses(self, erasure_id: str, analysis_ids: Iterable[str]) -> int:
        """Add analyses that are the user's; return how many there are now."""
        hashes = [ref_hash("analysis", each) for each in analysis_ids]
        self._database.transaction(lambda connection: add_refs(connection, erasure_id, hashes))
        return self._count(erasure_id)

    def due_for(self, node: str) -> dict[str, int]:
        """Return the erasures that a node's journal has to be looked through for, with the number of their hashes."""
        now, here = self._clock(), ErasureNodeRow
        rows = self._database.rows(here.select().where(here.node == node))
        done = {row["erasure_id"]: row for row in rows}
        young = ErasureRow.select(ErasureRow.id, ErasureRow.asked_at).where(ErasureRow.asked_at > now - KEEP_REFS)
        due = {}
        for row in self._database.rows(young):
            count, mine = self._count(row["id"]), done.get(row["id"])
            # One that was looked at in the future was so by a clock that has been set back since.
            if mine is None or mine["refs"] < count or not now - LOOK_AGAIN <= mine["at"] <= now:
                due[row["id"]] = count
        return due

    def found_empty(self, node: str, erasures: Mapping[str, int]) -> None:
        """Note that nothing of some erasures is left in a node's journal."""
        row, new = ErasureNodeRow, peewee.EXCLUDED

        def work(connection: Any) -> None:
            for erasure_id, refs in erasures.items():
                values = {"erasure_id": erasure_id, "node": node, "refs": refs, "at": self._clock()}
                update = {row.refs: new.refs, row.at: new.at}
                row.insert(values).on_conflict(
                    conflict_target=[row.erasure_id, row.node], update=update
                ).execute(connection)  # fmt: skip

        self._database.transaction(work)

    def nodes_left(self, erasure_id: str, nodes: Iterable[str]) -> list[str]:
        """Return those of some nodes whose journals were not found empty of all hashes of an erasure."""
        row, count = ErasureNodeRow, self._count(erasure_id)
        query = row.select(row.node).where((row.erasure_id == erasure_id) & (row.refs >= count))
        return sorted(set(nodes) - {each["node"] for each in self._database.rows(query)})

    def finish(self, erasure_id: str) -> None:
        """Note that nothing is left; the pseudonym is forgotten, and nobody can tell any more who it was."""
        row = ErasureRow
        query = row.update(done_at=self._clock(), pseudonym=None).where((row.id == erasure_id) & row.done_at.is_null())
        self._database.run(lambda connection: query.execute(connection))

    def orphans(self, erasure_id: str) -> list[str]:
        """Return the keys of objects that nothing points at any more and that are to be deleted."""
        row = ErasureObjectRow
        rows = self._database.rows(row.select(row.object_key).where(row.erasure_id == erasure_id))
        return [each["object_key"] for each in rows]

    def orphan_gone(self, erasure_id: str, key: str) -> None:
        """Note that such an object is deleted."""
        row = ErasureObjectRow
        query = row.delete().where((row.erasure_id == erasure_id) & (row.object_key == key))
        self._database.run(lambda connection: query.execute(connection))

    def forget_refs(self) -> int:
        """Delete hashes after their time; return how many."""
        old = ErasureRow.select(ErasureRow.id).where(ErasureRow.asked_at <= self._clock() - KEEP_REFS)
        query = ErasureRefRow.delete().where(ErasureRefRow.erasure_id.in_(old))
        return int(self._database.run(lambda connection: query.execute(connection)))

    def _count(self, erasure_id: str) -> int:
        query = ErasureRefRow.select().where(ErasureRefRow.erasure_id == erasure_id)
        return self._database.run(lambda connection: int(query.count(connection)))

    def _read(self, where: Any) -> list[Erasure]:
        rows = self._database.rows(ErasureRow.select().where(where).order_by(ErasureRow.asked_at.desc()))
        found = []
        for row in rows:
            count, node = ErasureCountRow, ErasureNodeRow
            counts = self._database.rows(count.select().where(count.erasure_id == row["id"]).order_by(count.source))
            nodes = self._database.rows(node.select().where(node.erasure_id == row["id"]).order_by(node.node))
            erased = {each["source"]: each["things"] for each in counts}
            found.append(Erasure(**row, erased=erased, nodes=[each["node"] for each in nodes]))
        return found
