"""Moves old rows into archives: write, read back and verify, and only then delete. Each step can be done again."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from growbin_jobs.adapters.objects import ObjectStore
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.threads import offload
from growbin_jobs.errors import NotFound, Permanent, Transient
from growbin_jobs.platform.retention.archive_file import Manifest, lines_of, pack, read_manifest, unpack
from growbin_jobs.platform.tables.archives import Archives
from growbin_jobs.platform.tables.retention import RetentionTable
from growbin_jobs.platform.tables.sources import SOURCES, Source

#: Fewest letters by which an archive may be called.
SHORTEST: Final = 8


@dataclass(frozen=True, slots=True)
class Drilled:
    """What a restore drill has shown; ``detail``: what was wrong."""

    archive: str
    source: str
    rows: int
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back into a table, or would; ``size``: its bytes as JSON lines."""

    archive: str
    source: str
    rows: int
    size: int
    dry_run: bool = False


class Archiving:
    """Writes, proves and restores archives.

    Parameters:
      objects: Where they are kept.
      archives: What is known of them.
      table: The rows.
      choose: Picks one archive for a drill.
    """

    def __init__(
        self,
        objects: ObjectStore,
        archives: Archives,
        table: RetentionTable,
        *,
        choose: Callable[[list[dict[str, Any]]], dict[str, Any]] = random.choice,
    ) -> None:
        self._objects = objects
        self._archives = archives
        self._table = table
        self._choose = choose

    def move(self, source: Source, before: datetime, limit: int) -> Manifest | None:
        """Move the oldest rows of a table into an archive; None where none are left.

        An archive whose writer died is ended first.

        Parameters:
          before: Rows that are older.
          limit: Rows of one archive.

        Raises:
          Permanent: ``retention_not_counted``: the archive is there, and so are the rows.
          Transient: A row has changed meanwhile.
          Deferred: The database or the object store is away.
        """
        for known in self._archives.unfinished(source.name):
            if manifest := self._end(source, known):
                return manifest
        rows = self._table.batch(source, before, limit)
        if not rows:
            return None
        body, manifest = offload(pack, source.name, rows, source.at)
        self._archives.begun(archive_row(manifest))
        crashpoint("archive.begun")
        self._objects.put(manifest.key, body, content_type="application/gzip")
        crashpoint("archive.body")
        self._objects.put(manifest.manifest_key, manifest.encode(), content_type="application/json")
        crashpoint("archive.put")
        _, stored = self._read(manifest.key)
        if offload(lines_of, stored) != offload(lines_of, rows):
            raise Permanent("archive_damaged", archive=manifest.id, detail="it is not what was written")
        self._delete(source, manifest, rows)
        return manifest

    def _end(self, source: Source, known: dict[str, Any]) -> Manifest | None:
        """Go on with an archive whose writer died; None where its rows have changed since, or are in another one.

        Its objects stay in each case: that writer may only have been stopped, and delete the rows yet.
        """
        try:
            manifest, rows = self._read(known["object_key"])
        except (NotFound, Permanent):  # it died before all was put: its rows are in their table
            self._archives.abandoned(known["id"])
            return None
        with suppress(Transient):
            if not self._table.missing(source, rows):
                self._delete(source, manifest, rows)
                return manifest
        self._archives.abandoned(known["id"])
        return None

    def _delete(self, source: Source, manifest: Manifest, rows: list[dict[str, Any]]) -> None:
        self._archives.verified(manifest.id)
        crashpoint("archive.verified")
        self._table.delete_archived(source, manifest.id, rows)
        crashpoint("archive.deleted")

    def restore(self, archive_id: str, *, dry_run: bool = False) -> Restored:
        """Put the rows of an archive back into their table; those that are there stay.

        Parameters:
          archive_id: Its id, or as much of its beginning as no other one has.
          dry_run: Only read the archive, and count.

        Raises:
          NotFound: There is no such archive.
          Permanent: ``archive_damaged``.
        """
        known = self._known(archive_id)
        source = SOURCES[known["source"]]
        rows = self._table.missing(source, self._read(known["object_key"])[1])
        put = len(rows) if dry_run else self._table.insert(source, rows)
        if not dry_run:
            self._archives.restored(known["id"])
        return Restored(known["id"], source.name, put, len(lines_of(rows)), dry_run=dry_run)

    def drill(self, archive_id: str | None = None) -> Drilled | None:
        """Restore an archive into a scratch table, compare it byte for byte with what was written, and note the result.

        Parameters:
          archive_id: Which one; None: one at random of those that no drill has tried. None is returned where there
            is none.

        Raises:
          NotFound: There is no such archive.
        """
        candidates = [self._known(archive_id)] if archive_id else self._archives.least_proven()
        if not candidates:
            return None
        known = self._choose(candidates)
        source, detail = SOURCES[known["source"]], ""
        try:
            _, rows = self._read(known["object_key"])
            if lines_of(self._table.through_scratch(source, rows)) != lines_of(rows):
                detail = "the rows are others once they are restored"
        except NotFound:
            detail = "the object is gone"
        except Permanent as error:
            detail = str(error)
        self._archives.proven(known["id"], ok=not detail)
        return Drilled(known["id"], source.name, known["row_count"], not detail, detail)

    def _known(self, archive_id: str) -> dict[str, Any]:
        """Return the archive whose id begins so, if there is exactly one."""
        found = self._archives.called(archive_id) if len(archive_id) >= SHORTEST else []
        if not found:
            raise NotFound(f"There is no archive {archive_id}. See: growbin-jobs archive list")
        if len(found) > 1:
            raise NotFound(
                f"The ids of several archives begin with {archive_id}. See: growbin-jobs archive list --json"
            )
        return found[0]

    def _read(self, key: str) -> tuple[Manifest, list[dict[str, Any]]]:
        manifest = read_manifest(self._objects.get(key.removesuffix(".jsonl.gz") + ".manifest.json"))
        return manifest, offload(unpack, self._objects.get(key), manifest)


def archive_row(manifest: Manifest) -> dict[str, Any]:
    """Return what the table of archives knows of one."""
    return {
        "id": manifest.id,
        "source": manifest.source,
        "object_key": manifest.key,
        "first_at": datetime.fromisoformat(manifest.first_at),
        "last_at": datetime.fromisoformat(manifest.last_at),
        "row_count": manifest.rows,
        "size": manifest.size,
        "sha256": manifest.sha256,
    }
