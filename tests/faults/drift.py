"""How the memory, open files and threads of long-lived processes, and the sizes of their folders, drift."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil

#: The part of a life that counts as its beginning, after so much of it has been left out as warming up; and its end.
WARM, PART = 0.2, 0.1

#: What is measured of a process, and what of a folder.
OF_PROCESS, OF_FOLDER = ("megabytes", "files", "threads"), ("megabytes",)


@dataclass
class Line:
    """One figure over time.

    Attributes:
      first, last: Medians of the beginning and the end.
      most: The highest.
      per_hour: From the one to the other, for each hour between.
    """

    first: float
    last: float
    most: float
    per_hour: float

    @classmethod
    def through(cls, points: list[tuple[float, float]]) -> Line:
        """Return what became of a figure, from pairs of seconds and values in the order of time."""
        begin, end = points[0][0], points[-1][0]
        life = max(end - begin, 1.0)
        early = [(at, value) for at, value in points if WARM <= (at - begin) / life <= WARM + PART] or points[:1]
        late = [(at, value) for at, value in points if (end - at) / life <= PART]
        first, last = median(value for _, value in early), median(value for _, value in late)
        hours = (median(at for at, _ in late) - median(at for at, _ in early)) / 3600
        return cls(
            round(first, 2), round(last, 2), round(max(value for _, value in points), 2),
            round((last - first) / hours, 2) if hours > 0 else 0.0,
        )  # fmt: skip


@dataclass
class Drift:
    """Looks at processes and folders from time to time.

    Parameters:
      processes: Returns those that live, by what they are.
      folders: What grows on the disk, by what it is.
    """

    processes: Callable[[], Iterable[tuple[str, psutil.Process]]]
    folders: Mapping[str, Path]
    began: float = field(default_factory=time.monotonic)
    _points: dict[str, dict[str, list[tuple[float, float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def look(self) -> None:
        """Measure once."""
        at = time.monotonic() - self.began
        for what, process in self.processes():
            try:
                with process.oneshot():
                    found = process.memory_full_info().uss / 1e6, process.num_fds(), process.num_threads()
                    name = f"{what} {process.pid}"
            except psutil.Error:  # it has ended meanwhile
                continue
            self._note(name, at, dict(zip(OF_PROCESS, found, strict=True)))
        for what, folder in self.folders.items():
            size = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
            self._note(what, at, dict(zip(OF_FOLDER, (size / 1e6,), strict=True)))

    def report(self) -> list[dict[str, Any]]:
        """Return a row for each process and folder: how long it was seen, and a :class:`Line` for each figure."""
        rows = []
        for what, figures in self._points.items():
            times = [at for at, _ in figures["megabytes"]]
            lines = {name: asdict(Line.through(points)) for name, points in figures.items()}
            rows.append({"what": what, "minutes": round((times[-1] - times[0]) / 60, 1), **lines})
        return rows

    def _note(self, what: str, at: float, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._points[what][name].append((at, value))
