"""Table ``archives``: what left a table, where it is now, and when that was last proven."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.platform.tables.dirty import Clock, utc_now

#: ``begun``: its objects are being put. ``verified``: they were read back. ``deleted``: its rows are gone from their
#: table. ``abandoned``: its writer died, and its rows have changed since or are in another archive; what was put stays.
ArchiveState = Literal["begun", "verified", "deleted", "abandoned"]


class Archive(peewee.Model):
    """Table ``archives``. ``id`` is made of the content, so that a second try is the same row."""

    id = peewee.TextField(primary_key=True)
    source = peewee.TextField()
    object_key = peewee.TextField()
    first_at = UtcField()
    last_at = UtcField()
    row_count = peewee.BigIntegerField()
    size = peewee.BigIntegerField()
    sha256 = peewee.TextField()
    state = peewee.TextField()
    created_at = UtcField()
    deleted_at = UtcField(null=True)
    proven_at = UtcField(null=True)
    proven = peewee.BigIntegerField(null=True)
    restored_at = UtcField(null=True)

    class Meta:
        table_name = "archives"
        indexes = ((("source", "first_at"), False),)


class Archives:
    """Reads and writes what is known of archives.

    Parameters:
      database: Where the table is; every method raises Deferred when it is away.
      clock: Returns the time, aware.
    """

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def begun(self, values: dict[str, Any]) -> None:
        """Note an archive before its objects are put, so that none lies about unknown; one that is known stays."""
        row = {**values, "state": "begun", "created_at": self._clock()}
        query = Archive.insert(row).on_conflict_ignore()
        self._database.run(lambda connection: query.execute(connection))

    def verified(self, archive_id: str) -> None:
        """Note that the object was read back and is what was written."""
        self._come_to("verified", archive_id)

    def abandoned(self, archive_id: str) -> None:
        """Note that nobody will end an archive whose writer died."""
        self._come_to("abandoned", archive_id)

    def unfinished(self, source: str) -> list[dict[str, Any]]:
        """Return the archives of a table whose writers died before its rows were deleted, the oldest first."""
        query = Archive.select().where((Archive.source == source) & Archive.state.in_(("begun", "verified")))
        return self._database.rows(query.order_by(Archive.created_at, Archive.id))

    def proven(self, archive_id: str, *, ok: bool) -> None:
        """Note the result of a restore drill."""
        self._set(archive_id, proven_at=self._clock(), proven=int(ok))

    def restored(self, archive_id: str) -> None:
        """Note that the rows were put back."""
        self._set(archive_id, restored_at=self._clock())

    def replace(
        self, archive_id: str, values: dict[str, Any] | None, in_same: Callable[[Any], object] = lambda _: None
    ) -> None:
        """Put the row of another archive in the place of one, with its state; None: only take that away.

        Parameters:
          values: Of the other one, as :meth:`begun` takes them.
          in_same: Called with the connection, in the same transaction.
        """

        def work(connection: Any) -> None:
            old = list(Archive.select().where(Archive.id == archive_id).dicts().execute(connection))
            Archive.delete().where(Archive.id == archive_id).execute(connection)
            if values is not None and old:
                row = {**old[0], **values, "proven_at": None, "proven": None}
                Archive.insert(row).on_conflict_ignore().execute(connection)
            in_same(connection)

        self._database.transaction(work)

    def get(self, archive_id: str) -> dict[str, Any] | None:
        """Return one archive, or None."""
        rows = self._database.rows(Archive.select().where(Archive.id == archive_id))
        return rows[0] if rows else None

    def called(self, beginning: str) -> list[dict[str, Any]]:
        """Return the archives whose id begins so, at most two."""
        return self._database.rows(Archive.select().where(Archive.id.startswith(beginning)).limit(2))

    def all(self, source: str | None = None) -> list[dict[str, Any]]:
        """Return all archives, of one source where asked, the oldest rows first."""
        query = Archive.select().order_by(Archive.source, Archive.first_at, Archive.id)
        return self._database.rows(query if source is None else query.where(Archive.source == source))

    def least_proven(self) -> list[dict[str, Any]]:
        """Return the archives that no drill has tried yet; where there are none, the one tried longest ago."""
        gone = Archive.select().where(Archive.state == "deleted")
        new = self._database.rows(gone.where(Archive.proven_at.is_null()))
        return new or self._database.rows(gone.order_by(Archive.proven_at).limit(1))

    def _come_to(self, state: ArchiveState, archive_id: str) -> None:
        """Set the state of an archive whose rows are not deleted yet."""
        query = Archive.update(state=state).where((Archive.id == archive_id) & (Archive.state != "deleted"))
        self._database.run(lambda connection: query.execute(connection))

    def _set(self, archive_id: str, **values: Any) -> None:
        query = Archive.update(values).where(Archive.id == archive_id)
        self._database.run(lambda connection: query.execute(connection))


def mark_deleted(connection: Any, archive_id: str, at: datetime) -> None:
    """Note, in the transaction that deletes them, that an archive's rows are gone from their table."""
    Archive.update(state="deleted", deleted_at=at).where(Archive.id == archive_id).execute(connection)
