"""The control channel among real processes: workers obey, over a restart and without a database too.

Threads on the embedded parts, greenlets on RabbitMQ and PostgreSQL.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import pytest
from tests import command_line
from tests.stubs.tcp_gate import Gate

from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.engine.control.instructions import Action, Target
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.inspect import Inspector
from growbin_jobs.engine.opening import open_central
from growbin_jobs.engine.task_results import State

HERE = Path(__file__).parent
PATIENCE = 60.0


class Cluster:
    """One node with a worker and a keeper, and an operator elsewhere.

    Parameters:
      urls: Of broker and database, as the node has them; empty: embedded.
      direct: The database's, as the operator has it.
    """

    def __init__(self, folder, command, urls, direct):
        self.told, self.log = folder / "told", folder / "log"
        self.told.touch()
        self.path = Path(sys.executable).with_name(command)
        places = {f"CONTROL_{name}": value for name, value in urls.items()}
        self.env = os.environ | places | {
            "CONTROL_DATA_DIR": str(folder), "CONTROL_NODE": "n1", "TEST_TOLD_FILE": str(self.told),
        }  # fmt: skip
        config = EngineConfig(
            data_dir=folder, node="elsewhere", broker_url=urls.get("BROKER_URL"), database_url=direct,
            journal_free_floor=0,
        )  # fmt: skip
        self.engine = Engine(config)
        self.engine.upgrade()
        self.database = open_central(config)
        self.control = Control(self.database)
        self.inspector = Inspector(config, self.engine.broker, self.database)
        self.note = self.engine.actor(lambda word: None, actor_name="note", queue_name="first")
        self.sign = self.engine.actor(lambda word: None, actor_name="sign", queue_name="other")
        self.hold = self.engine.actor(lambda word: None, actor_name="hold", queue_name="other")
        self.worker = None

    def start(self):
        ready = self.said("is ready for action")
        with self.log.open("ab") as log:
            self.worker = command_line.start_python(
                [self.path, "control_app", "--processes", "1", "--threads", "4"],
                env=self.env, stdout=log, stderr=log, cwd=HERE,
            )  # fmt: skip
        self.until(lambda: self.said("is ready for action") >= ready + 2, "the worker is up")

    def stop(self):
        self.worker.send_signal(signal.SIGTERM)
        self.worker.wait(PATIENCE)

    def said(self, words):
        return self.log.read_text().count(words) if self.log.exists() else 0

    def lines(self):
        return self.told.read_text().splitlines()

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not in time: {what}\n{self.lines()}\n{self.log.read_text()}"
            time.sleep(0.05)
        return found

    def give(self, action, target, name, **more):
        began = time.monotonic()
        self.control.give(action, target, name, by="kim", reason="a test", **more)
        return began

    def nothing_begins(self, word):
        """A message of the paused queue waits, while one of another queue, sent later, has run."""
        self.note.send(word)
        self.sign.send(word)
        self.until(lambda: f"sign {word}" in self.lines(), "the other queue goes on")
        assert f"note {word}" not in self.lines()

    def close(self):
        if self.worker.poll() is None:
            children = psutil.Process(self.worker.pid).children(recursive=True)
            self.worker.send_signal(signal.SIGTERM)
            try:
                self.worker.wait(10)
            except subprocess.TimeoutExpired:  # a test has failed and something is still held
                for child in children:
                    child.kill()
                self.worker.kill()
        self.database.close()
        self.engine.broker.close()


@pytest.fixture
def cluster(request, tmp_path):
    if request.param == "embedded":
        made, made.gate = Cluster(tmp_path, "dramatiq", {}, None), None
    else:
        direct = request.getfixturevalue("postgres_url")
        parts = urlsplit(direct)
        gate = Gate(parts.hostname, parts.port)
        through = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{gate.port}")
        urls = {"BROKER_URL": request.getfixturevalue("rabbitmq_url"), "DATABASE_URL": urlunsplit(through)}
        made = Cluster(tmp_path, "dramatiq-gevent", urls, direct)
        made.gate = gate
    made.start()
    yield made
    made.close()
    if made.gate is not None:
        made.gate.shut()


EMBEDDED, SERVERS = pytest.param("embedded"), pytest.param("servers", marks=pytest.mark.services)


def before_release(place):
    return pytest.param(*place.values, marks=[*place.marks, pytest.mark.before_release])


@pytest.mark.parametrize("cluster", [before_release(EMBEDDED), SERVERS], indirect=True)
def test_a_pause_holds_over_a_restart_and_without_the_database(cluster):
    cluster.note.send(1)
    cluster.until(lambda: "note 1" in cluster.lines(), "it works")

    began = cluster.give(Action.PAUSE, Target.QUEUE, "first")
    cluster.until(lambda: cluster.said("control.paused target=queue name=first by=kim") == 1, "the worker obeys")
    print(f"paused within {time.monotonic() - began:.2f} s")
    cluster.nothing_begins(2)

    if cluster.gate is not None:
        cluster.gate.shut()
    cluster.stop()
    cluster.start()
    cluster.until(lambda: cluster.said("control.paused target=queue name=first by=kim") == 2, "the new one obeys")
    cluster.nothing_begins(3)
    if cluster.gate is not None:
        cluster.gate.open()

    began = time.monotonic()
    cluster.control.withdraw(Target.QUEUE, "first")
    cluster.until(lambda: {"note 2", "note 3"} <= set(cluster.lines()), "it goes on")
    print(f"resumed within {time.monotonic() - began:.2f} s")
    assert sorted(cluster.lines().count(f"note {number}") for number in (1, 2, 3)) == [1, 1, 1]


@pytest.mark.parametrize("cluster", [EMBEDDED, before_release(SERVERS)], indirect=True)
def test_messages_are_revoked_and_aborted_and_everybody_sees_what_runs(cluster):
    held = cluster.hold.send("it")
    asked = cluster.engine.result(held)
    cluster.until(lambda: "hold it" in cluster.lines(), "it runs")
    cluster.until(lambda: asked.progress is not None, "elsewhere its progress is seen")
    assert (asked.progress.fraction, asked.progress.text) == (0.4, "holding")
    cluster.until(lambda: asked.state is State.STARTED, "elsewhere it is seen to run")
    cluster.until(lambda: cluster.inspector.active(), "it is among what runs")
    (active,) = cluster.inspector.active()
    assert (active.task_id, active.actor, active.node) == (held.message_id, "hold", "n1")
    assert active.progress.text == "holding"
    cluster.until(lambda: cluster.inspector.registered(), "the keeper has told who knows what")
    assert cluster.inspector.registered()[0].actors == ("hold", "note", "sign")
    assert [each.group_name for each in cluster.inspector.workers()] == ["worker"]
    assert {"first", "other"} <= {each.name for each in cluster.inspector.queues()}

    later = cluster.note.send_with_options(args=("later",), delay=4_000)
    cluster.give(Action.REVOKE, Target.MESSAGE, later.message_id)
    began = cluster.give(Action.ABORT, Target.MESSAGE, held.message_id)
    cluster.until(lambda: "let go it" in cluster.lines(), "it is interrupted")
    print(f"aborted within {time.monotonic() - began:.2f} s")
    for message in (held, later):
        cluster.until(lambda message=message: cluster.engine.result(message).ready(), "it has ended")
        assert cluster.engine.result(message).state is State.REVOKED
    assert "note later" not in cluster.lines()
    assert cluster.lines().count("hold it") == 1
