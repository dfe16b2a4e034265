"""One run of one system: photos in, advice out."""

import contextlib
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks.pipeline.installation import Installation
from benchmarks.pipeline.servers import Servers

#: Seconds without any progress after which a run has failed.
PATIENCE = 90.0

#: Analyses that each system is warmed up with: every process has then seen some.
WARM = 24


@dataclass(frozen=True)
class Plan:
    """How a run is made.

    Attributes:
      rate: Photos handed in each second; 0: as fast as the producer can.
      kill_every: Seconds between two kill -9 of a worker process; 0: none.
      idle: Seconds for which the workers are watched doing nothing.
      threads: Calls of models at the same time.
      processes: Picture processes on Celery.
      cores: Of the workers alone; empty: all, with everything else.
    """

    rate: float
    kill_every: float
    idle: float
    threads: int
    processes: int
    cores: tuple[int, ...] = ()


@dataclass(frozen=True)
class Run:
    """What came of one run. Times in seconds; milliseconds of CPU are for each analysis.

    ``p50`` and ``p95`` are from the row that a producer writes first to the advice. ``memory_mb`` is the highest sum
    over all worker processes (PSS), ``idle_mb`` before any photo of the run; ``idle_percent`` of one core.
    """

    system: str
    megapixels: int
    killed: bool
    kills: int
    analyses: int
    failed: int
    seconds: float
    per_minute: float
    p50: float
    p95: float
    cpu_ms: float
    producer_cpu_ms: float
    server_cpu_ms: dict[str, float]
    memory_mb: float
    idle_mb: float
    idle_percent: float
    connections: dict[str, int]
    vision_requests: int
    text_requests: int
    model_kb: float


@dataclass
class _Watched:
    memory_mb: float = 0.0
    connections: dict[str, int] = field(default_factory=dict)

    def look(self, installation: Installation) -> None:
        self.memory_mb = max(self.memory_mb, installation.memory_mb())
        for name, count in installation.connections().items():
            self.connections[name] = max(self.connections.get(name, 0), count)


def measure(
    system: str, megapixels: int, photos: Sequence[Path], servers: Servers, plan: Plan, *, seed: int = 0
) -> Run:
    """Start a system anew, warm it up, and let it analyse photos."""
    with (
        tempfile.TemporaryDirectory(prefix="growbin-bench-") as folder,
        servers.database() as database,
        servers.rabbit.vhost() as vhost,
    ):
        installation = Installation(
            system,
            servers,
            database,
            vhost.url,
            Path(folder),
            threads=plan.threads,
            processes=plan.processes,
            cores=plan.cores,
        )
        with contextlib.closing(psycopg2.connect(database)) as connection:
            connection.autocommit = True
            installation.prepare_database(connection)
            with installation, installation.producer() as producer:
                return _Course(
                    system, megapixels, photos, servers, plan, installation, connection, producer, seed
                ).run()


@dataclass
class _Course:
    system: str
    megapixels: int
    photos: Sequence[Path]
    servers: Servers
    plan: Plan
    installation: Installation
    connection: Any
    producer: Any
    seed: int

    def run(self) -> Run:
        plan, installation, watched = self.plan, self.installation, _Watched()
        photos = self.photos[: len(self.photos) - WARM]  # nobody answers from what it was warmed up with
        self._hand_in("warm", self.photos[len(self.photos) - WARM :], rate=8.0)
        self.producer.end()
        self._until_done("warm", WARM, watched=_Watched(), kill_every=0.0)
        idle_mb, idle_percent = self._idle()
        asked, servers_cpu = self.servers.asked(), self.servers.cpu_seconds()
        cpu, began = installation.cpu_seconds(), time.monotonic()
        self._hand_in("job", photos, rate=plan.rate)
        kills, ended = self._until_done("job", len(photos), watched=watched, kill_every=plan.kill_every)
        seconds = ended - began
        cpu = installation.cpu_seconds() - cpu
        produced = self.producer.end()
        number, now, servers_now = len(photos), self.servers.asked(), self.servers.cpu_seconds()
        took = self._took("job")
        return Run(
            system=self.system,
            megapixels=self.megapixels,
            killed=bool(plan.kill_every),
            kills=kills,
            analyses=number,
            failed=number - len(took),
            seconds=seconds,
            per_minute=len(took) / seconds * 60,
            p50=statistics.median(took),
            p95=took[int(len(took) * 0.95)],
            cpu_ms=cpu / number * 1e3,
            producer_cpu_ms=produced["cpu"] / number * 1e3,
            server_cpu_ms={name: (servers_now[name] - servers_cpu[name]) / number * 1e3 for name in servers_cpu},
            memory_mb=watched.memory_mb,
            idle_mb=idle_mb,
            idle_percent=idle_percent,
            connections=watched.connections,
            vision_requests=now.get("vision", 0) - asked.get("vision", 0),
            text_requests=now.get("text", 0) - asked.get("text", 0),
            model_kb=(now["vision_bytes"] - asked["vision_bytes"]) / max(1, now["vision"] - asked["vision"]) / 1e3,
        )

    def _hand_in(self, prefix: str, photos: Sequence[Path], *, rate: float) -> None:
        unique = uuid.uuid4().hex[:8]
        jobs = [(f"{prefix}-{unique}-{at}", f"u{at % 50}", str(path)) for at, path in enumerate(photos)]
        self.producer.begin(jobs, rate)

    def _idle(self) -> tuple[float, float]:
        if not self.plan.idle:
            return self.installation.memory_mb(), 0.0
        time.sleep(3.0)  # what was put off is done
        cpu, began = self.installation.cpu_seconds(), time.monotonic()
        time.sleep(self.plan.idle)
        percent = (self.installation.cpu_seconds() - cpu) / (time.monotonic() - began) * 100
        return self.installation.memory_mb(), percent

    def _until_done(self, prefix: str, number: int, *, watched: _Watched, kill_every: float) -> tuple[int, float]:
        """Wait for the last end; return the kills, and when it was. What never ends is lost: a figure, and no end."""
        dice, kills = random.Random(self.seed), 0  # noqa: S311 - a choice, not a secret
        done, progress = 0, time.monotonic()
        next_look, next_kill = 0.0, time.monotonic() + kill_every
        while done < number:
            time.sleep(0.1)
            now, before = time.monotonic(), done
            done = self._count(prefix)
            progress = now if done > before else progress
            if now >= next_look:
                watched.look(self.installation)
                self.installation.cpu_seconds()
                next_look = now + 1.0
            if kill_every and now >= next_kill:
                kills += self.installation.kill_one(dice)
                next_kill = now + kill_every
            self.installation.tend()
            if now - progress > PATIENCE:
                if not kills:
                    raise RuntimeError(f"{done} of {number} are done.\n{self.installation.last_words()}")
                break
        return kills, progress

    def _count(self, prefix: str) -> int:
        return int(
            self._ask("SELECT count(*) FROM waste_analysis WHERE status IN ('completed', 'failed')", prefix)[0][0]
        )

    def _took(self, prefix: str) -> list[float]:
        seconds = "SELECT extract(epoch FROM completed_at - created_at) FROM waste_analysis WHERE status = 'completed'"
        return sorted(float(row[0]) for row in self._ask(seconds, prefix))

    def _ask(self, query: str, prefix: str) -> list[Any]:
        cursor = self.connection.cursor()
        cursor.execute(query + " AND id LIKE %s", (f"{prefix}-%",))
        rows: list[Any] = cursor.fetchall()
        return rows
