"""The command line of ``scripts/bench pipeline``."""

import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import report
from benchmarks.pipeline import chart as _chart
from benchmarks.pipeline import photos as _photos
from benchmarks.pipeline.installation import SYSTEMS
from benchmarks.pipeline.measurement import WARM, Plan, Run, measure
from benchmarks.pipeline.servers import servers
from benchmarks.tasks.command import chosen
from growbin_jobs.adapters.rulefiles import load_rules, rules_folder

#: What is asked for: times the throughput of Celery, by megapixels, at no more than its CPU.
TARGETS = {2: 1.5, 12: 3.0, 16: 3.0}


def command(
    sizes: Annotated[str, typer.Option(help=f"Megapixels, some of {','.join(map(str, _photos.SIDES))}.")] = "12,2",
    photos: Annotated[int, typer.Option(help="Photos of each run; four times as many of 2 MP.", min=1)] = 100,
    only: Annotated[str, typer.Option(help=f"Some of {','.join(SYSTEMS)}.")] = "growbin_jobs,celery,celery-large",
    rounds: Annotated[int, typer.Option(help="Rounds over everything; medians count.", min=1)] = 1,
    rate: Annotated[float, typer.Option(help="Photos handed in each second; 0: as fast as can be.", min=0)] = 0.0,
    kill_every: Annotated[float, typer.Option(help="Seconds between two kill -9; 0: no runs with kills.", min=0)] = 4.0,
    vision: Annotated[float, typer.Option(help="Seconds that the vision model thinks.", min=0)] = 0.3,
    text: Annotated[float, typer.Option(help="Seconds that the text model thinks.", min=0)] = 0.15,
    idle: Annotated[float, typer.Option(help="Seconds for which idle workers are watched.", min=0)] = 5.0,
    threads: Annotated[int, typer.Option(help="Calls of models at once on Celery, one process.", min=1)] = 84,
    processes: Annotated[int, typer.Option(help="Picture processes on Celery.", min=1)] = 2,
    apart: Annotated[
        bool, typer.Option("--apart/--shared", help="Workers have half of the cores to themselves, or share all.")
    ] = True,
    chart: Annotated[Path | None, typer.Option(help="Draw the figures into this PNG.", dir_okay=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """The whole main job, photos in and advice out, beside the same job on Celery.

    \b
    growbin_jobs   `growbin-jobs up --no-monitor` as it comes: one process for pictures, three for models, keeper,
                   scheduler
    celery         two prefork processes for pictures, one with threads for models, late acknowledgement, a SQLite
                   row for each task; the model gets a picture of 1024 px that stage 1 has made, as here
    celery-large   the same, but the model gets the stored picture of 2048 px: more work for the model's owner
    \b
    All get the same private RabbitMQ (quorum queues), PostgreSQL, S3 server and model server. Workers have one half of
    the cores, and these servers and the producer the other, as where they are other machines. With --shared all have
    all cores: what is compared then is the CPU time of everything together, and the S3 server, whose work is the same
    for all, takes as much of it as the workers of growbin_jobs. Models think equally long for all, and both may ask
    them 84 times at once: three processes of 28 threads here, one of 84 there. A producer puts each photo into S3,
    writes the analysis's row and sends the message. The systems take turns within each round, with and without
    kill -9 of a random worker process. Each photo is another one.

    \b
    Examples:
      scripts/bench pipeline
      scripts/bench pipeline --sizes 16 --only growbin_jobs,celery --kill-every 0
      scripts/bench pipeline --rounds 3 --json > pipeline.json
      scripts/bench pipeline --shared --kill-every 0
      scripts/bench pipeline --chart docs/pipeline.png
    """
    systems = chosen(only, SYSTEMS, "--only")
    megapixels = [int(one) for one in chosen(sizes, [str(one) for one in _photos.SIDES], "--sizes")]
    cores = _apart() if apart else ()  # before any server is started: it inherits its cores
    machine = report.machine()
    runs: list[Run] = []
    with (
        tempfile.TemporaryDirectory(prefix="growbin-bench-") as folder,
        servers({"vision": vision, "text": text}, sorted(load_rules(rules_folder(None)))) as running,
    ):
        for size in megapixels:
            report.note(f"Making photos of {size} MP…")
            made = _photos.make(size, photos * (4 if size == 2 else 1) + WARM, Path(folder))
            for number in range(rounds):
                for kills in [0.0] if not kill_every else [0.0, kill_every]:
                    plan = Plan(rate, kills, 0.0 if kills else idle, threads, processes, cores)
                    turn = number % len(systems)
                    for system in systems[turn:] + systems[:turn]:
                        report.note(f"Round {number + 1}: {size} MP, {system}{', kill -9' if kills else ''}…")
                        runs.append(measure(system, size, made, running, plan, seed=number))
            for path in made:
                path.unlink()
    results: dict[str, Any] = {
        "machine": machine,
        "machine_after": report.machine(),
        "apart": apart,
        "runs": list(map(asdict, runs)),
    }
    if as_json:
        report.dump(results)
    else:
        _show(runs, machine, "workers on cores of their own" if cores else "all on the same cores")
    if chart is not None:
        _chart.draw(runs, chart)


def _apart() -> tuple[int, ...]:
    """Keep this process, and what it starts, to the second half of the cores; return the first one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise typer.BadParameter("there is one core only; use --shared", param_hint="--apart")
    half = len(cores) // 2
    os.sched_setaffinity(0, cores[half:])
    return tuple(cores[:half])


def _show(runs: Sequence[Run], machine: dict[str, object], where: str) -> None:
    for size, killed in dict.fromkeys((run.megapixels, run.killed) for run in runs):
        same = [run for run in runs if (run.megapixels, run.killed) == (size, killed)]
        of = {system: [run for run in same if run.system == system] for system in SYSTEMS}
        report.show(
            f"{size} MP × {same[0].analyses}{', kill -9 now and then' if killed else ''}; {where}; CPU in ms an "
            f"analysis; load {machine['load_before']}",
            [
                "", "a minute", "p50 s", "p95 s", "CPU", "producer", "S3", "RabbitMQ", "PostgreSQL", "peak MB",
                "idle MB", "idle %", "conn. PG", "AMQP", "S3", "vision", "text", "kB asked", "failed", "kills",
            ],
            [[SYSTEMS[system], *_row(found)] for system, found in of.items() if found],
        )  # fmt: skip
        for system in of:
            if system != "growbin_jobs" and of[system] and of["growbin_jobs"]:
                faster = _median(of["growbin_jobs"], "per_minute") / _median(of[system], "per_minute")
                cpu = _median(of["growbin_jobs"], "cpu_ms") / _median(of[system], "cpu_ms")
                asked = f"; asked {TARGETS[size]:g}" if size in TARGETS and not killed else ""
                print(f"growbin_jobs to {SYSTEMS[system]}: {faster:.2f} × the throughput at {cpu:.2f} × the CPU{asked}")
        print()


def _median(runs: Sequence[Run], name: str) -> float:
    return statistics.median(getattr(run, name) for run in runs)


def _row(runs: Sequence[Run]) -> list[object]:
    last = runs[-1]
    measured = ("s3", "rabbitmq", "postgres")
    servers = [f"{statistics.median(run.server_cpu_ms[name] for run in runs):.1f}" for name in measured]
    connections = [max(run.connections.get(name, 0) for run in runs) for name in ("postgres", "rabbitmq", "s3")]
    return [
        f"{_median(runs, 'per_minute'):.0f}", f"{_median(runs, 'p50'):.1f}", f"{_median(runs, 'p95'):.1f}",
        f"{_median(runs, 'cpu_ms'):.1f}", f"{_median(runs, 'producer_cpu_ms'):.1f}", *servers,
        f"{_median(runs, 'memory_mb'):.0f}", f"{_median(runs, 'idle_mb'):.0f}", f"{_median(runs, 'idle_percent'):.2f}",
        *connections, last.vision_requests, last.text_requests, f"{last.model_kb:.0f}",
        sum(run.failed for run in runs), sum(run.kills for run in runs),
    ]  # fmt: skip
