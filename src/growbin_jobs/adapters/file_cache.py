"""The node's cache of pictures for stage 2: what stage 1 made on this node, or a run has fetched, is not fetched."""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final
from uuid import uuid4

from growbin_jobs.adapters.journal_cache import JournalCache
from growbin_jobs.engine.journal.tables import file_cache as table
from growbin_jobs.engine.threads import offload
from growbin_jobs.errors import Deferred

_DIGEST: Final = hashlib.sha256
_DIGEST_SIZE: Final = 32


class FileCache:
    """Files in a folder, and the table ``file_cache`` of the node's journal, which says until when they are good.

    It is only a cache (:class:`~growbin_jobs.adapters.journal_cache.JournalCache`): where it fails, :meth:`get` finds
    nothing and :meth:`put` keeps nothing. A file is written beside and put in its place by a rename, and ends in its
    own digest: half of one, as a power cut leaves it, is never returned. What a killed process leaves, and what has
    expired, :meth:`prune` deletes.

    Parameters:
      journal: The journal's file.
      folder: Of the files; made when the first one is kept, for its owner only.
      ttl: Seconds that a file is kept.
      most: Bytes of all files together; beyond them the oldest go. A larger file is not kept at all.
      clock: Seconds since 1970, UTC.
    """

    def __init__(
        self, journal: Path, folder: Path, *, ttl: float, most: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._rows = JournalCache(journal, ("file_cache.failed", "files are fetched again"))
        self._folder = folder
        self._ttl = ttl
        self._most = most
        self._clock = clock

    def open(self) -> None:
        """Make the folder, which says that files are read on this node: see :attr:`is_read`."""
        with contextlib.suppress(OSError):  # no room is no reason to fail
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def is_read(self) -> bool:
        """Whether files are read on this node, so that it makes sense to keep them for another process."""
        return self._folder.is_dir()

    def get(self, key: str) -> bytes | None:
        """Return the file's bytes while it is fresh and whole, else None."""
        path = self._path(key)
        if not path.exists():  # nothing was kept: no database is asked
            return None
        row = self._rows.run(lambda connection: table.get(connection, key, now=self._clock()))
        if row is None:
            return None
        try:
            content = offload(path.read_bytes)
        except OSError:
            return None
        data, digest = content[:-_DIGEST_SIZE], content[-_DIGEST_SIZE:]
        return data if len(data) == row.size and _DIGEST(data).digest() == digest else None

    def put(self, key: str, data: bytes) -> None:
        """Keep a file."""
        if len(data) > self._most:
            return
        path = self._path(key)
        try:
            offload(self._write, path, data)
        except OSError:  # no room is no reason to fail
            return
        dropped = self._rows.run(
            lambda connection: table.put(
                connection, key, path.name, len(data), now=self._clock(), ttl=self._ttl, most=self._most
            )
        )
        if unwanted := [path.name] if dropped is None else dropped:
            offload(self._unlink, unwanted)

    def discard(self, key: str) -> None:
        """Delete a file that nobody needs any more; its row goes with its time. One that is not there is fine."""
        with contextlib.suppress(OSError):  # it goes with its time
            offload(self._unlink, [self._path(key).name])

    def prune(self) -> int:
        """Delete files that nobody needs any more; their rows go with the journal's.

        Returns:
          How many files.
        """
        return self._delete(before=self._clock() - self._ttl)

    def clear(self) -> int:
        """Delete all files and their rows, for a person whose picture may be among them; return how many.

        Raises:
          Deferred: The rows cannot be deleted now.
          OSError: A file cannot.
        """
        files = self._delete(before=float("inf"))
        if self._rows.run(table.clear) is None:
            raise Deferred("the rows of fetched files cannot be deleted", wait=5)
        return files

    def _delete(self, *, before: float) -> int:
        deleted = 0
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self._folder):
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime <= before:
                        os.unlink(entry.path)
                        deleted += 1
        return deleted

    def run_once(self) -> dict[str, int]:
        """Prune, as a periodic job of the keeper."""
        files = self.prune()
        return {"files": files} if files else {}

    def _unlink(self, names: Iterable[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._folder / f"{uuid4().hex}.new"
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.writelines((data, _DIGEST(data).digest()))
            os.utime(new, (self._clock(), self._clock()))
            os.replace(new, path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
