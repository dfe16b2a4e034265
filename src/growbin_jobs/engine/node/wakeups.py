"""Wakes who waits in other processes, each at a FIFO of its own: whoever brings a message, for instance, writes to it.

FIFOs and not Unix sockets, whose paths may be no longer than about 100 bytes.
"""

from __future__ import annotations

import errno
import os
import select
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from growbin_jobs.engine.threads import native

_allocate_lock = native("_thread", "allocate_lock")


def _prefix(queue: str) -> str:
    # Cut for the file system's limit. Two long names that become one cost a needless wake-up, no more.
    return quote(queue, safe="", errors="replace")[:150] + "@"  # which quote() never leaves in a name


class WakeupFifo:
    """What one waiter waits at, such as a consumer. A wake-up before the wait is not lost: it ends the wait at once.

    Parameters:
      folder: Where the wakeups of all processes are; made, with its parent, where it is missing.
      queue: Whose messages ring it, or another name of what is waited for.

    Raises:
      OSError: If the FIFO cannot be made.
    """

    def __init__(self, folder: Path, queue: str) -> None:
        for each in (folder.parent, folder):  # parents=True would give the parent another mode
            each.mkdir(mode=0o700, exist_ok=True)
        name = _prefix(queue) + uuid.uuid4().hex
        self._path = folder / name
        # Named only once it is open: without a reader it would be taken for a dead one's.
        unopened = folder / f".{name}"
        os.mkfifo(unopened, 0o600)
        self._reader = os.open(unopened, os.O_RDONLY | os.O_NONBLOCK)
        # A writer that stays keeps the reader from seeing an end of file; it is also how this process rings.
        self._writer = os.open(unopened, os.O_WRONLY | os.O_NONBLOCK)
        unopened.rename(self._path)
        # A descriptor's number is given out again once it is closed: nobody may use it then.
        self._lock = _allocate_lock()  # the committer's native thread takes it too
        self._closed = self._has_waiter = False

    def wait(self, seconds: float) -> bool:
        """Wait to be woken or closed, and return whether that was so. In one thread, or under gevent one greenlet."""
        with self._lock:
            if self._closed:
                return True
            self._has_waiter = True
        woken = False
        try:
            poll = select.poll()
            poll.register(self._reader, select.POLLIN)
            woken = bool(poll.poll(max(0.0, seconds) * 1000))
        finally:
            with self._lock:
                self._has_waiter = False
                if self._closed:
                    self._close_ends()
                elif woken:
                    with suppress(BlockingIOError):
                        os.read(self._reader, 65536)
        return woken

    def wake(self) -> None:
        """Wake the waiter; safe from any thread, also after it was closed."""
        with self._lock:
            if not self._closed:
                _wake(self._writer)

    def close(self) -> None:
        """Remove the FIFO, and wake who waits at it."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._path.unlink(missing_ok=True)
            if self._has_waiter:  # it closes them: nobody would ever be woken by a descriptor that is closed
                _wake(self._writer)
            else:
                self._close_ends()

    def abandon(self) -> None:
        """In a forked child: it is the parent's."""
        self._lock = _allocate_lock()  # another thread of the parent may have held it
        self._closed = True
        self._close_ends()

    def _close_ends(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


def wake_all(folder: Path, queues: Iterable[str]) -> None:
    """Wake all who wait for some queues, in every process; remove the FIFOs of dead ones."""
    prefixes = tuple(_prefix(queue) for queue in queues)
    if not prefixes:
        return
    # Who is not woken looks by itself a little later: no reason to fail what was committed.
    with suppress(OSError), os.scandir(folder) as entries:
        for path in [entry.path for entry in entries if entry.name.startswith(prefixes)]:
            _wake_at(path)


def _wake_at(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody reads it: its process is dead
            with suppress(FileNotFoundError):
                os.unlink(path)
        return
    try:
        _wake(descriptor)
    finally:
        os.close(descriptor)


def _wake(descriptor: int) -> None:
    # Full means that it was woken often enough; broken that its consumer just went.
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(descriptor, b"!")
