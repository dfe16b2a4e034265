"""A worker that is told to stop finishes what runs, copies the rest and ends: whoever tells it, and how often at once.

Real processes: plain ``dramatiq``, our supervisor, behind tini, as process 1 of a container.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests import command_line
from tests.waiting import until

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PATIENCE = 40.0


class Stack:
    """Workers of shutdown_app in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.marks = folder / "marks"
        self.marks.mkdir()
        self.data = folder / "data"
        self.env = os.environ | {
            "TEST_MARKS": str(self.marks),
            "STOPS_DATA_DIR": str(self.data),
            "STOPS_NODE": "n1",
            "STOPS_METRICS_PORT": "0",
            "STOPS_JOURNAL_FREE_FLOOR": "10000000",
            "STOPS_SHUTDOWN_TIMEOUT": "20",
        }
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *command: str) -> None:
        start = command_line.start_python if command[0] in FORKED else subprocess.Popen
        with self.log.open("ab") as log:
            self.process = start(command, env=self.env, stdout=log, stderr=log, cwd=HERE, start_new_session=True)

    def send(self, name: str, *, load: int = 0) -> None:
        """Send what waits until a test lets it end, and behind it so much work of a moment."""
        code = f"import shutdown_app as app; app.slow.send({name!r}); [app.note.send(n) for n in range({load})]"
        command_line.run_python([sys.executable, "-c", code], env=self.env, cwd=HERE, check=True)

    def runs(self) -> list[int]:
        """What has run of the load, in order of its numbers."""
        notes = self.marks / "runs"
        return sorted(map(int, notes.read_text().split())) if notes.exists() else []

    def has(self, mark: str) -> bool:
        return (self.marks / mark).exists()

    def works(self) -> bool:
        return self.has("a.started") and "keeper.serving" in self.log.read_text()

    def states(self) -> list[str]:
        """Of the tasks in the central database: what the last copy brought there."""
        with closing(sqlite3.connect(self.data / "central.db")) as connection:
            return [state for (state,) in connection.execute("SELECT status FROM tasks")]

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        print(self.log.read_text(errors="replace") if self.log.exists() else "")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    made.close()


DRAMATIQ = [str(BIN / "dramatiq"), "shutdown_app", "--processes", "2", "--threads", "2"]
SUPERVISED = [*command_line.MAIN, "worker", "shutdown_app"]

#: What starts by itself: all else is started by another program.
FORKED = (DRAMATIQ[0], SUPERVISED[0])


def tell_one(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)


def tell_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)


def tool(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"{name} is not installed: apt-get install {name if name != 'bwrap' else 'bubblewrap'}"
    return found


WAYS: dict[str, tuple[Callable[[], list[str]], Callable[[Any], None]]] = {
    "plain dramatiq": (lambda: DRAMATIQ, tell_one),
    "plain dramatiq, its whole group": (lambda: DRAMATIQ, tell_group),
    "plain dramatiq behind tini -g": (lambda: [tool("tini"), "-s", "-g", "--", *DRAMATIQ], tell_one),
    "supervised behind tini": (lambda: [tool("tini"), "-s", "--", *SUPERVISED], tell_one),
    "supervised, its whole group": (lambda: SUPERVISED, tell_group),
}


#: Its whole group is told by tini, too.
TWICE = "plain dramatiq, its whole group"


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[pytest.mark.before_release] * (way == TWICE)) for way in WAYS]
)
def test_what_runs_is_finished_and_copied(stack: Stack, way: str) -> None:
    command, tell = WAYS[way]
    stack.send("a")
    stack.start(*command())
    until(stack.works, "it runs, and there is a keeper")
    assert stack.process is not None

    tell(stack.process)
    # Dramatiq's workers look once a second whether they are to stop, and say so first.
    until(lambda: "Stopping worker process" in stack.log.read_text(), "they were told")
    assert stack.process.poll() is None
    (stack.marks / "a.may_end").touch()

    assert stack.process.wait(PATIENCE) == 0
    assert stack.has("a.ended")
    assert stack.states() == ["completed"]
    assert "Killing worker process" not in stack.log.read_text()


#: Messages that wait behind the one that a test holds up: some run when the container is told to stop, most do not yet.
LOAD = 200


def test_as_process_one_of_a_container_that_may_do_little_and_has_much_to_do(stack: Stack, tmp_path: Path) -> None:
    # As a pod of manifests/: a read-only root, a temporary folder, a volume, a user without rights.
    inside = [tool("bwrap"), "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/var/tmp"]
    inside += ["--bind", str(tmp_path), str(tmp_path), "--unshare-user", "--uid", "10001", "--gid", "10001"]
    inside += ["--cap-drop", "ALL", "--unshare-pid", "--as-pid-1", "--die-with-parent", *SUPERVISED]
    stack.env |= {"TMPDIR": "/var/tmp", "HOME": "/nonexistent"}
    stack.env["STOPS_LOG_FORMAT"] = "json"
    stack.send("a", load=LOAD)
    stack.start(*inside)
    until(stack.works, "it runs, and there is a keeper")
    until(lambda: len(stack.runs()) > LOAD // 20, "it is under load")

    assert stop(stack) == 0
    assert len(stack.runs()) < LOAD, "it was told when all was done"
    assert stack.states().count("completed") == len(stack.runs()) + 1, "what ran is not copied"
    assert set(stack.states()) <= {"completed", "pending"}
    lines = [json.loads(line) for line in stack.log.read_text().splitlines()]
    assert {"message.ended", "keeper.serving", "keeper.done"} <= {line["event"] for line in lines}
    assert {line["node"] for line in lines} == {"n1"}

    stack.start(*inside)
    until(lambda: len(stack.runs()) == LOAD, "the next container has done the rest")
    assert stop(stack) == 0
    assert stack.runs() == list(range(LOAD))
    assert stack.states() == ["completed"] * (LOAD + 1)


def stop(stack: Stack) -> int:
    """Send SIGTERM to process 1 of the container, let what is held up end, and return the exit code."""
    process, said = stack.process, len(stack.log.read_text())
    assert process is not None
    first = until(lambda: child_of(process.pid), "it has a child")
    os.kill(first, signal.SIGTERM)
    until(lambda: "Stopping worker process" in stack.log.read_text()[said:], "they were told")
    (stack.marks / "a.may_end").touch()
    return process.wait(PATIENCE)


def child_of(pid: int) -> int | None:
    """The process that bubblewrap has made number 1."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def test_a_second_signal_after_a_moment_does_not_wait(stack: Stack) -> None:
    stack.send("a")
    stack.start(*DRAMATIQ)
    until(lambda: stack.has("a.started"), "it runs")
    assert stack.process is not None

    tell_one(stack.process)
    until(lambda: "Stopping worker process" in stack.log.read_text(), "they were told")
    said = time.monotonic()
    until(lambda: time.monotonic() - said > 1.1, "the moment has passed")
    tell_one(stack.process)

    assert stack.process.wait(PATIENCE) != 0
    assert not stack.has("a.ended")
