"""Tells once, for ``growbin-jobs up``, that the workers of all groups are ready."""

import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from growbin_jobs.engine.node.presence import present

#: Seconds between two looks.
LOOK = 0.2


class ReadyNotice:
    """A thread that looks which workers of a node are present, until those of all groups are.

    Parameters:
      folder: Of the node.
      groups: Names of the groups.
      tell: Called once, in that thread.
    """

    def __init__(self, folder: Path, groups: Collection[str], tell: Callable[[], object]) -> None:
        self._folder = folder
        self._groups = set(groups)
        self._tell = tell
        self._began = time.time()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="ready-notice", daemon=True)

    def __enter__(self) -> "ReadyNotice":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(LOOK):
            with suppress(OSError):  # a notice is not worth a traceback
                if self._groups <= self._present():
                    self._tell()
                    return

    def _present(self) -> set[str]:
        # Workers that were there before are somebody else's.
        return {each.group for each in present(self._folder).values() if each and each.started_at >= self._began}
