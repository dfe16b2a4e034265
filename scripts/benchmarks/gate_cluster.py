"""The cluster of ``scripts/bench gate-proof``: nodes of caller processes that are killed, paused and added."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "stubs"))

from limited_openai import LimitedOpenAI, largest  # noqa: E402

from growbin_jobs.engine.central.database import Database  # noqa: E402
from growbin_jobs.engine.central.opening import open_database  # noqa: E402
from growbin_jobs.engine.central.upgrade import upgrade  # noqa: E402
from growbin_jobs.models import SCHEMA  # noqa: E402

KINDS = ("vision", "text")

#: What a process says when its threads have begun to ask.
ASKS = "asks"

#: Seconds after a kill, a pause and its end that are no steady state: what the node held is lost with it.
UPSET = 10.0


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes:
      seconds: How long it lasts, from when all processes ask.
      nodes, processes, threads: Of the cluster at the start.
      vision, text: The most requests in any window.
      window: Its length in seconds.
      late: Most seconds by which the server counts late.
      answers_after: Seconds, from and to, that answers take, by kind.
      kill_at, pause_at, add_at: Seconds after the start at which a node is killed (and started anew a window later),
        paused, added.
      pause: Seconds that a node stands still.
    """

    seconds: float = 300.0
    nodes: int = 3
    processes: int = 3
    threads: int = 16
    vision: int = 100
    text: int = 200
    window: float = 60.0
    late: float = 1.0
    answers_after: dict[str, tuple[float, float]] = field(
        default_factory=lambda: {"vision": (5.0, 30.0), "text": (2.0, 12.0)}
    )
    kill_at: Sequence[float] = (90.0,)
    pause_at: Sequence[float] = (150.0,)
    add_at: Sequence[float] = (210.0,)
    pause: float = 20.0


@dataclass(frozen=True)
class Judged:
    """What the server counted of one kind.

    Attributes:
      limit: The most that may be counted in any window.
      worst: The most that was.
      use: Part of the limit that was used, from a window after all processes have begun to ask.
      steady: The same without the seconds in which a node was killed, paused or resumed, and those after.
      counted: In all.
    """

    limit: int
    worst: int
    use: float
    steady: float
    counted: int


def run(
    plan: Plan, database_url: str | None, *, start: Callable[..., subprocess.Popen[Any]] = subprocess.Popen
) -> dict[str, Any]:
    """Let a cluster ask for a while, and return what the server counted.

    Parameters:
      plan: See :class:`Plan`.
      database_url: Of the central database, which is upgraded; None: a SQLite file.
      start: What starts each process, as :class:`subprocess.Popen` does.
    """
    limits = {"vision": plan.vision, "text": plan.text}
    server = LimitedOpenAI(limits, window=plan.window, late=plan.late, answers_after=plan.answers_after)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder, server:
        cluster = _Cluster(plan, Path(folder), database_url, server.url, start)
        with _database(database_url, Path(folder)) as database:
            upgrade(database, SCHEMA)
        try:
            for number in range(plan.nodes):
                cluster.start(f"n{number + 1}")
            _wait_for(lambda: cluster.asking() == plan.nodes * plan.processes)
            _wait_for(lambda: all(len(server.counted(kind)) > 2 for kind in KINDS))  # type: ignore[arg-type]
            began = time.monotonic()  # loading took as long as the machine was busy, and is no part of the run
            loaded = began + min(plan.window, plan.seconds / 4)
            events = _play(plan, cluster, began)
            ended = time.monotonic()
            with _database(database_url, Path(folder)) as database:
                granted = _granted(database)
            verified = _verify(cluster.environment("setup"), ended - began) if plan.window == 60.0 else None
        finally:
            cluster.stop()
        judged = {
            kind: _judge(server.counted(kind), limits[kind], plan, (loaded, ended), began)  # type: ignore[arg-type]
            for kind in KINDS
        }
        return {
            "judged": judged,
            "refused": server.refused,
            "violations": server.violations[:3],
            "events": events,
            # Granted, and in nobody's count: held by who was killed or paused, given back, or not counted yet.
            "not_counted": {kind: granted[kind] - judged[kind].counted for kind in KINDS},
            "verify": verified,
        }


class _Cluster:
    def __init__(
        self, plan: Plan, folder: Path, database_url: str | None, server: str, start: Callable[..., Any]
    ) -> None:
        self._plan, self._folder, self._database_url, self._server = plan, folder, database_url, server
        self._start = start
        self._nodes: dict[str, list[subprocess.Popen[bytes]]] = {}

    def environment(self, node: str) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("GROWBIN_", "OPENAI_"))}
        own |= {
            "GROWBIN_NODE": node,
            "GROWBIN_DATA_DIR": str(self._folder / "data"),
            "OPENAI_BASE_URL": self._server,
            "GROWBIN_MODEL_SERVER": "openai",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "scripts"), str(ROOT / "src")]),
        }
        own.pop("DATABASE_URL", None)
        return own | ({"DATABASE_URL": self._database_url} if self._database_url else {})

    def start(self, node: str) -> None:
        plan = self._plan
        options = ["--threads", plan.threads, "--vision", plan.vision, "--text", plan.text, "--window", plan.window]
        command = [sys.executable, "-m", "benchmarks.gate_caller", *map(str, options)]
        log = (self._folder / f"{node}.log").open("ab")
        with log:
            self._nodes[node] = [
                self._start(command, env=self.environment(node), stdout=log, stderr=log, cwd=ROOT)
                for _ in range(plan.processes)
            ]

    def asking(self) -> int:
        """Return how many processes have begun to ask."""
        return sum(log.read_text("utf-8", "replace").count(f"{ASKS}\n") for log in self._folder.glob("*.log"))

    def signal(self, node: str, number: signal.Signals) -> None:
        for process in self._nodes[node]:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def kill(self, node: str) -> None:
        self.signal(node, signal.SIGKILL)
        for process in self._nodes.pop(node):
            process.wait()

    def stop(self) -> None:
        for node in list(self._nodes):
            self.kill(node)


def _play(plan: Plan, cluster: _Cluster, began: float) -> list[str]:
    """Kill, pause and add nodes at their times; return what was done."""
    script: list[tuple[float, str, str]] = []
    for at in plan.kill_at:
        script += [(at, "kill", "n1"), (at + plan.window / 2, "start", "n1")]
    for at in plan.pause_at:
        script += [(at, "pause", "n2"), (at + plan.pause, "resume", "n2")]
    script += [(at, "start", f"n{plan.nodes + 1 + number}") for number, at in enumerate(plan.add_at)]
    done = []
    for at, what, node in sorted(script):
        time.sleep(max(0.0, began + at - time.monotonic()))
        match what:
            case "kill":
                cluster.kill(node)
            case "start":
                cluster.start(node)
            case "pause":
                cluster.signal(node, signal.SIGSTOP)
            case "resume":
                cluster.signal(node, signal.SIGCONT)
        done.append(f"{what} {node} at {at:.0f} s")
    time.sleep(max(0.0, began + plan.seconds - time.monotonic()))
    return done


def _judge(moments: list[float], limit: int, plan: Plan, between: tuple[float, float], began: float) -> Judged:
    upset = [*plan.kill_at, *plan.pause_at, *(at + plan.pause for at in plan.pause_at)]
    stretches = _without([between], [(began + at, began + at + UPSET) for at in upset])
    return Judged(
        limit,
        largest(moments, plan.window),
        _use(moments, [between], limit / plan.window),
        _use(moments, stretches, limit / plan.window),
        len(moments),
    )


def _without(stretches: list[tuple[float, float]], gaps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    for first, last in gaps:
        cut = [part for start, end in stretches for part in ((start, min(end, first)), (max(start, last), end))]
        stretches = [(start, end) for start, end in cut if start < end]
    return stretches


def _use(moments: list[float], stretches: list[tuple[float, float]], rate: float) -> float:
    inside = sum(start <= moment < end for moment in moments for start, end in stretches)
    return inside / (rate * sum(end - start for start, end in stretches)) if stretches else 0.0


def _wait_for(begun: Callable[[], bool], patience: float = 300.0) -> None:
    until = time.monotonic() + patience
    while not begun():
        if time.monotonic() > until:
            raise SystemExit("Not all processes have begun to ask. The log of a node says why.")
        time.sleep(0.05)


def _database(database_url: str | None, folder: Path) -> contextlib.closing[Database]:
    """Open the central database of the cluster."""
    return contextlib.closing(
        open_database(database_url, default_path=folder / "data" / "central.db", pool_size=1, timeout=30)
    )


def _granted(database: Database) -> dict[str, int]:
    """Return the changes of each limit: its grants, and what was given back."""
    rows = database.run(lambda one: one.execute_sql("SELECT name, version FROM call_limit").fetchall())
    return {name: int(version) for name, version in rows}


def _verify(environment: dict[str, str], seconds: float) -> dict[str, Any]:
    """What ``growbin-jobs limits verify`` says of the same time, from our own ledger."""
    found: dict[str, Any] = json.loads(
        _command("limits", "verify", "--last", f"{round(seconds)}s", "--json", environment=environment)
    )
    return found


def _command(*words: str, environment: dict[str, str]) -> str:
    main = "from growbin_jobs.cli import main; main()"
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", main, *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode and not done.stdout:
        raise SystemExit(done.stderr)
    return done.stdout


@contextlib.contextmanager
def private_postgres() -> Iterator[str]:
    """Start a private PostgreSQL that waits for the disk as a real one does, and yield its address."""
    with private_servers("postgres") as started:
        facts = started["postgres"]
        for statement in ("ALTER SYSTEM SET fsync = on", "ALTER SYSTEM SET full_page_writes = on"):
            _psql(facts, statement)
        _psql(facts, "SELECT pg_reload_conf()")
        yield facts["url"]


def _psql(facts: dict[str, Any], statement: str) -> None:
    command = [facts["psql"], "-X", "-q", "-o", os.devnull, facts["url"], "-c", statement]
    subprocess.run(command, check=True)  # noqa: S603 - our own command


@contextlib.contextmanager
def private_servers(*names: str) -> Iterator[dict[str, Any]]:
    """Start private servers (``rabbitmq``, ``postgres``, ``s3``) and yield what is known of each by name."""
    with tempfile.TemporaryDirectory() as folder:
        up = ["up", "--only", ",".join(names), "--json", "--with-pid", str(os.getpid()), "--dir", folder]
        try:
            yield json.loads(_services(*up))
        finally:
            _services("down", "--dir", folder)


def _services(*words: str) -> str:
    command = [str(ROOT / "scripts" / "services"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own script
