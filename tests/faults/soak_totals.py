"""What a soak has proven so far: added up, kept in a file, and shown to people."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from faults.catalogue import Fault
from faults.history import Disposition


@dataclass
class Totals:
    """What a soak has proven so far.

    Attributes:
      lost, duplicated, unexpected: Must be 0.
      given_up: Harmless jobs that ended as dead letters; only what was running at three kills in a row may.
      unknown: Jobs whose producer did not hear what became of them; ``recovered`` of them were done.
      reruns: Runs beyond the first of a message; allowed.
      drift: How long-lived processes and their folders changed.
      bad_rounds: What to look at: round, faults, verdict, files.
    """

    seed: int
    broker: str
    rounds: int = 0
    jobs: int = 0
    done: int = 0
    dead: int = 0
    kills: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    given_up: int = 0
    unknown: int = 0
    recovered: int = 0
    reruns: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    drift: list[dict[str, Any]] = field(default_factory=list)
    bad_rounds: list[dict[str, Any]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.bad_rounds

    def add(self, verdict: Disposition, chosen: list[Fault], kills: int) -> None:
        self.rounds += 1
        self.kills += kills
        self.jobs += verdict.acknowledged + len(verdict.recovered) + len(verdict.absent)
        self.done += len(verdict.done)
        self.dead += len(verdict.dead)
        self.lost += len(verdict.lost)
        self.duplicated += len(verdict.duplicated)
        self.unexpected += len(verdict.unexpected)
        self.given_up += len(verdict.killed)
        self.unknown += len(verdict.recovered) + len(verdict.absent)
        self.recovered += len(verdict.recovered)
        self.reruns += verdict.reruns
        for fault in chosen:
            self.faults[fault.name] = self.faults.get(fault.name, 0) + 1


def totals_of(out: Path | None, seed: int | None, broker: str) -> Totals:
    """Return those of the file, or new ones."""
    if out is not None and out.exists():
        totals = Totals(**json.loads(out.read_text()))
        if totals.broker != broker or seed not in (None, totals.seed):
            raise typer.BadParameter(f"{out} is of seed {totals.seed}, {totals.broker}")
        return totals
    return Totals(seed if seed is not None else random.SystemRandom().randrange(10**6), broker)


def keep(totals: Totals, out: Path | None) -> None:
    if out is not None:
        new = out.with_name(f"{out.name}.new")
        new.write_text(json.dumps(asdict(totals), indent=2))
        new.replace(out)


@contextmanager
def display(console: Console, totals: Totals) -> Iterator[Any]:
    """Show a table that changes in place; a line each round where that is not possible."""
    if not console.is_terminal:

        def line(what: str) -> None:
            if not what:
                console.print(_line(totals), highlight=False, soft_wrap=True)

        console.print(f"seed {totals.seed}, {totals.broker}", highlight=False)
        yield line
        return
    with Live(_table(totals, "starting"), console=console, auto_refresh=False) as live:
        yield lambda what: live.update(_table(totals, what), refresh=True)


def _line(totals: Totals) -> str:
    return (
        f"round {totals.rounds}: jobs {totals.jobs}, kills {totals.kills}, lost {totals.lost}, "
        f"duplicates {totals.duplicated}, unexpected {totals.unexpected}, {totals.seconds:.0f} s"
    )


def _table(totals: Totals, now: str) -> Table:
    table = Table(title=f"soak · seed {totals.seed} · {totals.broker}", caption=now, min_width=60)
    columns = ("rounds", "jobs", "done", "dead", "kills", "reruns", "lost", "duplicated", "unexpected")
    for column in columns:
        table.add_column(column, justify="right")
    table.add_row(
        *(f"[red]{value}" if value and column in columns[6:] else str(value) for column, value in _row(totals, columns))
    )
    return table


def _row(totals: Totals, columns: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(column, getattr(totals, column)) for column in columns]


def report(console: Console, totals: Totals, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(totals), indent=2))
        return
    print(
        f"seed {totals.seed}, {totals.broker}: {totals.jobs} jobs, {totals.kills} kills, {totals.rounds} rounds in "
        f"{totals.seconds:.0f} s; lost {totals.lost}, duplicates {totals.duplicated}, unexpected {totals.unexpected}; "
        f"run again {totals.reruns}, given up {totals.given_up}, unknown {totals.unknown} (done: {totals.recovered})"
    )
    if totals.holds and totals.jobs:
        print(f"So a job is lost with a probability below {3 / totals.jobs:.1e} (95 %), under these faults.")
    for row in totals.drift:
        figures = ", ".join(
            f"{name} {line['first']:g} to {line['last']:g} (most {line['most']:g}, {line['per_hour']:+g} an hour)"
            for name, line in row.items()
            if isinstance(line, dict)
        )
        print(f"{row['what']}, {row['minutes']} min: {figures}")
    for bad in totals.bad_rounds:
        console.print(f"[red]round {bad['round']}[/]: {', '.join(bad['faults'])}; see {bad['files']}")
