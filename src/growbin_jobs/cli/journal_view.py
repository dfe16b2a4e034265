"""The journal and its tasks on a terminal."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import one_line, out
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.times import local
from growbin_jobs.engine.delivery.records import JournalTask
from growbin_jobs.operations.journal_status import JournalStatus

STYLES = {"pending": "yellow", "running": "cyan", "completed": "green", "failed": "magenta", "dead": "bold red"}

#: More seconds behind than this are shown in colour.
SLOW = 10.0


def print_status(found: JournalStatus) -> None:
    """Print how a journal is."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, words in _status_lines(found):
        table.add_row(name, words if isinstance(words, Text) else Text(words))
    out.print(table)


def print_task_line(task: JournalTask) -> None:
    """Print a task on one line."""
    at = task.completed_at or task.started_at or task.created_at
    line = Text.assemble((local(at, 3)[11:], "dim"), "  ", (f"{task.status.value:9}", STYLES[task.status]))
    line.append(f"  {one_line(task.task_name):20}")
    line.append(_took(task).rjust(10), "dim")
    line.append(f"  {one_line(task.task_id)}")
    if task.error:
        line.append(f"  {' '.join(task.error.splitlines())}", "red")
    out.print(line, soft_wrap=True)


def _status_lines(found: JournalStatus) -> Iterator[tuple[str, str | Text]]:
    yield spoken("journal"), str(found.path)
    yield spoken("node"), found.node
    counts = [Text(f"{n:,} {state}", STYLES[state] if n else "dim") for state, n in found.tasks.items()]
    yield spoken("tasks"), Text("  ").join(counts)
    behind = spoken("{number}, {seconds} s behind", number=f"{found.unsynced:,}", seconds=f"{found.lag:.1f}")
    yield spoken("to be copied"), _marked(behind, found.lag > SLOW, "yellow")
    yield spoken("to be sent"), _marked(f"{found.owed:,}", found.owed > 0, "yellow")
    yield spoken("dead letters"), _marked(f"{found.dead_letters:,}", found.dead_letters > 0, "bold red")
    sizes = found.bytes
    megabytes = {"database": f"{sizes['database'] / 1e6:,.1f}", "log": f"{sizes['wal'] / 1e6:,.1f}"}
    yield spoken("files"), spoken("{database} MB, log {log} MB", **megabytes)
    yield spoken("free disk"), f"{found.free_bytes / 1e9:,.1f} GB"
    if found.quarantined:
        yield spoken("damaged"), Text(", ".join(found.quarantined), "bold red")
    keeper = found.keeper
    process = spoken("process {pid}", pid=keeper) if keeper else spoken("none: it comes with a worker")
    yield spoken("keeper"), _marked(process, not keeper, "yellow")
    yield spoken("workers"), ", ".join(map(str, found.workers)) or spoken("none")


def _took(task: JournalTask) -> str:
    """Return how long a run took, for people."""
    if task.completed_at is None or task.started_at is None:
        return ""
    return f"{max(0.0, task.completed_at - task.started_at):.3f} s"


def _marked(words: str, striking: bool, style: str) -> Text:
    return Text(words, style if striking else "")
