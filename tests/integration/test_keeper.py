"""The keeper among real processes: elected, replaced when it dies, last to leave, and nothing is lost on its way."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import pytest
from dramatiq import Message
from tests import command_line
from tests.upgraded import upgrade
from tests.waiting import freeze, until

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import changes, tasks
from growbin_jobs.engine.node.election import keeper_pid
from growbin_jobs.models import SCHEMA
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

HERE = Path(__file__).parent
PATIENCE = 60.0


class Node:
    """One node: its folder, its central database, and the processes that a test starts on it."""

    def __init__(self, folder: Path, **overrides: Any) -> None:
        self.settings = load(node="n1", data_dir=folder, **overrides)
        self.folder = self.settings.node_dir
        self.env = os.environ | {"GROWBIN_NODE": "n1", "GROWBIN_DATA_DIR": str(folder)}
        self.env["GROWBIN_SYNC_INTERVAL"] = "0.1"
        self.log = folder / "log"
        self.journal = Journal(self.settings.journal_path, node="n1", worker="test", free_floor=1)
        self.database = central_database(self.settings)
        upgrade(self.database, SCHEMA)
        self.tasks = Tasks(self.database)
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = command_line.start_python(command, env=self.env | env, stdout=log, stderr=log, cwd=HERE)
        self.processes.append(process)
        return process

    def dramatiq(self, command: str = "dramatiq", processes: int = 1, **env: str) -> subprocess.Popen[bytes]:
        """Start a master; return once all its workers have booted and there is a keeper."""
        path = str(Path(sys.executable).with_name(command))
        ready = self.said("is ready for action") + processes + 1
        limits = ["--processes", str(processes), "--threads", "2", "--worker-shutdown-timeout", "20000"]
        master = self.start(path, "keeper_app", *limits, **env)
        until(lambda: self.said("is ready for action") >= ready, "the workers are up")
        self.keeper()
        return master

    def candidate(self, *options: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a keeper that belongs to no dramatiq."""
        return self.start(sys.executable, "-m", "growbin_jobs.keeper", *options, **env)

    def keeper(self, *, but: int | None = None) -> int:
        """Return the keeper's process number, once there is one."""
        return int(until(lambda: (pid := keeper_pid(self.folder)) != but and pid, "there is a keeper"))

    def said(self, words: str) -> int:
        return self.log.read_text().count(words) if self.log.exists() else 0

    def finish(self, *ids: str, node: str = "n1") -> None:
        """Write completed tasks into the journal."""
        now = time.time()

        def write(connection: Any) -> None:
            for task_id in ids:
                record = Finish(
                    task_id=task_id, task_name="upload_image", queue_name="user_input", payload='{"args": []}',
                    state=TaskState.COMPLETED, worker="n1/storage/1", started_at=now, completed_at=now,
                )  # fmt: skip
                tasks.finish(connection, record)

        self.journal.write(write)

    def has(self, *ids: str) -> bool:
        """Are all these tasks in the central database?"""
        return all(self.tasks.get(task_id) is not None for task_id in ids)

    def copied(self, *ids: str) -> None:
        until(lambda: self.has(*ids), f"{ids[0]}… are copied")

    def has_so_many(self, tasks: int) -> None:
        until(lambda: self.tasks.count_by_status()[TaskState.COMPLETED] == tasks, f"{tasks} tasks are copied")

    def group(self) -> WorkerGroup | None:
        return next(iter(Workers(self.database).all()), None)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                    kill(child.pid)
            process.wait()
        self.journal.close()
        self.database.close()


def kill(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()


@pytest.fixture
def gate_to() -> Iterator[Callable[[str], tuple[Any, str]]]:
    """Put a gate in front of the server of a URL; returns the gate and the URL that goes through it."""
    spec = importlib.util.spec_from_file_location("tcp_gate", HERE.parent / "stubs" / "tcp_gate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    gates = []

    def make(url: str) -> tuple[Any, str]:
        parts = urlsplit(url)
        gate = module.Gate(parts.hostname, parts.port)
        gates.append(gate)
        user = parts.netloc.rpartition("@")[0]
        return gate, urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{gate.port}"))

    yield make
    for gate in gates:
        gate.shut()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.close()


# --- one keeper a node


SUPERVISOR = """
import os, sys
from pathlib import Path
from growbin_jobs.engine.node.keeper_command import keeper_command
from growbin_jobs.engine.supervision.supervisor import Supervisor
folder = Path(sys.argv[1])
command = keeper_command("growbin_jobs.app:engine", folder, os.getpid())
with Supervisor({"keeper": command}, grace=60.0, folder=folder) as supervisor:
    supervisor.run()
"""


def test_a_keeper_that_is_stopped_when_its_supervisor_dies_makes_room_for_the_next(node: Node) -> None:
    supervisor = node.start(sys.executable, "-c", SUPERVISOR, str(node.folder))
    first = node.keeper()
    freeze(first)
    supervisor.kill()
    supervisor.wait()

    node.candidate()

    node.keeper(but=first)
    assert node.said(f"keeper.orphan_continued process=keeper pid={first}")
    until(lambda: not list((node.folder / "supervisors").iterdir()), "it is forgotten")


def test_one_keeper_serves_and_others_stand_by(node: Node) -> None:
    masters = {master.pid: master for master in (node.dramatiq(processes=2), node.dramatiq())}
    first = node.keeper()
    until(lambda: node.said("keeper.serving") == 1, "it serves")

    # Killed: the one that stands by takes over.
    kill(first)
    second = node.keeper(but=first)
    node.finish("a")
    node.copied("a")
    leaving = masters.pop(psutil.Process(second).ppid())
    [remaining] = masters.values()

    # Told to stop, with its workers, while others work: they go on without it, and bring a keeper of their own.
    leaving.send_signal(signal.SIGTERM)
    assert leaving.wait(PATIENCE) == 0
    assert node.said("keeper.hands_over") == 1
    assert not psutil.pid_exists(second)
    assert remaining.poll() is None


def test_a_worker_starts_a_keeper_when_there_is_none_left(node: Node) -> None:
    master = node.dramatiq(processes=2, TEST_IMPATIENT="1")
    first = node.keeper()
    kill(first)

    second = node.keeper(but=first)
    node.finish("a")
    node.copied("a")

    master.send_signal(signal.SIGTERM)
    assert master.wait(PATIENCE) == 0
    assert not psutil.pid_exists(second)  # a worker has waited for it


# --- the last to leave


def test_the_keeper_of_gevent_workers_outlives_them_and_copies_their_last_words(node: Node, tmp_path: Path) -> None:
    held_up = tmp_path / "held up"
    held_up.touch()
    master = node.dramatiq("dramatiq-gevent", processes=2, TEST_SHUTDOWN_FILE=str(held_up))
    keeper = psutil.Process(node.keeper())
    workers = {child.pid for child in psutil.Process(master.pid).children()} - {keeper.pid}
    assert keeper.ppid() == master.pid
    assert keeper.cmdline()[1:3] == ["-m", "growbin_jobs.engine.keeper"]  # a fresh Python
    group = until(lambda: (found := node.group()) and found.processes == 2 and found, "the heartbeat has come")
    assert (group.node, group.group_name, group.threads, group.queues) == ("n1", "storage", 4, ["user_input"])

    master.send_signal(signal.SIGTERM)
    until(lambda: node.said("Stopping worker process") == 2, "the workers are told to stop")
    node.finish("while they stop")
    node.copied("while they stop")
    assert keeper.is_running()
    held_up.unlink()

    assert master.wait(PATIENCE) == 0
    assert not keeper.is_running()
    assert len([pid for pid in workers if node.has(f"last-{pid}")]) == 2
    assert node.journal.read(changes.oldest_unsynced) is None
    assert node.said("keeper.done") == 1
    left = node.group()
    assert left is not None
    assert left.stopped_at is not None
    assert (left.pids, left.unsynced) == ([], 0)


def test_a_keeper_whose_dramatiq_was_killed_serves_until_the_workers_are_gone(node: Node) -> None:
    master = node.dramatiq()
    keeper = node.keeper()
    orphans = [child.pid for child in psutil.Process(master.pid).children() if child.pid != keeper]

    master.kill()
    master.wait()
    node.finish("a")
    node.copied("a")
    assert psutil.pid_exists(keeper)
    for pid in orphans:
        kill(pid)

    until(lambda: not psutil.pid_exists(keeper), "the keeper has left")
    assert node.said("keeper.done") == 1


def test_its_log_goes_where_that_of_its_workers_goes_to_the_last_word(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "worker's log"
    dramatiq = str(Path(sys.executable).with_name("dramatiq"))
    master = node.start(dramatiq, "keeper_app", "--processes", "1", "--log-file", str(path))
    until(lambda: path.exists() and "keeper.serving" in path.read_text(), "the keeper serves")

    master.send_signal(signal.SIGTERM)

    assert master.wait(PATIENCE) == 0
    said = path.read_text()
    assert "Worker process is ready for action" in said
    assert said.index("Stopping worker process") < said.index("keeper.done")
    assert node.said("keeper.") == 0  # on stderr


def test_what_is_left_behind_is_an_error(node: Node) -> None:
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing", "GROWBIN_FINAL_SYNC_TIMEOUT": "1"}
    node.finish("a")
    keeper = node.candidate(**nowhere)
    until(lambda: node.said("keeper.serving"), "it serves")

    keeper.send_signal(signal.SIGTERM)

    assert keeper.wait(PATIENCE) == 75
    assert node.said("keeper.left_behind node=n1 rows=1 messages=0") == 1


# --- nothing is lost


def test_a_keeper_that_is_killed_again_and_again_loses_nothing(node: Node) -> None:
    def ids(turn: int) -> list[str]:
        return [f"{turn}-{row}" for row in range(500)]

    for turn in range(3):
        node.finish(*ids(turn))
        keeper = node.candidate(GROWBIN_SYNC_BATCH="20")
        until(partial(node.has, f"{turn}-0"), "it copies")
        keeper.kill()
        keeper.wait()
    node.candidate()

    node.has_so_many(1500)


@pytest.mark.services
def test_a_database_that_goes_away_gets_everything_when_it_is_back(
    tmp_path: Path, postgres_url: str, gate_to: Callable[[str], tuple[Any, str]]
) -> None:
    gate, url = gate_to(postgres_url)
    node = Node(tmp_path, database_url=postgres_url)
    try:
        node.candidate(DATABASE_URL=url, GROWBIN_DATABASE_TIMEOUT="3")
        node.finish("before")
        node.copied("before")

        gate.shut()
        node.finish(*[f"meanwhile-{number}" for number in range(1000)])
        until(lambda: node.said("keeper.job_waits job=copy"), "it notices")
        gate.open()

        node.has_so_many(1001)
        until(lambda: node.said("keeper.job_recovered job=copy"), "it says so, once the rows are there")
    finally:
        node.close()


def test_what_a_dead_producer_accepted_is_sent(node: Node) -> None:
    message = Message(queue_name="user_input", actor_name="nothing", args=(), kwargs={}, options={})
    owed = OutboxMessage(
        message_id=message.message_id, task_name="nothing", queue_name="user_input", body=message.encode()
    )
    node.journal.accept(owed, "{}")
    broker = EmbeddedBroker(node.settings.embedded_broker_path, middleware=[])

    node.candidate()

    until(lambda: "user_input" in broker.depths(), "the message is sent")
    until(lambda: node.journal.backlog() == 0, "the debt is paid")
    broker.close()


def test_an_engine_that_an_import_does_not_make_is_named(tmp_path):
    (tmp_path / "late.py").write_text("engine = None  # a function that dramatiq calls makes it\n")
    command = [
        sys.executable, "-m", "growbin_jobs.engine.keeper", "--engine", "late:engine", "--folder", str(tmp_path / "n1"),
    ]  # fmt: skip

    done = subprocess.run([*command, "--at-once"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, "Traceback" in done.stderr) == (os.EX_CONFIG, False)
    assert "late:engine is no engine where its module is only imported" in done.stderr
