"""Finds one user in archives, and writes those anew without the person: as many rows, so that all counts stay.

An archive is never changed in place: another one takes its row's place, and the old objects are deleted after that. A
process that is killed in between leaves them noted (``erasure_object``) for the next run.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.adapters.objects import ObjectStore
from growbin_jobs.errors import NotFound
from growbin_jobs.platform.retention.archive_file import lines_of, pack, read_manifest, unpack
from growbin_jobs.platform.retention.archiving import archive_row
from growbin_jobs.platform.tables.archives import Archives
from growbin_jobs.platform.tables.dirty import slot_of
from growbin_jobs.platform.tables.sources import SOURCES

#: Archived tables that name a user, and the column with the time that is made coarse.
_PERSONAL: Final = {"api_calls": "at", "logins": "at", "sessions": "started_at"}

_SUFFIX: Final = ".jsonl.gz"


@dataclass(frozen=True, slots=True)
class ArchivedRows:
    """Rows of a user in one archive."""

    source: str
    key: str
    rows: list[dict[str, Any]]


class ArchiveSubjects:
    """Archives, as far as they are about people.

    Parameters:
      objects: Where they are kept.
      archives: What is known of them.
      leave: Notes, with a connection, the key of an object that nothing points at any more.
    """

    def __init__(self, objects: ObjectStore, archives: Archives, leave: Callable[[Any, str], object]) -> None:
        self._objects = objects
        self._archives = archives
        self._leave = leave

    def find(self, user_id: str) -> Iterator[ArchivedRows]:
        """Yield the user's rows of each archive that has any, also of those whose writer was killed.

        Raises:
          Permanent: ``archive_damaged``.
        """
        for source in _PERSONAL:
            for each in list(self._objects.list(f"archives/{source}/")):
                if each.key.endswith(_SUFFIX):
                    rows = [row for row in self._rows(each.key) or () if row["user_id"] == user_id]
                    if rows:
                        yield ArchivedRows(source, each.key, rows)

    def erase(self, user_id: str, pseudonym: str) -> Iterator[tuple[str, int]]:
        """Write each archive that names the user anew without; yield its table and the number of such rows.

        Raises:
          Permanent: ``archive_damaged``: a person must restore or delete it first.
        """
        known = {row["object_key"]: row for row in self._archives.all()}
        for found in self.find(user_id):
            row = known.get(found.key)
            if row is None:  # its writer was killed before it was known: its rows are in their table
                self.forget_object(found.key)
            else:
                self._write_anew(row, user_id, pseudonym)
            yield found.source, len(found.rows)

    def forget_object(self, key: str) -> None:
        """Delete an archive's object and its manifest."""
        self._objects.delete(key)
        self._objects.delete(key.removesuffix(_SUFFIX) + ".manifest.json")

    def _write_anew(self, row: dict[str, Any], user_id: str, pseudonym: str) -> None:
        name, key = row["source"], row["object_key"]
        source, old = SOURCES[name], self._rows(key) or []
        rows = [_anonymous(each, name, pseudonym) if each["user_id"] == user_id else each for each in old]
        rows.sort(key=lambda each: (each[source.at], *(each[part] for part in source.key)))
        body, manifest = pack(name, rows, source.at)
        self._objects.put(manifest.key, body, content_type="application/gzip")
        self._objects.put(manifest.manifest_key, manifest.encode(), content_type="application/json")
        if lines_of(self._rows(manifest.key) or []) != lines_of(rows):
            raise NotFound(f"The archive {manifest.id} could not be read back.")
        self._archives.replace(row["id"], archive_row(manifest), lambda connection: self._leave(connection, key))

    def _rows(self, key: str) -> list[dict[str, Any]] | None:
        try:
            manifest = read_manifest(self._objects.get(key.removesuffix(_SUFFIX) + ".manifest.json"))
            return unpack(self._objects.get(key), manifest)
        except NotFound:  # deleted meanwhile, or its writer was killed between the two
            return None


def _anonymous(row: dict[str, Any], source: str, pseudonym: str) -> dict[str, Any]:
    column = _PERSONAL[source]
    return row | {
        "id": hashlib.sha256(f"{pseudonym}\0{row['id']}".encode()).hexdigest()[:32],
        "user_id": None if source == "api_calls" else pseudonym,
        column: slot_of(row[column]),
    }
