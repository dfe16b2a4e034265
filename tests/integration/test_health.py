"""A node's health over HTTP and by ``growbin-jobs probe``: of real workers that are ill in real ways."""

import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import command_line
from tests.waiting import until

HERE = Path(__file__).parent
PATIENCE = 40.0


class Node:
    """A supervisor with a worker of health_app and its keeper."""

    def __init__(self, folder: Path) -> None:
        self.marks = folder / "marks"
        self.marks.mkdir()
        self.data = folder / "data"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.env = os.environ | {
            "TEST_MARKS": str(self.marks),
            "WELL_DATA_DIR": str(self.data),
            "WELL_NODE": "n1",
            "WELL_METRICS_PORT": str(self.port),
            "WELL_JOURNAL_FREE_FLOOR": "10000000",
            "WELL_SHUTDOWN_TIMEOUT": "2",
        }
        self.log = folder / "log"

    def start(self, pool: str, threads: int) -> None:
        code = (
            "import sys; from dataclasses import replace; from growbin_jobs.cli.workers import plan_of;"
            "import health_app as app; config = replace(app.engine.config, source='health_app:engine');"
            f"group = replace(app.engine.groups[0], pool={pool!r}, threads={threads}, module='health_app');"
            "import signal; s = plan_of(config, [group]).supervisor();"
            "signal.signal(signal.SIGTERM, lambda *_: s.request_stop())\n"
            "with s: s.run()"
        )
        with self.log.open("ab") as log:
            self.process = command_line.start_python(
                [sys.executable, "-c", code], env=self.env, stdout=log, stderr=log, cwd=HERE
            )

    def send(self, actor: str, *arguments: str) -> None:
        code = f"import health_app; health_app.{actor}.send{arguments!r}"
        command_line.run_python([sys.executable, "-c", code], env=self.env, cwd=HERE, check=True)

    def has(self, mark: str) -> bool:
        return (self.marks / mark).exists()

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def ill(self, path: str) -> list[str]:
        """What is ill by one of its endpoints; empty where all is well."""
        status, body = self.get(path)
        if status == 200:
            return []
        return [name for name, words in json.loads(body)["checks"].items() if words != "ok"] if status else ["away"]

    def probe(self, question: str) -> tuple[int, dict[str, Any]]:
        done = command_line.run("probe", question, "--json", "--folder", self.data / "n1", env=os.environ)
        return done.returncode, json.loads(done.stdout)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        print(self.log.read_text(errors="replace"))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.close()


def test_a_blocked_hub_is_found_and_forgiven(node: Node) -> None:
    node.start("gevent", 5)
    for path in ("/startupz", "/livez", "/readyz"):
        until(lambda path=path: not node.ill(path), f"{path} is well")
    assert node.probe("live") == (0, {"ok": True, "checks": {"hub": "ok", "threads": "ok", "time_limit": "ok"}})

    node.send("block", "a")
    until(lambda: node.ill("/livez") == ["hub"], "it is found")
    assert 'growbin_health_check{check="hub",worker="n1"} 0.0' in until(
        lambda: 'check="hub",worker="n1"} 0' in (page := node.get("/metrics")[1]) and page, "it is shown"
    )
    (node.marks / "a.may_end").touch()

    until(lambda: not node.ill("/livez"), "it lives again")


def test_dead_threads_are_replaced_and_late_runs_are_found(node: Node) -> None:
    node.start("threads", 1)
    until(lambda: not node.ill("/readyz"), "it is ready")

    node.send("break_thread")
    node.send("work", "lost with its thread")
    node.send("work", "b")
    until(lambda: node.has("b.ended"), "another thread works")
    assert "worker.thread_replaced" in node.log.read_text()
    assert not node.ill("/livez")

    os.mkfifo(node.marks / "c.fifo")
    node.send("outlive", "c")
    until(lambda: node.ill("/livez") == ["time_limit"], "it is found")
    with (node.marks / "c.fifo").open("wb"):
        pass
    until(lambda: not node.ill("/livez"), "it has ended")


def test_a_worker_that_is_frozen_or_dead_is_found(node: Node) -> None:
    node.start("threads", 1)
    until(lambda: not node.ill("/readyz"), "it is ready")
    pid = int(next((node.data / "n1" / "beats").iterdir()).name)

    os.kill(pid, signal.SIGSTOP)
    until(lambda: node.ill("/livez") == ["hub"], "it is found")
    os.kill(pid, signal.SIGKILL)

    until(lambda: not node.ill("/livez") and not node.ill("/readyz"), "another one has started")

    pid = until(lambda: [int(path.name) for path in (node.data / "n1" / "beats").iterdir()], "its beat")[0]
    node.send("break_consumer")
    until(lambda: node.has("consumer.broken"), "it is broken")
    node.send("work", "c")  # it looks when something comes
    until(lambda: "worker.consumer_died queue=work" in node.log.read_text(), "it is said")
    node.send("work", "d")
    until(lambda: node.has("d.ended"), "another process works")
    beats = node.data / "n1" / "beats"
    until(lambda: pid not in [int(path.name) for path in beats.iterdir()], "the file of the one that has ended is gone")


def test_a_process_that_lost_its_files_is_replaced_and_punishes_nobody(node: Node) -> None:
    node.start("threads", 1)

    for name in ("leaked", "closed"):
        until(lambda: not node.ill("/readyz"), "it is ready")
        node.send("lose_files", name)
        node.send("work", f"after {name}")  # its actor opens a file, and has no retry
        until(lambda name=name: node.has(f"after {name}.ended"), "another process works")
    until(lambda: node.log.read_text().count("worker.broken") == 2, "both have ended for it")


@pytest.mark.parametrize(
    ("pool", "lost"),
    [
        ("threads", "thread"),
        pytest.param("gevent", "thread", marks=pytest.mark.before_release),
        ("gevent", "callback"),
    ],
)
def test_a_process_that_lost_something_for_want_of_memory_is_replaced(node: Node, pool: str, lost: str) -> None:
    node.start(pool, 2)
    until(lambda: not node.ill("/readyz"), "it is ready")

    node.send("lose_memory", lost)

    until(lambda: "worker.broken" in node.log.read_text(), "it ends")
    node.send("work", "after")
    until(lambda: node.has("after.ended"), "another process works")


def test_a_process_that_stands_still_beyond_a_time_limit_is_replaced(node: Node) -> None:
    node.env["TEST_STUCK"] = "1"
    node.start("gevent", 5)
    until(lambda: not node.ill("/readyz"), "it is ready")

    node.send("block_for_ever")
    until(lambda: node.has("still.there"), "it may stand still within its time limit")
    until(lambda: "worker.broken Nothing" in node.log.read_text(), "it ends")

    node.send("work", "after")
    until(lambda: node.has("after.ended"), "another process works")
