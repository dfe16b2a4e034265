"""One set of workers: warm up, load, time the drain, check that nothing is missing."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import apsw

from benchmarks.tasks.rabbit import COUNT_INTERVAL, Rabbit, Vhost
from benchmarks.tasks.systems import BIN, POOLS, STAGES, Pool, commands, environment, first_message, stage_name
from benchmarks.tasks.tally import Tally
from benchmarks.tasks.workers import Workers, inherited
from growbin_jobs import settings as _settings

#: Tasks of the first trial, at least, and seconds that the last one takes: it says how many tasks fill the time of a
#: measurement. A shorter one mostly tells when RabbitMQ happened to count.
TRIAL, TRIAL_SECONDS = 800, 0.5

#: Seconds until workers must consume, and seconds without any progress after which a measurement is given up.
BOOT_TIMEOUT, STALL_TIMEOUT = 60.0, 60.0

#: Seconds without progress until RabbitMQ is asked, and that it must say "empty" before missing chains count as lost.
ASK_AFTER, LOST_AFTER = 1.0, 6.0


class MeasurementFailed(Exception):
    """Workers did not come up, or stopped before the end."""


@dataclass(frozen=True)
class Size:
    """How long one measurement is.

    Attributes:
      seconds: What it shall take, by the rate of the warm-up.
      tasks: Most tasks of one measurement.
    """

    seconds: float
    tasks: int


@dataclass(frozen=True)
class Measurement:
    """What one drain gave.

    Attributes:
      system, pool, length: Who, how, and the stages of a chain.
      chains: Chains that were loaded.
      seconds: From the moment the workers may go until RabbitMQ holds nothing any more.
      chains_per_second: Of that time.
      cpu_us_per_task, broker_cpu_us_per_task: CPU time of all worker processes, and of RabbitMQ, in microseconds. Less
        shaken by what else the machine does than the rate is. RabbitMQ's is that of handing the tasks out, and not of
        taking them before the workers may go, nor of being asked afterwards whether it holds any.
      connections: Most connections to RabbitMQ of one process.
      peak_mb: Largest resident memory of one process so far.
      lost, duplicates: Last stages that never ran, and that ran again.
      journaled: Tasks that the journal holds as completed, of all that these workers have run; None without a journal.
    """

    system: str
    pool: str
    length: int
    chains: int
    seconds: float
    chains_per_second: float
    cpu_us_per_task: float
    broker_cpu_us_per_task: float
    connections: int
    peak_mb: float
    lost: int
    duplicates: int
    journaled: float | None


def measure(
    rabbit: Rabbit,
    system: str,
    pool_name: str,
    lengths: Sequence[int],
    *,
    queue_type: str,
    size: Size,
    base: Path | None = None,
) -> Iterator[Measurement]:
    """Start workers, warm them up, and measure chains of each length.

    Parameters:
      rabbit: Where.
      system: A key of :data:`SYSTEMS`.
      pool_name: A key of :data:`POOLS`.
      lengths: Stages of the chains to measure.
      queue_type: ``quorum`` or ``classic``.
      size: How long.
      base: The checkout of system ``p``.

    Raises:
      MeasurementFailed: With what the workers printed last.
    """
    pool = POOLS[pool_name]
    everyone = max(pool.processes * pool.concurrency, 100)
    with tempfile.TemporaryDirectory(prefix="growbin-bench-") as name, rabbit.vhost() as vhost:
        folder = Path(name)
        tally = Tally(folder / "tally", everyone + 3 * (everyone + TRIAL + size.tasks) * len(lengths))
        env = environment(
            system, pool, url=vhost.url, queue_type=queue_type, folder=folder, tally=folder / "tally", base=base
        )
        _prepare_database(system, env, folder / "log")
        with Workers(commands(system, pool), env, folder / "log") as workers:
            _wait_for_consumers(vhost, workers, pool)
            session = Session(system, vhost, workers, tally, rabbit.cpu_seconds)
            session.drain(everyone, STAGES)
            for length in lengths:
                rate = session.rate(max(everyone // 2, TRIAL // length), length, size.tasks // length)
                number = int(min(rate * size.seconds, size.tasks / length))
                cpu = workers.cpu_seconds()
                chains, _, seconds, broker_cpu = session.drain(max(number, 1), length)
                tasks = len(chains) * length
                yield Measurement(
                    system=system,
                    pool=pool_name,
                    length=length,
                    chains=len(chains),
                    seconds=seconds,
                    chains_per_second=len(chains) / seconds,
                    cpu_us_per_task=(workers.cpu_seconds() - cpu) / tasks * 1e6,
                    broker_cpu_us_per_task=broker_cpu / tasks * 1e6,
                    connections=workers.connections(rabbit.port),
                    peak_mb=workers.peak_mb(),
                    lost=len(chains) - tally.finished(chains),
                    duplicates=tally.duplicates(chains),
                    journaled=_journaled(env["GROWBIN_DATA_DIR"]) / session.tasks if system in "cp" else None,
                )


def _prepare_database(system: str, env: Mapping[str, str], log: Path) -> None:
    """Upgrade the central database, so that the keeper of every version copies to it during the measurement.

    A version that leaves the upgrade to people copies nothing without it, and is measured without that work.
    """
    if system not in "cp":
        return
    command = [str(BIN / "growbin-jobs"), "db", "upgrade"]
    with log.open("ab") as output:
        done = subprocess.run(command, env=inherited() | env, stdout=output, stderr=output, check=False)  # noqa: S603
    if done.returncode:
        raise MeasurementFailed(f"The database cannot be upgraded.\n{log.read_text(errors='replace')}")


def _wait_for_consumers(vhost: Vhost, workers: Workers, pool: Pool) -> None:
    deadline = time.monotonic() + BOOT_TIMEOUT
    while any(vhost.consumers(stage_name(stage)) < pool.processes for stage in range(1, STAGES + 1)):
        if not workers.alive or time.monotonic() > deadline:
            raise MeasurementFailed(f"The workers did not begin to consume.\n{workers.last_words()}")
        time.sleep(0.1)


class Drained(NamedTuple):
    """What one drain took.

    Attributes:
      ran: Seconds until the last stage of the last chain had run.
      acknowledged: Seconds until RabbitMQ held nothing any more, which it counts now and then.
      broker_cpu: Seconds of CPU that RabbitMQ has used until the last stage had run.
    """

    chains: range
    ran: float
    acknowledged: float
    broker_cpu: float


class Session:
    """Drains of one set of workers, one after the other, each with chains of its own.

    Parameters:
      broker_cpu: Returns the CPU seconds that RabbitMQ has used so far.

    Attributes:
      tasks: Tasks that these workers have been given so far.
    """

    def __init__(
        self, system: str, vhost: Vhost, workers: Workers, tally: Tally, broker_cpu: Callable[[], float]
    ) -> None:
        self.tasks = 0
        self._broker_cpu = broker_cpu
        self._system = system
        self._vhost = vhost
        self._workers = workers
        self._tally = tally
        self._next = 0

    def rate(self, number: int, length: int, most: int) -> float:
        """Return chains per second of a drain that takes long enough to tell.

        Parameters:
          number: Chains to begin with.
          most: Chains of one drain at most.
        """
        while True:
            number = min(number, most)
            ran = self.drain(number, length).ran
            if ran >= TRIAL_SECONDS or number == most:
                return number / ran
            number = int(number * min(max(1.2 * TRIAL_SECONDS / ran, 2.0), 4.0))

    def drain(self, number: int, length: int) -> Drained:
        """Load chains while the workers are frozen, let them go, and wait until RabbitMQ holds nothing any more."""
        chains = range(self._next, self._next + number)
        self._next, self.tasks = chains.stop, self.tasks + number * length
        self._workers.freeze()
        try:
            self._vhost.load(stage_name(1), (first_message(self._system, chain, length) for chain in chains))
        finally:
            self._workers.thaw()
        begin, broker_cpu = time.monotonic(), self._broker_cpu()
        self._until_all_ran(chains)
        ran, broker_cpu = time.monotonic() - begin, self._broker_cpu() - broker_cpu
        # A task ends with its acknowledgement, after its journal row and the next stage's message.
        return Drained(chains, ran, self._when_empty() - begin, broker_cpu)

    def _until_all_ran(self, chains: range) -> None:
        ran, progress, empty_since = 0, time.monotonic(), None
        while ran < len(chains):
            time.sleep(0.005)
            now, before = time.monotonic(), ran
            ran = self._tally.finished(chains)
            if ran > before:
                progress, empty_since = now, None
            elif now - progress > ASK_AFTER:
                self._check(progress, f"{ran} of {len(chains)} chains ended")
                if self._vhost.left():
                    empty_since = None
                elif now - (empty_since := empty_since or now) > LOST_AFTER:
                    return

    def _when_empty(self) -> float:
        """Return when RabbitMQ held nothing any more: in the middle between the last two counts, on average."""
        ran, empty_since, waited = time.monotonic(), None, False
        while empty_since is None or time.monotonic() - empty_since < 1.5 * COUNT_INTERVAL:
            if self._vhost.left():
                empty_since, waited = None, True
                self._check(ran, "all tasks ran, not all were acknowledged")
            else:  # counted anew meanwhile, it must still be
                empty_since = empty_since or time.monotonic()
            time.sleep(0.02)
        return max(ran, empty_since - COUNT_INTERVAL / 2) if waited else ran

    def _check(self, progress: float, words: str) -> None:
        if not self._workers.alive or time.monotonic() - progress > STALL_TIMEOUT:
            raise MeasurementFailed(f"{words}; left: {self._vhost.left()}\n{self._workers.last_words()}")


def _journaled(data_dir: str) -> int:
    """Return how many tasks the node's journal has as completed."""
    path = _settings.load(data_dir=Path(data_dir)).journal_path
    if not path.exists():
        return 0
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows = connection.execute("SELECT count(*) FROM task_wal WHERE status = 'completed'")
        return int(next(rows)[0])
    except apsw.SQLError:  # the file is another one's part so far
        return 0
    finally:
        connection.close()
