"""Names to choose from in a form, looked up once in a while: they change seldom, and each page shows them."""

from __future__ import annotations

import threading
import time
from typing import Final
from weakref import WeakKeyDictionary

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.search.task_search import TaskSearch

#: Seconds for which names are kept.
KEPT: Final = 30.0

_known: WeakKeyDictionary[Database, tuple[float, dict[str, list[str]]]] = WeakKeyDictionary()
_lock = threading.Lock()


def choices_of(database: Database) -> dict[str, list[str]]:
    """Return the actors, queues and nodes of the newest tasks, at most half a minute old.

    Raises:
      Deferred: The database is away.
    """
    with _lock:
        at, found = _known.get(database, (float("-inf"), {}))
    if time.monotonic() - at > KEPT:
        found = TaskSearch(database).choices()
        with _lock:
            _known[database] = (time.monotonic(), found)
    return found
