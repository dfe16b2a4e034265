"""The journal as a person sees it."""

import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
from rich.text import Text

from growbin_jobs.cli.journal_file import reading
from growbin_jobs.engine.delivery.records import Task
from growbin_jobs.engine.journal.file import quarantine
from growbin_jobs.engine.journal.tables import changes as numbered
from growbin_jobs.engine.journal.tables import dead_letters, outbox, reader, sync_log
from growbin_jobs.engine.node.election import keeper_pid
from growbin_jobs.engine.node.presence import present

STYLES = {"pending": "yellow", "running": "cyan", "completed": "green", "failed": "magenta", "dead": "bold red"}

#: Seconds between two looks for changes.
LOOK = 0.25

#: More seconds behind than this are shown in colour.
SLOW = 10.0


def status(file: Path) -> dict[str, Any]:
    """Return how a journal is, ready for JSON. Takes the same time however large it is."""
    with reading(file) as connection:
        oldest = numbered.oldest_unsynced(connection)
        found = {
            "path": str(file),
            "node": file.absolute().parent.name,
            "tasks": {state.value: n for state, n in reader.counts(connection).items()},
            "unsynced": numbered.count_unsynced(connection),
            "lag": max(0.0, time.time() - numbered.moment(oldest)) if oldest else 0.0,
            "owed": outbox.count(connection),
            "dead_letters": dead_letters.count_open(connection),
        }
    disk = os.statvfs(file.parent)
    return found | {
        "bytes": reader.sizes(file),
        "free_bytes": disk.f_bavail * disk.f_frsize,
        "quarantined": list(quarantine.quarantined(file)),
        "keeper": keeper_pid(file.parent),
        "workers": sorted(process.pid for process in present(file.parent).values() if process),
    }


def status_lines(found: dict[str, Any]) -> Iterator[tuple[str, str | Text]]:
    """Return the lines of ``journal status``."""
    yield "journal", found["path"]
    yield "node", found["node"]
    counts = [Text(f"{n:,} {state}", STYLES[state] if n else "dim") for state, n in found["tasks"].items()]
    yield "tasks", Text("  ").join(counts)
    yield "to be copied", _marked(f"{found['unsynced']:,}, {found['lag']:.1f} s behind", found["lag"] > SLOW, "yellow")
    yield "to be sent", _marked(f"{found['owed']:,}", found["owed"] > 0, "yellow")
    yield "dead letters", _marked(f"{found['dead_letters']:,}", found["dead_letters"] > 0, "bold red")
    sizes = found["bytes"]
    yield "files", f"{sizes['database'] / 1e6:,.1f} MB, log {sizes['wal'] / 1e6:,.1f} MB"
    yield "free disk", f"{found['free_bytes'] / 1e9:,.1f} GB"
    if found["quarantined"]:
        yield "damaged", Text(", ".join(found["quarantined"]), "bold red")
    keeper = found["keeper"]
    yield "keeper", _marked(f"process {keeper}" if keeper else "none: it comes with a worker", not keeper, "yellow")
    yield "workers", ", ".join(map(str, found["workers"])) or "none"


def changes(file: Path, lines: int, *, follow: bool) -> Iterator[Task]:
    """Return the latest tasks, oldest first, and then each as it changes."""
    with reading(file) as connection:
        seen = numbered.last_number(connection)
        logged = sync_log.last_id(connection)
        yield from reversed(reader.latest(connection, limit=lines) if lines else [])
        while follow:
            time.sleep(LOOK)
            logged, changed = _changed(connection, seen, logged)
            yield from changed
            seen = max((task.seq for task in changed), default=seen)


def _changed(connection: apsw.Connection, seen: int, logged: int) -> tuple[int, list[Task]]:
    """Return what has changed: it waits to be copied, or else the sync log has it by now. Both have an index."""
    synced = sync_log.after(connection, logged)
    found = {task.seq: task for task in numbered.unsynced(connection, after=seen, limit=10_000)}
    for _, task_id in synced:
        task = reader.task(connection, task_id)
        if task is not None and task.seq > seen:
            found[task.seq] = task
    return (synced[-1][0] if synced else logged), [found[seq] for seq in sorted(found)]


def task_line(task: Task) -> Text:
    """Return a task on one line."""
    line = Text.assemble(
        (iso(numbered.moment(task))[11:23], "dim"), "  ", (f"{task.status.value:9}", STYLES[task.status])
    )
    line.append(f"  {task.task_name:20}")
    line.append(took(task).rjust(10), "dim")
    line.append(f"  {task.task_id}")
    return line.append(f"  {task.error}", "red") if task.error else line


def took(task: Task) -> str:
    """Return how long a run took, for people."""
    if task.completed_at is None or task.started_at is None:
        return ""
    return f"{max(0.0, task.completed_at - task.started_at):.3f} s"


def task_json(task: Task) -> dict[str, Any]:
    """Return a row of the journal ready for JSON: times in ISO 8601."""
    values = asdict(task)
    return {name: iso(value) if name.endswith("_at") and value is not None else value for name, value in values.items()}


def iso(seconds: float) -> str:
    """Return a time in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _marked(words: str, striking: bool, style: str) -> Text:
    return Text(words, style if striking else "")
