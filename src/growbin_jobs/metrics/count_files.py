"""The counts of a node's processes as files, so that no count falls when a process dies.

::

    metrics/owners/NAME   a lock that the process NAME holds until it dies (engine/node/process_lock.py)
    metrics/NAME          its counts, replaced up to five times a second, and for the last time at its end
    metrics/folded        the counts of all that have died, and which of them are in it

A process replaces its file as a whole, so that nobody reads half of one. The keeper adds the files of the dead to
``folded``, replaces that, and deletes them then; killed in between, it finds their names in ``folded`` and does not add
them again. A file that cannot be read is put aside. What was counted in the last 0.2 s before a ``kill -9`` is lost,
or in the last two seconds where the process was idle before: counts may be that much too low, and never fall.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from growbin_jobs.engine.node.locks import lock
from growbin_jobs.engine.node.process_lock import ProcessLock, find_dead
from growbin_jobs.engine.processes import fork_lock, watch_forks
from growbin_jobs.metrics.counted import FILES_QUARANTINED, PROCESSES_FOLDED
from growbin_jobs.metrics.counts import Counts, Exemplar

logger = logging.getLogger(__name__)

#: Files that were put aside and are kept, at most.
MOST_ASIDE = 5

_FOLDED, _LOCK, _ASIDE = "folded", "lock", ".damaged"


class CountFile:
    """The file of this process.

    Parameters:
      folder: Of the node.
      counts: What it has counted.

    Raises:
      OSError: It cannot be made, for instance on a full disk.
    """

    def __init__(self, folder: Path, counts: Counts) -> None:
        self._counts = counts
        self._written: Counts | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "metrics").mkdir(mode=0o700, exist_ok=True)
        self._owner: ProcessLock | None = ProcessLock(folder / "metrics" / "owners")
        self._path = folder / "metrics" / self._owner.name
        with fork_lock:
            watch_forks(self)

    def write(self) -> bool:
        """Replace the file where something was counted since the last time.

        Returns:
          Whether anything was.

        Raises:
          OSError: It was not written; the next one has all of it.
        """
        now, before = self._counts.copy(), self._written
        is_same = before is not None and (now.values, now.exemplars) == (before.values, before.exemplars)
        if not is_same and self._owner is not None:
            _replace(self._path, _encode(now))
            self._written = now
        return not is_same

    def let_go(self) -> None:
        """Leave the file to the keeper, as a process that has ended. May be called twice."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.let_go()

    # --- at a fork, see processes.py

    def pause(self) -> None:
        """Nothing has to be paused."""

    def resume(self) -> None:
        """Nothing was paused."""

    def abandon(self) -> None:
        """In the child, which counts for itself."""
        self.let_go()


class NodeCounts:
    """The counts of all processes of a node, living and dead; for its keeper.

    Parameters:
      folder: Of the node.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "metrics"

    def read(self) -> Counts:
        """Fold what has died, and return the sum.

        Raises:
          OSError: The folder cannot be read.
        """
        (self._folder / "owners").mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            lock(descriptor)
            return self._read()
        finally:
            os.close(descriptor)

    def files(self) -> int:
        """Return how many files of counts there are."""
        return len(self._names()) + (self._folder / _FOLDED).exists()

    def _read(self) -> Counts:
        total, done = self._folded()
        dead = find_dead(self._folder / "owners")
        gone = {each.name for each in dead}
        gone |= {name for name in self._names() if not (self._folder / "owners" / name).exists()}
        gone -= done
        for name in sorted(gone):
            if (counts := self._of(name, total)) is not None:
                total.add(counts.values)
                total.add_exemplars(counts.exemplars)
                total.inc(PROCESSES_FOLDED)
        try:
            if gone or done & set(self._names()):
                _replace(self._folder / _FOLDED, _encode(total, done=sorted(gone | done)), sync=True)
                for name in gone | done:
                    (self._folder / name).unlink(missing_ok=True)
                    (self._folder / f"{name}.new").unlink(missing_ok=True)  # it was killed while it wrote
                _replace(self._folder / _FOLDED, _encode(total))
            for each in dead:
                each.remove()
        except OSError as error:  # a full disk: they stay, and are added up each time
            logger.warning("metrics.not_folded error=%s", error.strerror)
            for each in dead:
                with suppress(OSError):
                    each.release()
        for name in self._names():
            if name not in gone | done and (counts := self._of(name, total)) is not None:
                total.add(counts.values)
                total.add_exemplars(counts.exemplars)
        return total

    def _folded(self) -> tuple[Counts, set[str]]:
        path = self._folder / _FOLDED
        try:
            return _decode(path.read_bytes())
        except FileNotFoundError:
            return Counts(), set()
        except (ValueError, TypeError, KeyError):
            return self._set_aside(path, Counts()), set()

    def _of(self, name: str, total: Counts) -> Counts | None:
        path = self._folder / name
        try:
            return _decode(path.read_bytes())[0]
        except FileNotFoundError:
            return None  # it has counted nothing
        except (ValueError, TypeError, KeyError):
            self._set_aside(path, total)
            return None

    def _set_aside(self, path: Path, total: Counts) -> Counts:
        logger.error("metrics.file_damaged file=%s it was put aside, and its counts are not in the sums", path.name)
        total.inc(FILES_QUARANTINED, "metrics")
        with suppress(OSError):
            path.replace(path.with_name(path.name + _ASIDE))
            aside = sorted(self._folder.glob(f"*{_ASIDE}"), key=lambda each: each.stat().st_mtime)
            for old in aside[:-MOST_ASIDE]:
                old.unlink(missing_ok=True)
        return total

    def _names(self) -> list[str]:
        taken = (_FOLDED, _LOCK, "owners")
        with os.scandir(self._folder) as entries:
            names = [entry.name for entry in entries]
        return [name for name in names if name not in taken and "." not in name]


def _replace(path: Path, text: bytes, *, sync: bool = False) -> None:
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb") as file:
            file.write(text)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _encode(counts: Counts, *, done: list[str] | None = None) -> bytes:
    rows = [
        [name, list(labels), numbers]
        for name, by_labels in counts.values.items()
        for labels, numbers in by_labels.items()
    ]
    exemplars = [
        [name, list(labels), bucket, *exemplar]
        for name, by_labels in counts.exemplars.items()
        for labels, by_bucket in by_labels.items()
        for bucket, exemplar in by_bucket.items()
    ]
    body = json.dumps({"counts": rows, "exemplars": exemplars, "done": done or []}, separators=(",", ":")).encode()
    return b"%08x\n%s" % (zlib.crc32(body), body)


def _decode(text: bytes) -> tuple[Counts, set[str]]:
    """Read a file.

    Raises:
      ValueError, TypeError, KeyError: It is damaged.
    """
    check, _, body = text.partition(b"\n")
    if int(check, 16) != zlib.crc32(body):
        raise ValueError("its checksum is wrong")
    found: dict[str, Any] = json.loads(body)
    counts = Counts()
    for name, labels, numbers in found["counts"]:
        counts.values.setdefault(name, {})[tuple(labels)] = [float(number) for number in numbers]
    for name, labels, bucket, *exemplar in found["exemplars"]:
        counts.exemplars.setdefault(name, {}).setdefault(tuple(labels), {})[int(bucket)] = Exemplar(*exemplar)
    return counts, set(found["done"])
