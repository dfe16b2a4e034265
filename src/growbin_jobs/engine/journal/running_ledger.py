"""Crash-safe ledger of running tasks (mmap), used to find messages that kill their worker.

Each process maps a file. A slot holds the task that one thread or greenlet runs; setting and clearing it costs a few
microseconds and no system call. When the process is killed the kernel still has the pages, and another process of this
node charges a crash to each task in them: to those that had started, not to those that were merely fetched. Whether the
owner is dead says a kernel lock (:mod:`growbin_jobs.engine.node.process_lock`), not a process number.
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from contextlib import suppress
from pathlib import Path

import apsw

from growbin_jobs.engine import events
from growbin_jobs.engine.journal.tables import charged_ledgers, tasks
from growbin_jobs.engine.node.process_lock import DeadProcess, ProcessLock, find_dead

#: Bytes of a slot; the first says how many of the others count.
SLOT = 256

#: Slots are added a page of this many at a time.
SLOTS = 1024
PAGE = SLOTS * SLOT


class RunningLedger:
    """This process's ledger.

    Parameters:
      folder: Where the ledgers of a node's processes lie; made where it is missing.

    Raises:
      OSError: If it cannot be made, for instance on a full disk.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._owner = ProcessLock(_owners(folder))
        self._path = folder / self._owner.name
        self._pages: list[mmap.mmap] = []
        self._free: list[int] = []
        try:
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            self._add_page()
        except BaseException:
            self._path.unlink(missing_ok=True)
            self._owner.leave()
            raise

    def begin(self, task_id: str, task_name: str, queue_name: str) -> int:
        """Note that a task starts.

        Returns:
          What :meth:`end` wants.
        """
        try:
            slot = self._free.pop()
        except IndexError:
            slot = self._grow()
        entry = _entry(task_id, task_name, queue_name)
        page, at = self._pages[slot // SLOTS], slot % SLOTS * SLOT
        page[at + 1 : at + 1 + len(entry)] = entry
        page[at] = len(entry)  # last: killed before this, it has not started
        return slot

    def end(self, slot: int) -> None:
        """Note that it has ended, whatever became of it."""
        self._pages[slot // SLOTS][slot % SLOTS * SLOT] = 0
        self._free.append(slot)

    def disarm(self) -> None:
        """Charge nobody if this process is killed from now on: it was told to stop, and some did not end in time."""
        with suppress(FileNotFoundError):
            self._path.unlink()

    def close(self) -> None:
        """Remove it. What still runs is not charged. May be called again."""
        if self._descriptor < 0:
            return
        self.disarm()
        self._owner.leave()
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def abandon(self) -> None:
        """In a forked child: let go of what is the parent's."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:  # else it was closed before the fork
            self._owner.let_go()
            os.close(descriptor)

    def _grow(self) -> int:
        with self._lock:
            if not self._free:
                self._add_page()
            return self._free.pop()

    def _add_page(self) -> None:
        start = len(self._pages) * PAGE
        # Written, not left as a hole: touching a hole in a mapped file kills the process when the disk is full.
        if os.pwrite(self._descriptor, bytes(PAGE), start) < PAGE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._pages.append(mmap.mmap(self._descriptor, PAGE, offset=start))
        first = (len(self._pages) - 1) * SLOTS
        self._free.extend(range(first + SLOTS - 1, first - 1, -1))


class NoLedger:
    """In place of a ledger in an isolation process: the worker that started it sees how it ends, and counts."""

    def begin(self, *_: str) -> int:
        """Note nothing."""
        return 0

    def end(self, _slot: int) -> None:
        """Note nothing."""

    def disarm(self) -> None:
        """Nobody counts its crashes."""

    def close(self) -> None:
        """Nothing was opened."""

    def abandon(self) -> None:
        """Nothing was opened."""


def dead_processes(folder: Path) -> list[DeadProcess]:
    """Return the owners of ledgers that died; each is to be given to :func:`remove`."""
    return find_dead(_owners(folder))


def count_crashes(connection: apsw.Connection, dead: list[DeadProcess], folder: Path, *, now: float) -> None:
    """Charge a crash to every task that dead processes of this node were running. Inside a transaction.

    Any number of processes may do so at once, and may be killed meanwhile: each ledger is charged once.

    Parameters:
      now: Seconds since 1970, UTC.
    """
    for owner in dead:
        entries = _entries(folder / owner.name)
        if charged_ledgers.charge_once(connection, owner.name, now=now) and entries:
            tasks.crashed(connection, entries, now=now, pid=_pid(_owners(folder) / owner.name))
            events.CRASH_COUNTED.emit(tasks=len(entries), ids=[task_id for task_id, *_ in entries])


def count_all_crashes(connection: apsw.Connection, folder: Path, *, now: float) -> None:
    """Count the crashes of all dead processes of this node, in a transaction of its own.

    Parameters:
      folder: Of the ledgers.
      now: Seconds since 1970, UTC.
    """
    dead = dead_processes(folder)
    committed = False
    try:
        if dead:
            connection.execute("BEGIN IMMEDIATE")
            count_crashes(connection, dead, folder, now=now)
            connection.execute("COMMIT")
            committed = True
    finally:
        remove(dead, folder, committed=committed)


def remove(dead: list[DeadProcess], folder: Path, *, committed: bool) -> None:
    """Remove the ledgers that were charged, or leave them to the next try."""
    for owner in dead:
        if committed:
            (folder / owner.name).unlink(missing_ok=True)
            owner.remove()
        else:
            owner.release()


def _owners(folder: Path) -> Path:
    return folder / "owners"


def _pid(owner: Path) -> int | None:
    with suppress(OSError, ValueError):  # it was killed before it had written it
        return int(owner.read_text(encoding="ascii"))
    return None


def _entry(task_id: str, task_name: str, queue_name: str) -> bytes:
    entry = f"{task_id}\n{task_name}\n{queue_name}".encode(errors="replace")
    if len(entry) < SLOT:
        return entry
    entry = f"{task_id}\n\n".encode(errors="replace")
    return entry if len(entry) < SLOT else b""  # a name too long for a slot is no id of ours


def _entries(path: Path) -> list[tuple[str, str, str]]:
    entries = []
    # Removed: its process lived, or its crashes were counted by a process that was killed before it removed the rest.
    with suppress(FileNotFoundError):
        ledger = path.read_bytes()
        for at in range(0, len(ledger), SLOT):
            if length := ledger[at]:
                parts = ledger[at + 1 : at + 1 + length].decode(errors="replace").rsplit("\n", 2)
                if len(parts) == 3:  # else the machine crashed and left anything
                    entries.append((parts[0], parts[1], parts[2]))
    return entries
