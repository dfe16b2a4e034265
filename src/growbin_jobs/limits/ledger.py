"""The meter that writes each HTTP request to a model server as a row of ``llm_usage``, priced once."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import Deferred
from growbin_jobs.limits.prices import Prices
from growbin_jobs.limits.usage import insert
from growbin_jobs.limits.usage_file import UsageFiles
from growbin_jobs.limits.usage_row import usage_row

logger = logging.getLogger(__name__)

#: Rows that a process keeps in memory while the database is away; more than these go to the node's disk.
MOST_KEPT: Final = 10_000

#: Rows of one INSERT.
_BATCH: Final = 200

#: Seconds between two tries while the database is away.
_PAUSE: Final = 5.0


class UsageLedger:
    """A meter that writes each request to the central database, in a thread of its own: no actor waits for it.

    While the database is away rows wait in memory; :meth:`close` writes them to the node's disk, where the next process
    finds them. Writing one twice is one row. A process that is killed loses what it had not written yet: its requests
    of the last moment.

    Parameters:
      database: The central one.
      prices: What requests cost.
      node: This node's name.
      zone: Of the days that money is counted by.
      folder: Of this node, for rows that outlive a process.
      told: Called with each row when it is made, such as to count it.
    """

    def __init__(
        self,
        database: Database,
        prices: Prices,
        *,
        node: str,
        zone: ZoneInfo,
        folder: Path,
        told: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> None:
        self._told = told
        self._database = database
        self._prices = prices
        self._node = node
        self._zone = zone
        self._files = UsageFiles(folder)
        # Not inherited by a fork: the parent writes its own rows.
        self._mine = once_a_process(_Outstanding)

    @property
    def waiting(self) -> int:
        """Rows of this process that are not in the database yet."""
        return len(self._mine().rows)

    def record(self, request: ModelRequest) -> None:
        """Take a request that has ended; see :class:`growbin_jobs.adapters.llm.meter.Meter`."""
        row = usage_row(request, self._prices, node=self._node, zone=self._zone)
        mine = self._mine()
        with mine.lock:
            mine.rows.append(row)
            full = len(mine.rows) > MOST_KEPT
            if mine.writer is None:
                writer = threading.Thread(target=self._write_on, args=(mine,), name="llm-usage", daemon=True)
                writer.start()
                mine.writer = writer  # where it could not start the next one tries again
        if full:
            self._keep_on_disk(mine)
        mine.wake.set()
        self._told(row)

    def flush(self) -> bool:
        """Write what waits, here and now; what an earlier process left on the node's disk too.

        Returns:
          False while the database is away.
        """
        mine = self._mine()
        with mine.writing:
            while batch := mine.take():
                if not self._write(batch, mine):
                    return False
            return self._adopt()

    def close(self) -> None:
        """Write what waits, at the end of the process; to the node's disk while the database is away."""
        mine = self._mine()
        mine.end.set()
        mine.wake.set()
        if not self.flush():
            self._keep_on_disk(mine)

    def _write_on(self, mine: "_Outstanding") -> None:
        """Write whenever something comes, in a thread of its own."""
        while not mine.end.is_set():
            mine.wake.wait()
            mine.wake.clear()
            try:
                written = self.flush()
            except Exception:
                # The thread must go on: nobody else writes.
                logger.exception("usage.writer_failed")
                written = False
            if not written:
                mine.end.wait(_PAUSE)
                mine.wake.set()

    def _write(self, rows: list[dict[str, Any]], mine: "_Outstanding") -> bool:
        try:
            self._insert(rows)
        except Deferred:
            left = rows
        except Exception:
            # One row that can never be written must not cost the others.
            left = self._write_singly(rows)
        else:
            return True
        if left:
            mine.put_back(left)
            logger.warning("usage.waits rows=%d", len(mine.rows))
        return not left

    def _write_singly(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Write rows one by one, and return those that were not written because the database is away."""
        for index, row in enumerate(rows):
            try:
                self._insert([row])
            except Deferred:
                return rows[index:]
            except Exception as error:
                logger.error("usage.row_refused id=%s reason=%s", row["id"], type(error).__name__)  # noqa: TRY400
        return []

    def _adopt(self) -> bool:
        """Write what processes of this node have left on its disk."""
        try:
            for path, rows in self._files.kept():
                for start in range(0, len(rows), _BATCH):
                    self._insert(rows[start : start + _BATCH])
                path.unlink(missing_ok=True)
        except Deferred:
            return False
        except Exception as error:
            logger.error("usage.file_refused reason=%s", type(error).__name__)  # noqa: TRY400
        return True

    def _keep_on_disk(self, mine: "_Outstanding") -> None:
        with mine.lock:
            rows = list(mine.rows)
            mine.rows.clear()
        try:
            path = self._files.keep(rows) if rows else None
        except OSError as error:
            lost = ",".join(row["id"] for row in rows)
            logger.error("usage.rows_lost rows=%d reason=%s ids=%s", len(rows), error.strerror, lost)  # noqa: TRY400
        else:
            if path is not None:
                logger.warning("usage.kept_on_disk rows=%d file=%s", len(rows), path)

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        insert(self._database, rows)


class _Outstanding:
    """Rows of one process that are not written, and its thread that writes them."""

    def __init__(self) -> None:
        self.rows: deque[dict[str, Any]] = deque()
        self.lock = threading.Lock()
        self.writing = threading.Lock()
        self.wake = threading.Event()
        self.writer: threading.Thread | None = None
        self.end = threading.Event()

    def take(self) -> list[dict[str, Any]]:
        with self.lock:
            return [self.rows.popleft() for _ in range(min(_BATCH, len(self.rows)))]

    def put_back(self, rows: list[dict[str, Any]]) -> None:
        with self.lock:
            self.rows.extendleft(reversed(rows))
