"""How many cores this process may use, which is often fewer than the machine has.

A container's limit of CPU time is no set of cores: the kernel lets it run on all of them, and stops it for the rest of
each tenth of a second once its share is spent. Standard library only.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

#: Where the kernel shows the groups of processes and the limits of each.
_GROUPS = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Return the number of cores that this process can keep busy: at least 1."""
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # another system, or a sandbox that does not say
        cores = os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _share())))


def _share(groups: Path = _GROUPS, mine: Path = Path("/proc/self/cgroup")) -> float:
    """Return the cores' worth of CPU time that the groups of this process allow; infinite where nothing limits it.

    Parameters:
      groups: Where the kernel shows the groups.
      mine: Names those of this process.
    """
    least = math.inf
    with suppress(OSError, ValueError):
        for line in mine.read_text(errors="replace").splitlines():
            _, controllers, name = line.split(":", 2)
            path = PurePosixPath(name.lstrip("/"))
            # A container sees its own group as the root, whatever the name says.
            for each in (path, *path.parents):
                if not controllers:
                    least = min(least, _ratio(groups / each / "cpu.max"))
                elif "cpu" in controllers.split(","):
                    folder = groups / "cpu" / each
                    least = min(least, _ratio(folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"))
    return least


def _ratio(*files: Path) -> float:
    """Return microseconds of CPU time in each period, over the period; infinite where there is no limit."""
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = " ".join(file.read_text("ascii") for file in files).split()
        share = int(quota) / int(period)  # no limit is "max", or -1
        if share > 0:
            return share
    return math.inf
