"""Shows another command line of this process in lists of processes, for one that was forked and not executed (Linux).

The kernel shows what stands where it once put the arguments. That is written over; it cannot grow.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

#: Where ``/proc/self/stat`` has the addresses, counted from the end of the program's name.
_BEGIN, _END = 45, 46


def show_command(command: Sequence[str]) -> None:
    """Show a command, or as much of it as there is room for.

    Parameters:
      command: Its words.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, room = int(fields[_BEGIN]), int(fields[_END]) - int(fields[_BEGIN])
    if not begin or room < 1:  # a sandbox may not say it
        return
    # The last byte stays 0: else the kernel takes what comes after it, the environment, for more of it.
    shown = encoded(command)[: room - 1].ljust(room, b"\0")
    ctypes.memmove(begin, shown, room)


def encoded(command: Sequence[str]) -> bytes:
    """Return a command as it stands in a process's memory."""
    return b"".join(os.fsencode(word) + b"\0" for word in command)
