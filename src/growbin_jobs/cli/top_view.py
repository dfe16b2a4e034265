"""What ``growbin-jobs top`` looks like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import one_line
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.operations.error_groups import ErrorGroups
from growbin_jobs.operations.overview import Overview
from growbin_jobs.operations.worker_states import Presence, WorkerStates

_BARS: Final = " ▁▂▃▄▅▆▇█"
_STYLES: Final = {Presence.WORKING: "green", Presence.SILENT: "magenta", Presence.GONE: "dim"}
_MOST: Final = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """What was looked at."""

    overview: Overview
    workers: WorkerStates
    errors: ErrorGroups


def shown(seen: Seen) -> RenderableType:
    """Return all of it."""
    return Group(
        _head(seen), Text(), _actors(seen.overview), Text(), _workers(seen.workers), Text(), _errors(seen.errors)
    )


def away(why: str) -> RenderableType:
    """Return what is shown while the database is away."""
    return Text(why, "yellow")


def bars(values: Sequence[int]) -> str:
    """Return a trend as small bars."""
    most = max([*values, 1])
    return "".join(_BARS[-(-value * (len(_BARS) - 1) // most)] for value in values)


def seconds(value: float | None) -> str:
    """Return a time for people; – where it is not known."""
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s" if value < 90 else f"{value / 60:.1f} min"


def _head(seen: Seen) -> Text:
    found = seen.overview
    rate = "–" if found.rate is None else f"{found.rate:.1%}"
    groups = [state.group for state in seen.workers.present]
    running, threads = sum(group.running for group in groups), sum(group.threads for group in groups)
    return Text.assemble(
        (f"{local(found.until)} {zone_name()}", "dim"), "  last hour: ", (f"{found.ends:,}", "bold"), " ends, ",
        (f"{found.per_minute:.1f}", "bold"), " a minute, failed ", (rate, "bold red" if found.failures else "bold"),
        f", wait p95 {seconds(found.spreads.wait_p95)}, run p95 {seconds(found.spreads.run_p95)}; running now ",
        (f"{running:,}", "bold"), f" of {threads:,} threads\n",
        (bars([point.done + point.failed + point.dead for point in found.minutes]), "green"),
    )  # fmt: skip


def _actors(found: Overview) -> Table:
    table = _table("actor", "ends", "failed", "wait p95", "run p50", "run p95", "trend")
    for line in found.actors[:_MOST]:
        table.add_row(
            Text(one_line(line.actor)), f"{line.ends:,}", Text(f"{line.rate:.1%}", "red" if line.failures else ""),
            seconds(line.spreads.wait_p95), seconds(line.spreads.run_p50), seconds(line.spreads.run_p95),
            Text(bars(line.trend), "green"),
        )  # fmt: skip
    return table


def _workers(found: WorkerStates) -> Table:
    table = _table("node", "group", "state", "running", "to copy")
    for state in found.present[:_MOST]:
        group = state.group
        table.add_row(
            Text(one_line(group.node)), Text(one_line(group.group_name)),
            Text(state.presence.value, _STYLES[state.presence]), f"{group.running:,} / {group.threads:,}",
            f"{state.left:,}",
        )  # fmt: skip
    return table


def _errors(found: ErrorGroups) -> Table:
    table = _table("error", "runs", "given up", "last", "trend")
    for group in found.groups[:_MOST]:
        name = Text.assemble(("new ", "yellow") if group.is_new else "", one_line(group.title))
        table.add_row(name, f"{group.count:,}", f"{group.dead:,}", local(group.last_at), Text(bars(group.trend), "red"))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="ellipsis", no_wrap=True, max_width=48)
    for name in others:
        table.add_column(name, no_wrap=True, justify="left" if name in ("trend", "group", "state") else "right")
    return table
