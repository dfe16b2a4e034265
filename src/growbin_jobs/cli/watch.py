"""A live view of analyses on their way through the four stages."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import err, one_line, say
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.errors import Deferred
from growbin_jobs.models.analysis import Analyses, Analysis
from growbin_jobs.states import AnalysisStatus

STEPS = (AnalysisStatus.UPLOADED, AnalysisStatus.CLASSIFIED, AnalysisStatus.RULE_FOUND, AnalysisStatus.COMPLETED)
_MANY = 12
#: Seconds between two looks, and for each analysis that is looked at: many must not keep the database busy.
_POLL, _POLL_EACH = 0.1, 0.005
_NO_WORKER_AFTER = 8.0


def watch(
    analyses: Analyses, labels: Mapping[str, str], *, timeout: float, hint: str, check: Callable[[], int | None]
) -> dict[str, Analysis]:
    """Wait until all are completed or failed, with a live display on a terminal.

    Parameters:
      analyses: Where to look.
      labels: What to call each analysis id.
      timeout: Seconds to wait at most.
      hint: Said when nothing has begun after a while.
      check: Called every time round; anything but None ends the waiting.

    Returns:
      The last known state of each; those that are still on their way at the timeout are among them.
    """
    seen: dict[str, Analysis] = {}
    waiting = set(labels)
    began = time.monotonic()
    was_away = False
    with _display(labels) as show:
        while True:
            away = _look(analyses, waiting, seen)
            show(seen)
            elapsed = time.monotonic() - began
            if not waiting or elapsed > timeout or check() is not None:
                return seen
            if away and not was_away:
                say(spoken("{problem} Still trying.", problem=away), "yellow")
            was_away = bool(away)
            if hint and not away and elapsed > min(_NO_WORKER_AFTER, timeout / 2):
                if all(one.status is AnalysisStatus.PENDING for one in seen.values()):
                    say(hint, "yellow")
                hint = ""
            time.sleep(max(_POLL, _POLL_EACH * len(waiting)))


def _look(analyses: Analyses, waiting: set[str], seen: dict[str, Analysis]) -> str:
    """See how far the waiting ones are; return why that could not be seen, or nothing."""
    try:
        found = analyses.find(waiting)
    except Deferred as error:
        return str(error)
    seen.update(found)
    waiting -= {analysis_id for analysis_id, current in found.items() if current.status.is_final}
    return ""


@contextmanager
def _display(labels: Mapping[str, str]) -> Iterator["_Show"]:
    total = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    )
    show = _Show(labels, total)
    if not err.is_terminal:
        yield show
        return
    with Live(console=err, refresh_per_second=12, transient=True, get_renderable=show.render):
        yield show


class _Show:
    def __init__(self, labels: Mapping[str, str], total: Progress) -> None:
        self.labels = labels
        self.total = total
        self.task = total.add_task("photos", total=len(labels))
        self.seen: Mapping[str, Analysis] = {}

    def __call__(self, seen: Mapping[str, Analysis]) -> None:
        self.seen = seen
        self.total.update(self.task, completed=sum(one.status.is_final for one in seen.values()))

    def render(self) -> Group:
        if len(self.labels) > _MANY:
            return Group(self.total)
        table = Table.grid(padding=(0, 2))
        for analysis_id, label in self.labels.items():
            table.add_row(Text(one_line(label)), _steps(self.seen.get(analysis_id)))
        return Group(table, self.total)


def _steps(analysis: Analysis | None) -> Text:
    text = Text()
    status = analysis.status if analysis else AnalysisStatus.PENDING
    for step in STEPS:
        done = status is not AnalysisStatus.FAILED and status.rank >= step.rank
        text.append("● " if done else "○ ", style="green" if done else "dim")
    style = {AnalysisStatus.FAILED: "red", AnalysisStatus.COMPLETED: "bold green"}.get(status, "cyan")
    return text.append(status.value, style=style)
