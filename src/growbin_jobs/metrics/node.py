"""What a node's keeper reads when somebody asks: processes, health, journal, outbox, disk."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import dramatiq

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import outbox, reader
from growbin_jobs.engine.node.beats import read_beat
from growbin_jobs.engine.node.health import Check, node_checks
from growbin_jobs.engine.node.presence import present
from growbin_jobs.metrics import shown
from growbin_jobs.metrics.exposition import Reading


def build(config: EngineConfig) -> list[Reading]:
    """Return what runs."""
    return [Reading(shown.BUILD, (config.version, platform.python_version(), dramatiq.__version__), 1.0)]


def processes(config: EngineConfig) -> list[Reading]:
    """Return the worker processes that live, and how busy they are; groups without any are missing."""
    alive: Counter[str] = Counter()
    slots: Counter[tuple[str, str]] = Counter()
    for process in present(config.node_dir).values():
        if process is None:
            continue
        alive[process.group] += 1
        beat = read_beat(config.node_dir, process.pid)
        busy = min(beat.busy, process.threads) if beat is not None else 0
        slots[process.group, "busy"] += busy
        slots[process.group, "free"] += process.threads - busy
    return [
        *(Reading(shown.PROCESSES, (group,), count) for group, count in alive.items()),
        *(Reading(shown.SLOTS, labels, count) for labels, count in slots.items()),
    ]


def health(checks: Sequence[Check]) -> list[Reading]:
    """Return one gauge for each check."""
    return [Reading(shown.HEALTH, (check.name,), float(check.ok)) for check in checks]


def all_checks(config: EngineConfig, journal: Journal) -> list[Check]:
    """Return the checks of both ``/livez`` and ``/readyz``."""
    return [*node_checks(config.node_dir, "live"), *ready_checks(config, journal)]


def ready_checks(config: EngineConfig, journal: Journal) -> list[Check]:
    """Return the checks of ``/readyz``: those of the processes, and the keeper's own look at journal and disk."""
    found = [check for check in node_checks(config.node_dir, "ready") if check.name != "journal"]
    theirs = [check for check in node_checks(config.node_dir, "ready") if check.name == "journal" and not check.ok]
    mine = journal.health()
    disk = mine.free_bytes >= config.journal_free_floor
    written = theirs[0] if theirs and disk else Check("journal", mine.writable or not disk, _why(mine, disk))
    return [*found, written, Check("disk", disk, "" if disk else mine.reason or "the disk is full")]


def _why(health_: Any, disk: bool) -> str:
    return "" if health_.writable or not disk else health_.reason or "it cannot be written"


def journal(keeper: Any) -> Iterator[Reading]:
    """Yield what the journal holds and owes.

    Raises:
      Deferred: It cannot be read for now.
    """
    of_node: Journal = keeper.journal
    states = of_node.read(reader.counts)
    for state, count in states.items():
        yield Reading(shown.JOURNAL_TASKS, (state.value,), count)
    yield Reading(shown.WAL_PENDING, (), of_node.backlog())
    yield Reading(shown.OUTBOX, (), of_node.read(outbox.count))
    backlog = keeper.sync.backlog()
    yield Reading(shown.UNSYNCED, (), backlog.rows)
    yield Reading(shown.WAL_DELAY, (), backlog.lag)
    for name, size in reader.sizes(of_node.path).items():
        yield Reading(shown.JOURNAL_BYTES, (name,), size)


def disk(config: EngineConfig, journal: Journal) -> Iterator[Reading]:
    """Yield whether the journal takes messages, and the room on its disk."""
    of_disk = os.statvfs(config.node_dir)
    yield Reading(shown.JOURNAL_WRITABLE, (), float(journal.health().writable))
    yield Reading(shown.DISK_FREE, (), of_disk.f_bavail * of_disk.f_frsize)
    yield Reading(shown.DISK_SIZE, (), of_disk.f_blocks * of_disk.f_frsize)
    yield Reading(shown.DISK_FLOOR, (), config.journal_free_floor)
