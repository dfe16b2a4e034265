"""Is this node well? From what its processes say of themselves; asks no broker and no database.

``live`` says whether the processes should be started anew, ``ready`` whether they take messages, ``started`` whether
they have come up. A broker that is away makes a node unready and never dead: a restart would not bring it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from growbin_jobs.engine.node.beats import Beat, read_beat
from growbin_jobs.engine.node.presence import WorkerProcess, present

Question = Literal["started", "live", "ready"]

#: Seconds without a sign of life after which a process or its hub counts as stuck.
SILENT = 15.0

#: Seconds that a run may go on beyond its time limit.
OVERDUE = 15.0

#: Seconds that a process has to say something for the first time.
BOOTING = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
      name: ``workers``, ``threads``, ``hub``, ``time_limit``, ``consumers``, ``journal`` or ``disk``.
      ok: It is well.
      detail: What is wrong and where; empty where all is well.
    """

    name: str
    ok: bool
    detail: str = ""


def node_checks(
    folder: Path,
    question: Question,
    *,
    now: Callable[[], float] = time.monotonic,
    clock: Callable[[], float] = time.time,
) -> list[Check]:
    """Return the checks that answer a question about a node.

    Parameters:
      folder: Of the node.
      question: Which.
      now: Monotonic seconds.
      clock: Seconds since 1970.
    """
    processes = [process for process in present(folder).values() if process is not None]
    beats = [(process, read_beat(folder, process.pid)) for process in processes]
    if question == "live":
        return list(_live(beats, now(), clock()))
    waiting = [process.pid for process, beat in beats if beat is None]
    missing = _pids("have not started yet", waiting) if processes else "no worker process lives"
    workers = Check("workers", not missing, missing)
    if question == "started":
        return [workers]
    return [workers, *_ready([beat for _, beat in beats if beat is not None])]


def _live(beats: list[tuple[WorkerProcess, Beat | None]], now: float, clock: float) -> Iterator[Check]:
    silent = [
        process.pid
        for process, beat in beats
        if (now - beat.at > SILENT if beat is not None else clock - process.started_at > BOOTING)
    ]
    known = [beat for _, beat in beats if beat is not None]
    stuck = [beat.pid for beat in known if now - beat.hub_at > SILENT and beat.pid not in silent]
    yield Check("hub", not silent and not stuck, _pids("say nothing", silent) or _pids("let nobody run", stuck))
    lame = [beat.pid for beat in known if beat.alive < beat.threads and not beat.stopping]
    yield Check("threads", not lame, _pids("have lost threads", lame))
    late = [beat.pid for beat in known if beat.overdue > OVERDUE]
    yield Check("time_limit", not late, _pids("run something beyond its time limit that does not stop", late))


def _ready(beats: list[Beat]) -> Iterator[Check]:
    closed = [beat.pid for beat in beats if beat.fetching < beat.queues or beat.stopping]
    yield Check("consumers", not closed, _pids("do not fetch from all their queues", closed))
    ill = [beat for beat in beats if not beat.writable]
    yield Check("journal", not ill, ill[0].reason or "it cannot be written" if ill else "")


def _pids(what: str, pids: list[int]) -> str:
    return f"processes {', '.join(map(str, pids))} {what}" if pids else ""
