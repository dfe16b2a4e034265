"""The worker processes of one system, and a producer for it."""

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import psutil

from benchmarks.pipeline.servers import Servers
from benchmarks.tasks.systems import BIN
from benchmarks.tasks.workers import inherited

#: growbin_jobs; Celery with a smaller picture for the model, as the job says; Celery that sends the stored one.
SYSTEMS = {"growbin_jobs": "growbin_jobs", "celery": "Celery", "celery-large": "Celery, 2048 px to the model"}

_TABLE = """
CREATE TABLE waste_analysis (
    id text PRIMARY KEY, user_id text, status text NOT NULL, s3_path text, thumbnail_path text, category text,
    item text, state text, confidence double precision, rules jsonb, response text,
    created_at timestamptz NOT NULL, completed_at timestamptz
)
"""


class Installation:
    """One system with its environment. Its processes live until the block ends; what dies is started again.

    Parameters:
      system: One of :data:`SYSTEMS`.
      servers: What it works with.
      database, broker: URLs of its own.
      folder: Of its own.
      threads: Calls of models at the same time.
      processes: Worker processes for pictures on Celery; growbin_jobs has its own numbers.
      cores: That they run on; empty: all.
    """

    def __init__(
        self,
        system: str,
        servers: Servers,
        database: str,
        broker: str,
        folder: Path,
        *,
        threads: int,
        processes: int,
        cores: Sequence[int] = (),
    ) -> None:
        self.system = system
        self.folder = folder
        self._servers = servers
        self._threads, self._processes = threads, processes
        self._cores = tuple(cores)
        self._env = inherited() | dict(servers.env) | self._variables(database, broker)
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._dead_cpu = 0.0
        self._cpu: dict[int, float] = {}

    def __enter__(self) -> Self:
        if self.system == "growbin_jobs":
            self._run("db", "upgrade")
        self.tend()
        return self

    def __exit__(self, *_exc: Any) -> None:
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for one in self._started.values():
            one.wait()

    def prepare_database(self, connection: Any) -> None:
        """Make the tables of a system that has no command for it."""
        if self.system != "growbin_jobs":
            connection.cursor().execute(_TABLE)

    def tend(self) -> None:
        """Start what does not run, as systemd would."""
        for name, command in self._commands().items():
            one = self._started.get(name)
            if one is None or one.poll() is not None:
                self._started[name] = self._start(command, "workers", cores=self._cores)

    def tree(self) -> list[psutil.Process]:
        """Return all its processes."""
        found: list[psutil.Process] = []
        for one in self._started.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                top = psutil.Process(one.pid)
                found += [top, *top.children(recursive=True)]
        return found

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its processes so far, dead ones as far as they were seen."""
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                self._cpu[process.pid] = times.user + times.system
        return sum(self._cpu.values())

    def memory_mb(self) -> float:
        """Return the memory of all its processes together, shared pages counted once (PSS)."""
        total = 0
        for process in self.tree():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0])
        return total * 1024 / 1e6

    def connections(self) -> dict[str, int]:
        """Return its connections to each server."""
        ports = {port: name for name, port in self._servers.ports().items()}
        counts = dict.fromkeys(ports.values(), 0)
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                for one in process.net_connections("tcp"):
                    if one.status == psutil.CONN_ESTABLISHED and one.raddr and one.raddr.port in ports:
                        counts[ports[one.raddr.port]] += 1
        return counts

    def kill_one(self, dice: random.Random) -> bool:
        """kill -9 of a process that runs jobs, at random."""
        victims = [process for process in self.tree() if self._works(process)]
        if victims:
            self.cpu_seconds()
            with contextlib.suppress(psutil.NoSuchProcess):
                dice.choice(victims).kill()
        return bool(victims)

    @contextlib.contextmanager
    def producer(self) -> Iterator["Producer"]:
        """Start a process that hands photos in."""
        command = [sys.executable, "-m", "benchmarks.pipeline.producer", self.system]
        process = self._start(command, "producer", pipes=True)
        try:
            yield Producer(process)
        finally:
            process.kill()
            process.wait()

    def last_words(self, lines: int = 25) -> str:
        """Return the end of what they said."""
        said = [log.read_text(errors="replace").splitlines()[-lines:] for log in self.folder.glob("*.log")]
        return "\n".join(line for part in said for line in part)

    def _works(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            words = " ".join(process.cmdline())
            if self.system == "growbin_jobs":
                return "supervision.worker_process" in words
            pictures = self._started["pictures"].pid
            return process.pid == self._started["models"].pid or (process.ppid() == pictures and "celery" in words)
        return False

    def _commands(self) -> dict[str, list[str]]:
        if self.system == "growbin_jobs":
            return {"up": [str(BIN / "growbin-jobs"), "up", "--no-monitor"]}
        return {
            "pictures": self._celery("pictures", "user_input", "prefork", self._processes),
            "models": self._celery(
                "models", "vision_analysis,rule_retrieval,response_generation", "threads", self._threads
            ),
        }

    def _celery(self, name: str, queues: str, pool: str, concurrency: int) -> list[str]:
        return [
            str(BIN / "celery"), "-A", "benchmarks.pipeline.celery_worker", "worker", "--loglevel", "WARNING",
            "--without-gossip", "--without-mingle", "--without-heartbeat", "--queues", queues, "--pool", pool,
            "--concurrency", str(concurrency), "--hostname", f"{name}@%h",
        ]  # fmt: skip

    def _variables(self, database: str, broker: str) -> dict[str, str]:
        return {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])),
            "GROWBIN_BROKER_URL": broker,
            "DATABASE_URL": database,
            "GROWBIN_DATA_DIR": str(self.folder / "data"),
            "GROWBIN_VISION_LIMIT": "0",
            "GROWBIN_TEXT_LIMIT": "0",
            "OPENAI_API_KEY": "sk-bench",
            "OPENAI_BASE_URL": f"{self._servers.model}/v1",
            "GROWBIN_MODEL_SERVER": "openai",
            "BENCH_URL": broker,
            "BENCH_DATABASE": database,
            "BENCH_S3": self._servers.env["GROWBIN_S3_ENDPOINT_URL"],
            "BENCH_BUCKET": self._servers.facts["s3"]["bucket"],
            "BENCH_CELERY_JOURNAL": str(self.folder / "journal.db"),
            "BENCH_MODEL_SIDE": "0" if self.system == "celery-large" else "1024",
        }

    def _run(self, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 - our own
            [str(BIN / "growbin-jobs"), *arguments], env=self._env, check=True, stdout=subprocess.DEVNULL
        )

    def _start(
        self, command: Sequence[str], log: str, *, pipes: bool = False, cores: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{log}.log").open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own commands
                command,
                env=self._env,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else output,
                stderr=output,
                start_new_session=True,
                preexec_fn=partial(_prepare, cores),
            )


class Producer:
    """See :mod:`benchmarks.pipeline.producer`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def begin(self, jobs: Sequence[tuple[str, str, str]], rate: float) -> None:
        """Let it hand photos in."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jobs": jobs, "rate": rate}).encode() + b"\n")
        self._process.stdin.flush()

    def end(self) -> Mapping[str, float]:
        """Wait until it has, and return what that took."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The producer has ended.")
        took: Mapping[str, float] = json.loads(line)
        return took


def _prepare(cores: Sequence[int]) -> None:
    """Let a process open many files, leave Ctrl-C to us, and run on its cores."""
    if cores:
        os.sched_setaffinity(0, cores)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
