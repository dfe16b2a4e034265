"""Let all threads of a worker share one arena of glibc's malloc, and give back what a busy time has left free."""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from dramatiq import Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine.threads import offload

#: From glibc's ``malloc.h``.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

#: Seconds without use after which free memory goes back to the system.
IDLE: Final = 5.0

#: Free bytes beyond which memory goes back at once, whatever is in use.
KEPT: Final = 128 << 20
#: Bytes of a piece that always comes from the system and goes back to it; glibc takes no more.
LARGE: Final = 32 << 20


class OneArena(Middleware):
    """Spare a worker most of malloc's arenas.

    By default each native thread gets an arena of its own, up to eight for each core, and what was freed in one is no
    use to the others: threads that decode pictures give megabytes back to the system, and ask for them again with each
    picture, which took a tenth of a small picture's CPU time. Python's own objects do not come from there, so that
    threads hardly ever wait for the one. Where malloc is another one nothing is changed. Only in processes of the
    ``dramatiq`` command, as :class:`~growbin_jobs.engine.fast.gc_tuning.GcTuning`.
    """

    def after_process_boot(self, broker: Broker) -> None:
        call = _of_glibc("mallopt")
        if call is not None:
            call(_M_ARENA_MAX, 1)


class FreeMemory:
    """Gives free memory back to the system some seconds after the last use of something that needs much, not before.

    By itself malloc gives it back as soon as twice its largest piece is free, so that the kernel cleared five to ten
    megabytes anew for each picture: an eighth of a picture's CPU time.

    Parameters:
      idle: Seconds.
      trim: Gives it back.
    """

    def __init__(self, *, idle: float = IDLE, trim: Callable[[], object] | None = None) -> None:
        found = _of_glibc("malloc_trim")
        if trim is None and found:
            _keep()
        self._trim = trim or (found and (lambda: found(0)))
        self._idle = idle
        self._lock = threading.Lock()
        self._used_at = 0.0
        self._waits = False

    def used(self) -> None:
        """Note a use. Under gevent call it in a greenlet, and not in a native thread."""
        self._used_at = time.monotonic()
        if self._trim is None:
            return
        with self._lock:
            if self._waits:
                return
            threading.Thread(target=self._wait, name="free-memory", daemon=True).start()
            self._waits = True

    def _wait(self) -> None:
        while (left := self._used_at + self._idle - time.monotonic()) > 0:
            time.sleep(left)
        with self._lock:
            self._waits = False
        if self._trim is not None:
            offload(self._trim)


def _keep() -> None:
    """Let malloc keep what is free, up to :data:`KEPT`."""
    call = _of_glibc("mallopt")
    if call is not None:
        call(_M_MMAP_THRESHOLD, LARGE)
        call(_M_TRIM_THRESHOLD, KEPT)


def _of_glibc(name: str) -> Any:
    """Return a function of glibc; None where the C library is another one."""
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, "gnu_get_libc_version") else None
