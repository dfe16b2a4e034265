"""Wakes those who wait for analyses to come to an end: one thread of a process asks for all of them together."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from growbin_jobs.engine.threads import gevent_active
from growbin_jobs.errors import Deferred
from growbin_jobs.models.analysis import Analyses, Analysis
from growbin_jobs.models.analysis_upsert import CHANNEL

if TYPE_CHECKING:
    from growbin_jobs.engine.central.listening import Listener

#: Seconds between two looks where the database tells of ends: for those that it told while nobody listened.
_TOLD: Final = 1.0

#: Seconds between two looks where it cannot: the first, the last, and by how much it grows.
_FIRST, _LAST, _GROWTH = 0.05, 0.5, 1.2

#: Seconds between two looks at the least, however many ends are told.
_LEAST: Final = 0.01

#: Seconds that the thread and its connection stay when nobody waits: the next one usually comes soon.
_LINGER: Final = 5.0


class AnalysisEndings:
    """The waits of one process.

    Parameters:
      analyses: Where analyses are looked up.
    """

    def __init__(self, analyses: Analyses) -> None:
        self._analyses = analyses
        self._lock = threading.Lock()
        self._waiting: defaultdict[str, list[Future[Analysis]]] = defaultdict(list)
        self._news = threading.Event()
        self._runs = False

    @contextmanager
    def waiting_for(self, analysis_id: str) -> Iterator[Future[Analysis]]:
        """Give a future that gets the analysis when it is at its end. Leaving the block ends the waiting.

        Whoever enters looks once by themselves, in the block: an end from before may be told to nobody.

        Parameters:
          analysis_id: Checked: one that the database refuses would end the waits of all.
        """
        future: Future[Analysis] = Future()
        with self._lock:
            self._waiting[analysis_id].append(future)
            self._news.set()
            if not self._runs:
                threading.Thread(target=self._run, name="analysis-endings", daemon=True).start()
                self._runs = True
        try:
            yield future
        finally:
            with self._lock:
                waiting = self._waiting.get(analysis_id, [])
                with suppress(ValueError):
                    waiting.remove(future)
                if not waiting:
                    self._waiting.pop(analysis_id, None)

    def _run(self) -> None:
        listener: Listener | None = None
        try:
            listener = None if gevent_active() else self._analyses.database.listen(CHANNEL)
            pause, wanted = _FIRST, time.monotonic()
            while True:
                if self._news.is_set():
                    self._news.clear()
                    pause, wanted = _FIRST, time.monotonic()
                if self._look():
                    wanted = time.monotonic()
                elif time.monotonic() - wanted > _LINGER and self._stops():
                    return
                time.sleep(_LEAST)
                listener = self._pause(listener, pause)
                pause = min(pause * _GROWTH, _LAST)
        finally:
            if listener is not None:
                listener.close()

    def _stops(self) -> bool:
        with self._lock:
            self._runs = bool(self._waiting)
            return not self._runs

    def _look(self) -> bool:
        """Tell those whose analyses are at their end; return whether anybody waits."""
        with self._lock:
            ids = list(self._waiting)
        if not ids:
            return False
        try:
            found = self._analyses.find(ids)
        except Deferred:  # it is away; who waits does so until it is back, or until their time is up
            return True
        except Exception as error:  # also a fault must reach those who wait
            self._tell(ids, error)
            return True
        for analysis in found.values():
            if analysis.status.is_final:
                self._tell([analysis.id], analysis)
        return True

    def _tell(self, ids: list[str], end: Analysis | Exception) -> None:
        with self._lock:
            futures = [future for each in ids for future in self._waiting.pop(each, [])]
        for future in futures:
            if not future.set_running_or_notify_cancel():
                continue
            future.set_exception(end) if isinstance(end, Exception) else future.set_result(end)

    def _pause(self, listener: Listener | None, pause: float) -> Listener | None:
        """Wait for news; return the listener, or None when its connection is gone."""
        if listener is None:
            self._news.wait(pause)
            return None
        try:
            listener.wait(_TOLD)
        except Exception:  # asking goes on without it
            listener.close()
            return None
        return listener
