"""Real supervisors that are killed, with children that are stopped or deaf; what lives holds a lock."""

import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest
from tests.waiting import freeze, until

from growbin_jobs.engine import events
from growbin_jobs.engine.node import supervised
from growbin_jobs.engine.node.orphans import Orphans
from growbin_jobs.engine.node.process_facts import facts_of
from growbin_jobs.engine.node.supervised import Supervised, dead_supervisors

SUPERVISOR = """
import signal, sys
from pathlib import Path
from growbin_jobs.engine.supervision.supervisor import Supervisor
folder, *children = sys.argv[1:]
commands = {f"child {number}": [sys.executable, "-c", code] for number, code in enumerate(children)}
with Supervisor(commands, grace=20, folder=Path(folder)) as supervisor:
    signal.signal(signal.SIGTERM, lambda *_: supervisor.request_stop())
    supervisor.run()
"""
HELLO = """
import fcntl, os, signal, subprocess, sys
lock = open({lock!r}, "w"); fcntl.flock(lock, fcntl.LOCK_SH); os.set_inheritable(lock.fileno(), True)
def say(words): os.write(os.open({pipe!r}, os.O_WRONLY), (words + "\\n").encode())
"""
DRAINS = """
def drain(*_): say("drained"); sys.exit(0)
signal.signal(signal.SIGTERM, drain)
say(str(os.getpid()))
while True: signal.pause()
"""
DEAF = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # its child inherits that
subprocess.Popen([sys.executable, "-c", "import signal\\nwhile True: signal.pause()"], close_fds=False)
say(str(os.getpid()))
while True: signal.pause()
"""


class Stage:
    """A node with supervisors."""

    def __init__(self, folder):
        self.folder, self.lock = folder / "node", str(folder / "lock")
        pipe = str(folder / "pipe")
        os.mkfifo(pipe)
        self.heard = os.fdopen(os.open(pipe, os.O_RDWR), "r")
        self.hello = HELLO.format(lock=self.lock, pipe=pipe)
        self.now = 0.0
        self.orphans = Orphans(self.folder, clock=lambda: self.now)
        self.supervisors = []

    def start(self, *children):
        command = [sys.executable, "-c", SUPERVISOR, str(self.folder), *(self.hello + code for code in children)]
        self.supervisors.append(subprocess.Popen(command))
        return [int(self.hear()) for _ in children]

    def kill_supervisor(self):
        self.supervisors[-1].kill()
        self.supervisors[-1].wait()

    def hear(self):
        return self.heard.readline().strip()

    def await_the_death_of_all(self):
        with open(self.lock, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def close(self):
        self.heard.close()
        for each in self.supervisors:
            each.terminate()
            each.wait()


@pytest.fixture
def stage(tmp_path):
    made = Stage(tmp_path)
    yield made
    made.close()


@pytest.fixture
def told():
    found = []
    stop = events.listen(lambda event, fields: found.append((event.name, fields["pid"])), *_EVENTS)
    yield found
    stop()


_EVENTS = (events.ORPHAN_CONTINUED, events.ORPHAN_KILLED)


def test_one_that_was_stopped_drains_once_its_supervisor_is_dead(stage, told):
    [child] = stage.start(DRAINS)
    freeze(child)
    stage.orphans.look()
    assert facts_of(child).state == "T"  # its supervisor lives: that is a person's matter

    stage.kill_supervisor()
    stage.orphans.look()

    assert stage.hear() == "drained"
    stage.await_the_death_of_all()
    until(lambda: stage.orphans.look() or not list((stage.folder / "supervisors").iterdir()), "it is forgotten")
    assert told == [("keeper.orphan_continued", child)]


@pytest.mark.parametrize("pidfd", [True, False])
def test_one_that_does_not_end_is_killed_with_what_it_started(stage, told, monkeypatch, pidfd):
    if not pidfd:  # as on an old kernel
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    stage.start(DEAF)
    stage.kill_supervisor()
    stage.orphans.look()
    stage.now = 19.0
    stage.orphans.look()
    assert not told

    stage.now = 21.0
    stage.orphans.look()

    stage.await_the_death_of_all()
    assert [name for name, _ in told] == ["keeper.orphan_killed"]


def test_another_process_of_its_number_is_left_alone(stage, told, monkeypatch):
    """What was told of our own process, with another moment of its start; and by another machine's numbers."""
    for changed in ("here", "started"):
        supervisor = Supervised(stage.folder, grace=0.0)
        supervisor.tell({"this test": os.getpid()})
        [path] = (stage.folder / "supervisors").iterdir()
        words = json.loads(path.read_text())
        if changed == "here":
            words["here"] += " elsewhere"
        else:
            words["children"][0]["started"] += 1
        path.write_text(json.dumps(words))
        supervisor._lock.let_go()
        monkeypatch.setattr(os, "getpid", lambda: -1)  # else it would leave itself alone

        stage.orphans.look()
        stage.now += 1.0
        stage.orphans.look()

        assert not told
        monkeypatch.undo()
        path.unlink(missing_ok=True)


def test_what_says_nothing_of_processes_here_is_forgotten_after_a_day(stage):
    folder = stage.folder / "supervisors"
    folder.mkdir(parents=True)
    (folder / "half").write_text('{"here": ')
    (folder / "old").write_text("17")
    os.utime(folder / "old", (0, 0))

    assert list(dead_supervisors(stage.folder)) == []

    assert [path.name for path in folder.iterdir()] == ["half"]


def test_a_supervisor_that_ends_leaves_nothing(stage):
    stage.start(DRAINS)
    stage.supervisors[-1].send_signal(signal.SIGTERM)
    stage.supervisors[-1].wait()

    stage.await_the_death_of_all()
    assert not list((stage.folder / "supervisors").iterdir())


def test_without_a_place_for_its_file_it_tells_nothing(tmp_path):
    (tmp_path / "node").write_text("a file")

    supervisor = supervised.Supervised(tmp_path / "node", 1.0)
    supervisor.tell({"this test": os.getpid()})
    supervisor.leave()
