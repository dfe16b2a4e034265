"""Faults at random for as long as you like: workers under load, one fault after the other, and an audit of each round.

\b
A round: work comes in, some faults of the catalogue happen to it, everything is mended, all queues run empty, and the
history is judged. The seed decides jobs, ids and faults; what the operating system makes of it, it does not.
With --steady processes live long under load, only their connections are cut, and the report says how their memory,
files and disk drift. With --out the totals are in a file after each round; where it is there, the soak goes on from it.
Exit code 1: something was lost, done twice, or came from nowhere. Then all files of that installation are kept.

\b
Examples:
  scripts/soak 10
  scripts/soak 480 --steady 60 --rate 5 --out soak.json
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
from contextlib import contextmanager, nullcontext, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console

from faults.catalogue import FAULTS, Fault, play
from faults.drift import Drift
from faults.installation import Installation
from faults.servers import SERVICES, Node, Postgres, Rabbit
from faults.soak_totals import Totals, display, keep, report, totals_of

#: Seconds that a round may take to run empty once all is well.
DRAIN = 180.0

INTERRUPTED = 130

#: Seconds between two looks at processes that live long; bytes of disk below which no round begins.
LOOK, LEAST_DISK = 10.0, 2_000_000_000


class BrokerChoice(StrEnum):
    """Where messages travel."""

    rabbitmq = "rabbitmq"
    embedded = "embedded"


def soak(
    minutes: Annotated[float, typer.Argument(help="How long to begin new rounds.", min=0.0)],
    seed: Annotated[int | None, typer.Option(help="Decides jobs and faults. Default: another one each time.")] = None,
    broker: Annotated[BrokerChoice, typer.Option(help="With rabbitmq also PostgreSQL.")] = BrokerChoice.rabbitmq,
    rate: Annotated[float, typer.Option(help="Jobs that are handed in each second.", min=0.1)] = 20.0,
    only: Annotated[str | None, typer.Option(help="Play this one fault, alone, in each round.")] = None,
    steady: Annotated[
        float, typer.Option(help="Minutes that one round's processes live; 0: faults of all kinds.")
    ] = 0.0,
    out: Annotated[Path | None, typer.Option(help="File for the totals, and to go on from.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the totals as JSON.")] = False,
) -> None:
    totals = totals_of(out, seed, broker.value)
    playable = _playable(broker, only)
    folder = Path(tempfile.mkdtemp(prefix="growbin-soak-"))
    console = Console(stderr=True)
    interrupted = False
    try:
        with _servers(broker, folder) as (node, postgres_url), display(console, totals) as show:
            deadline = time.monotonic() + minutes * 60 - totals.seconds
            while totals.rounds == 0 or time.monotonic() < deadline:
                left = deadline - time.monotonic()
                long = min(steady * 60, max(left, 60.0)) if steady else None
                _round(
                    totals,
                    playable,
                    node,
                    postgres_url,
                    folder,
                    rate=rate,
                    alone=only is not None,
                    long=long,
                    show=show,
                )
                keep(totals, out)
                if shutil.disk_usage(folder).free < LEAST_DISK:
                    console.print("The disk is nearly full: no further round.")
                    break
    except KeyboardInterrupt:
        interrupted = True
    if totals.holds:
        shutil.rmtree(folder, ignore_errors=True)
    report(console, totals, as_json=as_json)
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
    long: float | None,
    show: Any,
) -> None:
    """Play one round on an installation of its own; with ``long``, seconds, one without faults of processes."""
    dice = random.Random(f"{totals.seed}/{totals.rounds}")
    chosen = (
        [] if long else [dice.choice(playable)] if alone else [dice.choice(playable) for _ in range(dice.randint(1, 4))]
    )
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
            if long:
                show("steady")
                totals.drift += _live(installation, long, dice)
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


def _live(installation: Installation, seconds: float, dice: random.Random) -> list[dict[str, Any]]:
    """Let the processes live under load, cut their connections now and then, and return how they drift."""

    def processes() -> Iterator[tuple[str, psutil.Process]]:
        for worker in installation.workers.values():
            for number, process in enumerate(worker.tree()):
                with suppress(psutil.Error):
                    keeper = any("keeper" in word for word in process.cmdline())
                    yield "keeper" if keeper else "worker" if number else "supervisor", process

    drift = Drift(processes, {"data folder": installation.folder / "data"})
    links = [link for link in (installation.broker_link, installation.database_link) if link]
    end = time.monotonic() + seconds
    cut = time.monotonic() + dice.uniform(60, 300)
    while (now := time.monotonic()) < end:
        drift.look()
        if links and now > cut:
            dice.choice(links).cut()
            cut = now + dice.uniform(60, 300)
        time.sleep(min(LOOK, max(end - now, 0.0)))
    drift.look()
    return drift.report()


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


def main() -> None:
    """Run the command line."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(help=__doc__)(soak)
    app(prog_name="scripts/soak")


if __name__ == "__main__":
    main()
