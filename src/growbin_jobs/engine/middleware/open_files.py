"""Ends a worker process that can open no file any more, as if it had been killed.

An actor that leaks files, or closes those of its process, leaves a process in which each further message fails at once:
it would take one after the other and spend all their retries. So the process ends. What ran in it runs again, whoever
supervises it starts another, and a message that does so each time is found as one that kills its process.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
from contextlib import suppress

from dramatiq import Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine import events
from growbin_jobs.engine.foreign_errors import causes, is_a
from growbin_jobs.engine.native_logging import says_it_later

#: Files that a process may have open, where the machine allows that many: its soft limit is often 1,024.
WANTED = 65_536

#: Looks in a row that find no file left, until a process ends: a burst passes, a leak does not.
MOST_LOOKS = 3

_ERRNO = OSError.__dict__["errno"].__get__


class OpenFiles(Middleware):
    """Lets a worker process open as many files as it may."""

    def after_process_boot(self, broker: Broker) -> None:
        # The soft limit, as far as the hard one allows.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def end_if_none_left(error: BaseException) -> None:
    """End this process if that is why a message has failed in it.

    Parameters:
      error: What its actor has raised.
    """
    if _says_so(error) and none_left():
        end_process("An actor failed because its process can open no more files.")


class FilesWatch:
    """Looks from time to time whether this process can still open files."""

    def __init__(self) -> None:
        self._looks = 0

    def look(self) -> None:
        """Count a look; the last of :data:`MOST_LOOKS` in a row that find nothing left ends the process."""
        self._looks = self._looks + 1 if none_left() else 0
        if self._looks >= MOST_LOOKS:
            end_process("It can open no more files.")


def none_left() -> bool:
    """Return True if this process may open no further file."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno == errno.EMFILE
    return False


def end_process(why: str) -> None:
    """End this process at once, as a crash: nothing that it holds counts as ended."""
    try:
        events.PROCESS_BROKEN.emit(why=why)
        if says_it_later():  # and no greenlet gets a turn any more
            os.write(sys.stderr.fileno(), f"worker.broken {why} The process ends; what it ran runs again\n".encode())
    finally:  # also where there is no memory for saying so
        os._exit(os.EX_SOFTWARE)


def _says_so(error: BaseException) -> bool:
    # By Python's own slot: an application's class may have made anything of the name.
    return any(is_a(each, OSError) and _ERRNO(each) == errno.EMFILE for each in causes(error))
