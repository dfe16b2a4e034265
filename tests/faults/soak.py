"""Faults at random for as long as you like: workers under load, one fault after the other, and an audit of each round.

\b
A round: work comes in, some faults of the catalogue happen to it, everything is mended, all queues run empty, and the
history is judged. The seed decides jobs, ids and faults; what the operating system makes of it, it does not.
Exit code 1: something was lost, done twice, or came from nowhere. Then all files of that installation are kept.

\b
Examples:
  scripts/soak 10
  scripts/soak 480 --seed 7 --rate 50 --json > soak.json
  scripts/soak 5 --broker embedded
  scripts/soak 5 --only journal-full --broker embedded
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from faults.catalogue import FAULTS, Fault, play
from faults.history import Disposition
from faults.installation import Installation
from faults.servers import SERVICES, Node, Postgres, Rabbit

#: Seconds that a round may take to run empty once all is well.
DRAIN = 180.0

INTERRUPTED = 130

MUST_BE_0 = ("lost", "duplicated", "unexpected")


class BrokerChoice(StrEnum):
    """Where messages travel."""

    rabbitmq = "rabbitmq"
    embedded = "embedded"


@dataclass
class Totals:
    """What a soak has proven so far.

    Attributes:
      lost, duplicated, unexpected: Must be 0.
      given_up: Harmless jobs that ended as dead letters; only what was running at three kills in a row may.
      unknown: Jobs whose producer did not hear what became of them; ``recovered`` of them were done.
      reruns: Runs beyond the first of a message; allowed.
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


def soak(
    minutes: Annotated[float, typer.Argument(help="How long to begin new rounds.", min=0.0)],
    seed: Annotated[int | None, typer.Option(help="Decides jobs and faults. Default: another one each time.")] = None,
    broker: Annotated[BrokerChoice, typer.Option(help="With rabbitmq also PostgreSQL.")] = BrokerChoice.rabbitmq,
    rate: Annotated[float, typer.Option(help="Jobs that are handed in each second.", min=0.1)] = 20.0,
    only: Annotated[str | None, typer.Option(help="Play this one fault, alone, in each round.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the totals as JSON.")] = False,
) -> None:
    seed = seed if seed is not None else random.SystemRandom().randrange(10**6)
    totals = Totals(seed, broker.value)
    playable = _playable(broker, only)
    folder = Path(tempfile.mkdtemp(prefix="growbin-soak-"))
    console = Console(stderr=True)
    interrupted = False
    try:
        with _servers(broker, folder) as (node, postgres_url), _display(console, totals) as show:
            deadline = time.monotonic() + minutes * 60
            while totals.rounds == 0 or time.monotonic() < deadline:
                _round(totals, playable, node, postgres_url, folder, rate=rate, alone=only is not None, show=show)
    except KeyboardInterrupt:
        interrupted = True
    if totals.holds:
        shutil.rmtree(folder, ignore_errors=True)
    _report(console, totals, as_json=as_json)
    raise typer.Exit(1 if not totals.holds else INTERRUPTED if interrupted else 0)


def _playable(broker: BrokerChoice, only: str | None) -> list[Fault]:
    wheres = {"embedded"} if broker is BrokerChoice.embedded else {"rabbitmq", "own node"}
    found = [
        fault for fault in FAULTS if wheres & set(fault.where) and (fault.name == only or (not only and fault.mixes))
    ]
    if not found:
        names = sorted({fault.name for fault in FAULTS if wheres & set(fault.where)})
        raise typer.BadParameter(f"there is no fault {only!r} on {broker}. There are: {', '.join(names)}")
    return found


def _round(
    totals: Totals,
    playable: list[Fault],
    node: Node | None,
    postgres_url: str | None,
    folder: Path,
    *,
    rate: float,
    alone: bool,
    show: Any,
) -> None:
    """Play one round on an installation of its own."""
    dice = random.Random(f"{totals.seed}/{totals.rounds}")
    chosen = [dice.choice(playable)] if alone else [dice.choice(playable) for _ in range(dice.randint(1, 4))]
    began = time.monotonic()
    place = folder / f"round-{totals.rounds}"
    rabbit = Rabbit(node) if node else None
    postgres = Postgres(postgres_url) if postgres_url else None
    installation = Installation(place, rabbit=rabbit, postgres_url=postgres and postgres.url, seed=dice.getrandbits(32))
    try:
        if not alone:
            installation.start(gevent=dice.random() < 0.5, processes=dice.choice((1, 1, 2)))
        with nullcontext() if alone else installation.dripping(every=1 / rate):
            for fault in chosen:
                show(fault.what)
                play(fault, installation, drips=alone and fault.drips)
        show("running empty")
        verdict = installation.settle(DRAIN)
        installation.stop()
        totals.add(verdict, chosen, installation.kills)
        if not verdict.holds:
            names = [fault.name for fault in chosen]
            words = place / "evidence.txt"
            words.write_text(f"{names}\n{installation.evidence(verdict)}")
            totals.bad_rounds.append({"round": totals.rounds, "faults": names, "files": str(place), **verdict.counts()})
    finally:
        totals.seconds += time.monotonic() - began
        installation.close()
        if rabbit:
            rabbit.remove()
        if postgres:
            postgres.remove()
    if verdict.holds:
        shutil.rmtree(place)
    show("")


@contextmanager
def _servers(broker: BrokerChoice, folder: Path) -> Iterator[tuple[Node | None, str | None]]:
    if broker is BrokerChoice.embedded:
        yield None, None
        return
    up = [
        sys.executable,
        str(SERVICES),
        "up",
        "--only",
        "rabbitmq,postgres",
        "--json",
        "--dir",
        str(folder / "services"),
    ]
    facts = json.loads(subprocess.run([*up, "--with-pid", str(os.getpid())], stdout=-1, check=True).stdout)
    node = Node(facts["rabbitmq"], folder / "services")
    try:
        yield node, facts["postgres"]["url"]
    finally:
        node.remove()
        down = [sys.executable, str(SERVICES), "down", "--dir", str(folder / "services")]
        subprocess.run(down, stdout=subprocess.DEVNULL, check=False)


@contextmanager
def _display(console: Console, totals: Totals) -> Iterator[Any]:
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


def _report(console: Console, totals: Totals, *, as_json: bool) -> None:
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
    for bad in totals.bad_rounds:
        console.print(f"[red]round {bad['round']}[/]: {', '.join(bad['faults'])}; see {bad['files']}")


def main() -> None:
    """Run the command line."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(help=__doc__)(soak)
    app(prog_name="scripts/soak")


if __name__ == "__main__":
    main()
