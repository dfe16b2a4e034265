"""An installation of real processes: nodes of workers, schedulers, a producer and a stand-in for the models' server."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from tests import waiting

from stubs.openai_server import StubOpenAI

HERE = Path(__file__).parent
KEY = "sk-staged"

#: Files of the data folder.
CENTRAL, BROKER, JOURNAL = "central.db", "broker.db", "task_queue.db"

#: Seconds within which something that must happen does.
PATIENCE = 90.0

#: Quick to come to an end; what alerts look at is as it is delivered.
QUICK = {
    "GROWBIN_UPLOAD_BACKOFF": "0.2",
    "GROWBIN_VISION_BACKOFF": "0.2",
    "GROWBIN_RULE_BACKOFF": "0.2",
    "GROWBIN_RESPONSE_BACKOFF": "0.2",
    "GROWBIN_DEFERRAL_WAIT": "0.5",
    "GROWBIN_LANGUAGE": "en",
    "GROWBIN_VISION_LIMIT": "0",
    "GROWBIN_TEXT_LIMIT": "0",
    "GROWBIN_JOURNAL_FREE_FLOOR": "10000000",
    "GROWBIN_SHUTDOWN_TIMEOUT": "5",
    "GROWBIN_FINAL_SYNC_TIMEOUT": "2",
}


#: Waits until something is seen, and returns it: each look is a question to a process.
until = partial(waiting.until, seconds=PATIENCE, every=0.1)


class Models(StubOpenAI):
    """A server of models that is in a mood: how it answers each request, by its kind and number."""

    mood: Callable[[str, int], str] = staticmethod(lambda kind, number: "ok")
    _number = 0

    def _next(self, kind: str) -> str:
        self._number += 1
        return self.mood(kind, self._number)

    def hang(self) -> None:
        """Answer nothing from now on."""
        self._released.clear()
        self.mood = lambda kind, number: "hang"

    def be_well(self) -> None:
        """Answer everything, also what hangs."""
        self.mood = lambda kind, number: "ok"
        self.release()


class Site:
    """Everything lies in one folder; the broker and the database are embedded unless the environment says otherwise.

    Parameters:
      folder: For its files.
      env: Settings of its own.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] = {}) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.data = folder / "data"
        self.models = Models(key=KEY).start()
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("GROWBIN_", "OPENAI_"))}
        self.env |= QUICK | {
            "GROWBIN_DATA_DIR": str(self.data),
            "GROWBIN_SCHEDULER_METRICS_PORT": "0",
            "GROWBIN_METRICS_PORT": "0",
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": self.models.url,
            "GROWBIN_MODEL_SERVER": "openai",
        }
        self.env |= env
        self.targets: dict[str, list[int]] = {"growbin-workers": [], "growbin-scheduler": []}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._producer: subprocess.Popen[str] | None = None
        self.of_producer: dict[str, str] = {}
        self._locks: list[sqlite3.Connection] = []
        self.ending = contextlib.ExitStack()

    # --- processes

    def worker(
        self,
        group: str,
        *,
        node: str = "",
        env: Mapping[str, str] = {},
        inside: Sequence[str] = (),
    ) -> None:
        """Start the workers of a group.

        Parameters:
          node: Name of a node of their own; like the group unless one is given.
          env: Settings of their own.
          inside: Command line that runs theirs.
        """
        node, port = node or group, free_port()
        self.targets["growbin-workers"].append(port)
        own = {"GROWBIN_NODE": node, "GROWBIN_METRICS_PORT": str(port), **env}
        self.start(node, own, "worker", group, "--processes", "1", "--threads", "16", inside=inside)

    def scheduler(self, name: str = "scheduler", env: Mapping[str, str] = {}) -> None:
        """Start a scheduler, on a node of its own."""
        port = free_port()
        self.targets["growbin-scheduler"].append(port)
        self.start(name, {"GROWBIN_NODE": name, "GROWBIN_SCHEDULER_METRICS_PORT": str(port), **env}, "scheduler")

    def start(self, name: str, env: Mapping[str, str], *arguments: str, inside: Sequence[str] = ()) -> None:
        """Start a command of the product under a name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*inside, *command(*arguments)],
                env={**self.env, **env}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def pid(self, name: str) -> int:
        """Return the pid of the first child of what runs under a name."""
        return psutil.Process(self._processes[name].pid).children()[0].pid

    def worker_process(self, name: str) -> int:
        """Return the pid of the process of a node that runs messages."""
        from growbin_jobs.engine.node.presence import present

        [pid] = [process.pid for process in present(self.data / name).values() if process is not None]
        return pid

    def kill(self, name: str) -> None:
        """kill -9 of all processes of a node at once, its keeper too."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGSTOP)  # nobody starts anybody anew
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, name: str) -> None:
        """SIGTERM, and wait."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)

    # --- work

    def hand_in(self, command_line: str) -> None:
        """Give the producer a command, see ``producer.py``."""
        if self._producer is None:
            with (self.folder / "producer.log").open("ab") as log:
                self._producer = subprocess.Popen(
                    [sys.executable, str(HERE / "producer.py")],
                    env=self.env | {"GROWBIN_NODE": "producer"} | self.of_producer,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1,
                )  # fmt: skip
            assert self._says() == "ready\n", self.last_words()
        assert self._producer.stdin
        self._producer.stdin.write(command_line + "\n")
        assert self._says() == "done\n", self.last_words()

    def end_producer(self) -> None:
        """kill -9 of the producer; the next command starts another one."""
        if self._producer:
            self._producer.kill()
            self._producer.wait()
            self._producer = None

    def _says(self) -> str:
        assert self._producer
        assert self._producer.stdout
        return self._producer.stdout.readline()

    def completed(self) -> int:
        """Return how many analyses are completed."""
        [(count,)] = self.rows(CENTRAL, "SELECT count(*) FROM waste_analysis WHERE status = 'completed'")
        return int(count)

    def run(self, *arguments: str) -> str:
        """Run a command of the product and return what it prints."""
        done = subprocess.run(command(*arguments), env=self.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def by_hand(self, file: str, statement: str, *values: Any) -> int:
        """Change a SQLite file of the data folder as only a test does; return how many rows were."""
        with contextlib.closing(sqlite3.connect(self.data / file, timeout=30)) as connection, connection:
            return connection.execute(statement, values).rowcount

    def lock(self, file: str) -> None:
        """Let nobody else use a SQLite file, until :meth:`unlock`."""
        connection = sqlite3.connect(self.data / file, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN EXCLUSIVE")
        self._locks.append(connection)

    def unlock(self) -> None:
        """Let go of what :meth:`lock` has."""
        while self._locks:
            self._locks.pop().close()

    def rows(self, file: str, query: str) -> list[Any]:
        """Read such a file."""
        with contextlib.closing(sqlite3.connect(self.data / file, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    # --- its end

    def last_words(self, lines: int = 15) -> str:
        """The end of all logs."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) for log in logs
        )

    def close(self) -> None:
        """End everything."""
        self.models.be_well()
        self.unlock()
        for name, process in list(self._processes.items()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
            self.kill(name)
        self.end_producer()
        self.models.stop()
        self.ending.close()


def command(*arguments: str) -> list[str]:
    """Return the product's command line."""
    return [sys.executable, "-c", "from growbin_jobs.cli import main; main()", *arguments]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
