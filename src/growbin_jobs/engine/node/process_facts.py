"""What the kernel says of a process of this machine, and how to tell it from a later one of the same number.

Linux only; elsewhere nothing is known of any process. Standard library only.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: States of a process that does nothing until somebody continues it: a job-control stop. Not ``t``: a debugger has it.
STOPPED = "T"

#: States of a process that has ended and is only not waited for.
_ENDED = "ZXx"


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One process that lives.

    Attributes:
      state: A letter, as ``ps`` shows it.
      started: When it was started, in ticks of the kernel since the machine was.
    """

    state: str
    started: int


def facts_of(pid: int) -> ProcessFacts | None:
    """Return what is known of a process; None where it has ended, or nothing can be known."""
    with suppress(OSError, ValueError, IndexError):
        # The second field is the name, in parentheses, and may contain anything, parentheses too.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        if (state := fields[0].decode()) not in _ENDED:
            return ProcessFacts(state, int(fields[19]))
    return None


@cache
def here() -> str:
    """Return a name of this boot of this machine and of the numbers of its processes that this process sees.

    Containers may share a folder and not the numbers of their processes. Empty where that cannot be known.
    """
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""
