"""The keeper's part: copies the instructions of the central database into the file of its node."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from growbin_jobs.engine.control.file import ControlFile
from growbin_jobs.engine.control.instructions import Instructions
from growbin_jobs.engine.control.table import CHANNEL, Control
from growbin_jobs.engine.foreign_errors import describe

if TYPE_CHECKING:
    from growbin_jobs.engine.central.listening import Listener

logger = logging.getLogger(__name__)

#: Seconds between two looks at the database: where it tells by itself that something has changed, and where not.
TOLD, UNTOLD = 1.0, 0.5

#: Seconds until a connection for being told is opened again, when one was lost.
AGAIN = 10.0


class Mirror:
    """Keeps a node's file as the database has it.

    With a server in a thread of its own, with one connection (:meth:`start`). With a file as a periodic job, every
    :data:`UNTOLD` seconds, which tells by itself whether it has anything to do.

    Parameters:
      control: The table.
      file: Of the node.
    """

    def __init__(self, control: Control, file: ControlFile) -> None:
        self._control = control
        self._file = file
        self._written: Instructions | None = None
        self._away = False
        self._listener: Listener | None = None
        self._changes = control.database.changes()
        self._next_try = 0.0
        self._stopping = threading.Event()

    @property
    def has_thread(self) -> bool:
        """True where it needs :meth:`start`; else it is a job."""
        return self._changes is None

    def any(self) -> bool:
        """Return whether it may have something to copy; see :class:`growbin_jobs.engine.periodic.timetable.Changes`."""
        return self._changes is None or self._changes.any() or not self._file.path.exists()

    def forget(self) -> None:
        """Let the next answer of :meth:`any` be yes."""
        if self._changes is not None:
            self._changes.forget()

    def start(self) -> None:
        """Begin, and go on until :meth:`stop`."""
        threading.Thread(target=self._run, name="control-mirror", daemon=True).start()

    def stop(self) -> None:
        """End within a moment."""
        self._stopping.set()

    def copy(self) -> bool:
        """Write the file if the database has another version than the one that was written, or the file is gone.

        Returns:
          Whether it was written.

        Raises:
          Deferred: The database is away; the file stays as it is.
          OSError: The file cannot be written.
        """
        lost = not self._file.path.exists()
        if self._written is not None and self._control.version() == self._written.version and not lost:
            return False
        now = self._control.read()
        if self._written is None and now == self._on_disk():
            self._written = now
            return False
        self._file.write(now)
        self._written = now
        return True

    def _on_disk(self) -> Instructions | None:
        try:
            return self._file.read()
        except (OSError, ValueError):
            return None

    def run_once(self) -> None:
        """Copy, and say where that fails, once: workers go on with what they know."""
        try:
            self.copy()
        except Exception as error:  # a keeper without a control channel would be worse than a line in the log
            self._say_once(describe(error))
        else:
            if self._away:
                logger.warning("control.back the database has been read")
            self._away = False

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.run_once()
            self._wait()
        if self._listener is not None:
            self._listener.close()

    def _say_once(self, error: str) -> None:
        self.forget()
        self._written = None  # one that was restored meanwhile may have another state under the same version
        if not self._away:
            logger.warning("control.waits workers go on with what they were told last error=%s", error)
        self._away = True

    def _wait(self) -> None:
        if self._listener is None and not self._away and time.monotonic() >= self._next_try:
            self._next_try = time.monotonic() + AGAIN
            self._listener = self._control.database.listen(CHANNEL)
        if self._listener is None:
            self._stopping.wait(UNTOLD)
            return
        try:
            self._listener.wait(TOLD)
        except Exception:  # it is lost; the look at the database tells whether that is away
            self._listener.close()
            self._listener = None
