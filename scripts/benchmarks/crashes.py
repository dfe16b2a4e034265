"""``scripts/bench crashes``: the same job here and on Celery, while worker processes are killed."""

import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from benchmarks import report
from benchmarks.crashes_job import QUEUES
from benchmarks.tasks.command import private_rabbit

SYSTEMS = ("growbin_jobs", "celery")

#: Seconds after the last job was handed in until what has not ended counts as failed.
PATIENCE = 240.0


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes:
      jobs, rate: How many, and how many of them each second.
      vision, text: Seconds that the two stages of a job wait.
      processes, threads: Of the workers.
      kill_every: Seconds between two kills.
      kills: How many at most.
    """

    jobs: int
    rate: float
    vision: float
    text: float
    processes: int
    threads: int
    kill_every: float
    kills: int


@dataclass(frozen=True)
class Run:
    """What came of it; times in seconds."""

    system: str
    wall: float
    p50: float
    p95: float
    failed: int
    paid_again: int
    kills: int
    cpu: float


def command(
    jobs: Annotated[int, typer.Option(help="Jobs of each run.", min=1)] = 300,
    rate: Annotated[float, typer.Option(help="Jobs handed in each second.", min=0.1)] = 5.0,
    vision: Annotated[float, typer.Option(help="Seconds of the first stage.")] = 3.0,
    text: Annotated[float, typer.Option(help="Seconds of the second stage.")] = 1.0,
    processes: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 3,
    threads: Annotated[int, typer.Option(help="Threads of each.", min=1)] = 28,
    kill_every: Annotated[float, typer.Option(help="Seconds between two kills.", min=0.1)] = 5.0,
    kills: Annotated[int, typer.Option(help="Kills of each run at most.", min=0)] = 1000,
    rounds: Annotated[int, typer.Option(help="Rounds over both systems; medians count.", min=1)] = 1,
    only: Annotated[str | None, typer.Option(help="One of growbin_jobs, celery.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """The cost of crashes: kill -9 of a random worker process every few seconds, here and on Celery.

    A job has two stages that wait, as calls to a vision and a text model do. Ours runs under its own supervisor;
    Celery with a thread pool, acks_late, reject_on_worker_lost and prefetch 1, one command for each process, each
    started again at once by this harness. Both get the same private RabbitMQ, and take turns.

    \b
    Examples:
      scripts/bench crashes
      scripts/bench crashes --kills 1 --kill-every 15 --rounds 3
      scripts/bench crashes --jobs 60 --vision 1 --text 0.3
    """
    plan = Plan(jobs, rate, vision, text, processes, threads, kill_every, kills)
    machine = report.machine()
    runs: list[Run] = []
    with private_rabbit() as rabbit:
        for number in range(rounds):
            systems = [only] if only else list(SYSTEMS if number % 2 == 0 else reversed(SYSTEMS))
            for system in systems:
                report.note(f"Round {number + 1}: {system}…")
                with rabbit.vhost() as vhost, tempfile.TemporaryDirectory(prefix="growbin-bench-") as folder:
                    runs.append(_run(system, plan, vhost.url, Path(folder), random.Random(number)))  # noqa: S311
    if as_json:
        report.dump({"machine": machine, "plan": asdict(plan), "runs": [asdict(run) for run in runs]})
        return
    kill_words = f"kill -9 every {kill_every:g} s, {kills} at most" if kills else "no kills"
    report.show(
        f"{jobs} jobs at {rate:g}/s, stages of {vision:g} and {text:g} s, {processes} processes × {threads} threads, "
        f"{kill_words}; median of {rounds}; load {machine['load_before']}",
        ["", "wall s", "p50 s", "p95 s", "failed", "paid again", "kills", "CPU s"],
        [_row(system, [run for run in runs if run.system == system]) for system in SYSTEMS if only in (None, system)],
    )


def _row(system: str, runs: list[Run]) -> list[object]:
    def median(name: str) -> float:
        return statistics.median(getattr(run, name) for run in runs)

    return [
        system, median("wall"), median("p50"), median("p95"), int(max(run.failed for run in runs)),
        int(median("paid_again")), int(median("kills")), median("cpu"),
    ]  # fmt: skip


def _run(system: str, plan: Plan, url: str, folder: Path, dice: random.Random) -> Run:
    log = folder / "runs"
    log.touch()
    env = {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
        "BENCH_URL": url,
        "BENCH_RUNS": str(log),
        "BENCH_VISION": str(plan.vision),
        "BENCH_TEXT": str(plan.text),
        "BENCH_PROCESSES": str(plan.processes),
        "BENCH_THREADS": str(plan.threads),
        "GROWBIN_BROKER_URL": url,
        "GROWBIN_DATA_DIR": str(folder / "growbin"),
        "GROWBIN_QUEUE_TYPE": "classic",
    }
    workers: _Workers = _Ours(plan, env, folder) if system == "growbin_jobs" else _Celery(plan, env, folder)
    with workers, _sender(system, url, folder) as send:
        _warm_up(workers, send, log)
        before = len(_lines(log))
        began, handed_in = time.time(), {}
        next_kill, kills = began + plan.kill_every, 0
        cpu = workers.cpu()
        while True:
            now = time.time()
            while len(handed_in) < plan.jobs and now >= began + len(handed_in) / plan.rate:
                handed_in[len(handed_in)] = time.time()
                send(len(handed_in) - 1)
            ended = _ends(log, before)
            if len(ended) == plan.jobs or now > began + plan.jobs / plan.rate + PATIENCE:
                break
            if kills < plan.kills and now >= next_kill:
                kills += workers.kill_one(dice)
                next_kill += plan.kill_every
            workers.tend()
            time.sleep(0.05)
        cpu = workers.cpu() - cpu
    begins = sum(line[0] == "begin" for line in _lines(log)[before:])
    took = sorted(ended[job] - handed_in[job] for job in ended)
    return Run(
        system=system,
        wall=max(ended.values(), default=time.time()) - began,
        p50=took[len(took) // 2] if took else 0.0,
        p95=took[int(len(took) * 0.95)] if took else 0.0,
        failed=plan.jobs - len(ended),
        paid_again=begins - 2 * plan.jobs,
        kills=kills,
        cpu=cpu,
    )


def _warm_up(workers: "_Workers", send: Any, log: Path) -> None:
    """Wait until every process has worked."""
    end = time.time() + 120
    sent = 0
    while len(workers.victims()) < workers.wanted or len(_ends(log, 0, least=-1000)) < workers.wanted:
        sent += 1
        send(-sent)
        workers.tend()
        time.sleep(0.5)
        if time.time() > end:
            raise RuntimeError(f"The workers do not work.\n{workers.last_words()}")
    while len(_ends(log, 0, least=-1000)) < sent:
        time.sleep(0.1)


def _lines(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()]


def _ends(log: Path, after: int, *, least: int = 0) -> dict[int, float]:
    """Return when each job ended first."""
    ended: dict[int, float] = {}
    for what, stage, job, at in _lines(log)[after:]:
        if what == "end" and stage == "text" and int(job) >= least:
            ended.setdefault(int(job), float(at))
    return ended


@contextlib.contextmanager
def _sender(system: str, url: str, folder: Path) -> Iterator[Any]:
    if system == "celery":
        os.environ["BENCH_URL"] = url
        from celery import Celery

        app = Celery("crashes-sender", broker=url)
        yield lambda job: app.send_task("vision", args=(job,), queue=QUEUES[0])
        app.close()
        return
    from dramatiq import Message

    from growbin_jobs import settings
    from growbin_jobs.engine.opening import open_broker
    from growbin_jobs.wiring import engine_config

    config = engine_config(settings.load(broker_url=url, data_dir=folder / "producer", queue_type="classic"))
    broker = open_broker(config, [])
    broker.declare_queue(QUEUES[0])
    yield lambda job: broker.enqueue(
        Message(queue_name=QUEUES[0], actor_name="vision", args=(job,), kwargs={}, options={})
    )
    broker.close()


class _Workers:
    """The worker processes of one system, until the block ends."""

    def __init__(self, plan: Plan, env: Mapping[str, str], folder: Path) -> None:
        self._plan = plan
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("GROWBIN_", "DATABASE_"))}
        self._env = inherited | dict(env)
        self._log = folder / "log"
        self._started: list[subprocess.Popen[bytes]] = []
        self._cpu_of_dead = 0.0
        self._cpu_seen: dict[int, float] = {}
        self.wanted = plan.processes

    def __enter__(self) -> "_Workers":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in [each for one in self._started for each in _tree(one.pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for one in self._started:
            one.wait()

    def start(self) -> None:
        """Start all of them."""

    def tend(self) -> None:
        """Start again what has died, where nobody else does."""

    def victims(self) -> list[psutil.Process]:
        """Return the processes that run jobs."""
        return []

    def kill_one(self, dice: random.Random) -> bool:
        """Kill one at random."""
        self.cpu()
        victims = self.victims()
        if not victims:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            dice.choice(victims).kill()
        return True

    def cpu(self) -> float:
        """Return the CPU seconds that all of them have used so far, the dead ones included as far as they were seen."""
        for one in self._started:
            for process in _tree(one.pid):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    self._cpu_seen[process.pid] = times.user + times.system
        return sum(self._cpu_seen.values())

    def last_words(self) -> str:
        """Return the end of what they said."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own commands
                command, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


class _Ours(_Workers):
    def start(self) -> None:
        self._started = [self._start([sys.executable, "-m", "benchmarks.crashes_ours"])]

    def victims(self) -> list[psutil.Process]:
        found = []
        for process in _tree(self._started[0].pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                words = " ".join(process.cmdline())
                if "supervision.worker_process" in words or "isolation.child" in words:
                    found.append(process)
        return found


class _Celery(_Workers):
    def start(self) -> None:
        self._started = [self._celery(number) for number in range(self._plan.processes)]

    def tend(self) -> None:
        for number, one in enumerate(self._started):
            if one.poll() is not None:
                self._started[number] = self._celery(number)

    def victims(self) -> list[psutil.Process]:
        return [psutil.Process(one.pid) for one in self._started if one.poll() is None]

    def _celery(self, number: int) -> subprocess.Popen[bytes]:
        return self._start(
            [
                str(Path(sys.executable).parent / "celery"), "-A", "benchmarks.crashes_celery", "worker",
                "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat",
                "--pool", "threads", "--concurrency", str(self._plan.threads), "--hostname", f"crash{number}@%h",
            ]
        )  # fmt: skip


def _tree(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    return []
