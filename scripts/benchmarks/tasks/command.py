"""The command line of ``scripts/bench tasks``."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from benchmarks import report
from benchmarks.tasks import chart as _chart
from benchmarks.tasks.figures import Figures, ratio, summarise
from benchmarks.tasks.measurement import Measurement, MeasurementFailed, Size, measure
from benchmarks.tasks.rabbit import Rabbit
from benchmarks.tasks.systems import POOLS, STAGES, SYSTEMS

SERVICES = Path(__file__).parents[2] / "services"

#: What is asked for beside the rate against plain Dramatiq, which each pool has of its own.
TARGETS = {"d": 5.0, "connections": 6}


def chosen(value: str, known: Collection[str], option: str) -> list[str]:
    """Return the values of an option that takes several, separated by commas.

    Raises:
      typer.BadParameter: When one is not known.
    """
    values = list(dict.fromkeys(value.split(",")))
    unknown = [one for one in values if one not in known]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; there are {', '.join(known)}", param_hint=option)
    return values


def command(
    only: Annotated[str, typer.Option(help="Some of the systems.")] = "a,e,b,c,d",
    pool: Annotated[str | None, typer.Option(help=f"Some of {','.join(POOLS)}.")] = None,
    chain: Annotated[str, typer.Option(help="Stages of the chains, up to 4.")] = "1,4",
    rounds: Annotated[
        int | None, typer.Option(help="Rounds over everything; medians count. Default: 3.", min=1)
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Length of one measurement. Default: 6.", min=0.1)] = None,
    messages: Annotated[int, typer.Option(help="Most messages of one measurement.", min=100)] = 60_000,
    queue_type: Annotated[Literal["quorum", "classic"], typer.Option(help="Kind of queue, for all.")] = "quorum",
    quick: Annotated[
        bool, typer.Option("--quick", help="One round of short measurements, without the 1000 greenlets.")
    ] = False,
    base: Annotated[
        Path | None,
        typer.Option(help="Another checkout of this project, measured beside as p.", exists=True, file_okay=False),
    ] = None,
    chart: Annotated[Path | None, typer.Option(help="Draw the figures into this PNG.", dir_okay=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Tasks per second through real workers: Dramatiq, Dramatiq with confirms, growbin_jobs, Celery.

    \b
    a  Dramatiq as it comes: no confirms, no journal
    e  the same, told to fetch as far ahead as c does
    b  Dramatiq with confirm_delivery
    c  growbin_jobs as the product wires it: journal and confirms
    p  growbin_jobs of another checkout, named by --base: what a change has cost
    d  Celery with acks_late, confirms, and a SQLite row for each task with autocommit
    \b
    Everybody gets the same private RabbitMQ, the same kind of queue and a queue for each stage, and fetches as far
    ahead as it does by default: a, b and d twice what can run, c 64 to 300 more.
    Workers warm up until each greenlet has worked; then they are frozen, messages are loaded, and the clock runs from
    their release until RabbitMQ holds nothing any more, so a task counts when it is acknowledged. How many messages
    is the warm-up's rate times --seconds, so that fast and slow are measured for equally long. Tasks do nothing and
    carry 300 bytes. The systems take turns within each round, and ratios are taken within rounds.

    \b
    Examples:
      scripts/bench tasks --quick
      scripts/bench tasks --chart docs/tasks.png
      scripts/bench tasks --only a,c --pool gevent1000 --chain 4 --rounds 5
      scripts/bench tasks --only c,p --base ../before --rounds 5
      scripts/bench tasks --json > tasks.json
    """
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _interrupt)
    systems = chosen(only, SYSTEMS, "--only")
    if "p" in systems and base is None:
        raise typer.BadParameter("p needs --base.", param_hint="--only")
    pools = chosen(pool, POOLS, "--pool") if pool else ["gevent100", "threads"] if quick else list(POOLS)
    lengths = [int(one) for one in chosen(chain, [str(stage) for stage in range(1, STAGES + 1)], "--chain")]
    size = Size(seconds or (1.5 if quick else 6.0), messages)
    results: dict[str, Any] = {"machine": report.machine(), "queue_type": queue_type, "seconds": size.seconds}
    measured: list[list[Measurement]] = []
    failures: list[str] = []
    with private_rabbit() as rabbit:
        for number in range(rounds or (1 if quick else 3)):
            measured.append([])
            turn = number % len(systems)
            for pool_name in pools:
                for system in systems[turn:] + systems[:turn]:
                    where = f"{SYSTEMS[system]}, {POOLS[pool_name].words}"
                    report.note(f"Round {number + 1}: {where}…")
                    try:
                        measured[-1] += measure(
                            rabbit, system, pool_name, lengths, queue_type=queue_type, size=size, base=base
                        )
                    except MeasurementFailed as failure:
                        failures.append(f"{where}: {failure}")
    figures = summarise(measured)
    results |= {"machine_after": report.machine(), "failures": failures}
    if as_json:
        report.dump(
            results | {"rounds": [list(map(asdict, one)) for one in measured], "figures": list(map(asdict, figures))}
        )
    else:
        _show(figures, measured, results)
    if chart is not None and figures:
        _chart.draw(figures, chart)
    for words in failures:
        print(words, file=sys.stderr)
    if failures:
        raise typer.Exit(1)


def _interrupt(*_: Any) -> None:
    """End as Ctrl-C does, and let nothing interrupt the clearing away: it takes a second or two."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def private_rabbit() -> Iterator[Rabbit]:
    """Return a RabbitMQ of our own, which ends with us however we end."""
    with tempfile.TemporaryDirectory(prefix="growbin-bench-") as folder:
        up = ["up", "--only", "rabbitmq", "--json", "--with-pid", str(os.getpid())]
        try:
            rabbit = Rabbit(json.loads(_run(*up, "--dir", folder))["rabbitmq"])
            rabbit.count_often()
            yield rabbit
        finally:
            _run("down", "--dir", folder)


def _run(*arguments: str) -> str:
    command = [sys.executable, str(SERVICES), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own script


def _show(figures: Sequence[Figures], measured: Sequence[Sequence[Measurement]], results: dict[str, Any]) -> None:
    rounds = f"median of {len(measured)} rounds" if len(measured) > 1 else "one round"
    load = f"load {results['machine']['load_before']:g} before, {results['machine_after']['load_before']:g} after"
    for pool, length in dict.fromkeys((one.pool, one.length) for one in figures):
        report.show(
            f"{POOLS[pool].words}; chains of {length}; {results['queue_type']} queues; {rounds}; {load}",
            [
                "",
                "chains/s",
                "from",
                "to",
                "CPU µs/task",
                "RabbitMQ's",
                "connections",
                "peak MB",
                "chains",
                "lost",
                "twice",
            ],
            [
                [
                    f"{one.system}  {SYSTEMS[one.system]}",
                    *(f"{rate:.0f}" for rate in one.rate),
                    f"{one.cpu_us:.0f}",
                    f"{one.broker_cpu_us:.0f}",
                    one.connections,
                    f"{one.peak_mb:.0f}",
                    one.chains,
                    one.lost,
                    one.duplicates,
                ]
                for one in figures
                if (one.pool, one.length) == (pool, length)
            ],
        )
    others = [system for system in SYSTEMS if system != "c" and any(one.system == system for one in figures)]
    ours = [one for one in figures if one.system == "c"]
    if ours and others:
        report.show(
            f"growbin_jobs, times the rate of; asked: {TARGETS['d']:g} times Celery, at most {TARGETS['connections']} "
            "connections",
            ["", "asked of a", *(f"{system}  {SYSTEMS[system]}" for system in others)],
            [
                [
                    f"{POOLS[one.pool].words}; chains of {one.length}",
                    POOLS[one.pool].target,
                    *(ratio(measured, one.pool, one.length, to=system) or "–" for system in others),
                ]
                for one in ours
            ],
        )
    for words in dict.fromkeys(_journal(one.journaled) for one in ours):
        print(words)


def _journal(share: float | None) -> str:
    if not share:
        return "The journal of growbin_jobs is OFF: it holds none of the tasks."
    return f"The journal of growbin_jobs is on: it holds {share:.1%} of the tasks as completed."
