"""The journal under real processes: several at once, killed, forked, with greenlets, on a disk that is full."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import command_line

from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.journal.file import opening as files
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.tables import outbox, reader

PROGRAM = Path(__file__).with_name("journal_process.py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "task_queue.db"


class Processes:
    """Starts the program in its roles; kills at the end what a test has left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._all: list[subprocess.Popen[str]] = []

    def start(self, role: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, str(PROGRAM), role, str(self._path), *map(str, arguments)]
        process = command_line.start_python(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._all.append(process)
        return process

    def end(self) -> None:
        for process in self._all:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                stream.close()


@pytest.fixture
def processes(path: Path) -> Iterator[Processes]:
    processes = Processes(path)
    yield processes
    processes.end()


def line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout
    return process.stdout.readline().split()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def look(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with reader.open_reader(path) as connection:
        return connection.execute(sql, values).fetchall()


def test_four_processes_write_together(path: Path, processes: Processes) -> None:
    writers = [processes.start("write", 1000) for _ in range(4)]
    assert [line(writer) for writer in writers] == [["wrote", "1000"]] * 4

    with open_journal_file(path) as connection:
        assert reader.counts(connection)[TaskState.COMPLETED] == 4000
        assert connection.execute("SELECT count(*), count(DISTINCT seq) FROM task_wal").fetchone() == (4000, 4000)
        assert connection.execute("SELECT count(*) FROM outbox").get == 0
        assert files.verify(connection) == []


def test_what_was_told_survives_kill_9(path: Path, processes: Processes) -> None:
    chance = random.Random(7)
    ended: set[str] = set()
    accepted: set[str] = set()
    for _ in range(4):
        writers = [processes.start("write-for-ever") for _ in range(2)]
        for writer in writers:
            assert writer.stdout
            for _ in range(chance.randrange(1, 600)):
                kind, task_id = line(writer)
                (ended if kind == "end" else accepted).add(task_id)
        for writer in writers:
            writer.kill()
            for told in writer.communicate()[0].splitlines():
                kind, _, task_id = told.partition(" ")
                if len(task_id) >= 36:  # the last line may be torn
                    (ended if kind == "end" else accepted).add(task_id)

    with open_journal_file(path) as connection:
        assert files.verify(connection) == []
        found = {id for (id,) in connection.execute("SELECT task_id FROM task_wal WHERE status = 'completed'")}
        assert ended <= found
        assert {f"{id}.1" for id in ended} <= {id for (id,) in connection.execute("SELECT message_id FROM outbox")}
        owed = outbox.claim(connection, limit=10**6, after=0, older_than=1e9, claimant="r", lease=1, now=1e12)
        assert accepted <= {each.message_id for each in owed}
    assert len(ended) > 500
    assert accepted


def test_a_killed_process_is_charged_once_by_many(path: Path, processes: Processes) -> None:
    for deaths in (1, 2):
        victim = processes.start("run-and-hang")
        assert line(victim)[0] == "running"
        victim.kill()
        victim.wait()
        chargers = [processes.start("charge") for _ in range(3)]
        for charger in chargers:
            go_on(charger)
        for charger in chargers:
            charger.wait()
        assert look(path, "SELECT task_id, crashes FROM task_wal ORDER BY task_id") == [
            ("beside", deaths),
            ("poison-", deaths),
        ]
    assert [file for file in (path.parent / "starts").rglob("*") if file.is_file()] == []


def test_a_charger_that_is_killed_meanwhile_charges_once(path: Path, processes: Processes) -> None:
    for deaths in range(1, 4):
        victim = processes.start("run-and-hang")
        line(victim)
        victim.kill()
        victim.wait()
        hurried = processes.start("charge")
        go_on(hurried)
        with open_journal_file(path):  # about as long as a charge takes
            hurried.kill()
        hurried.wait()
        last = processes.start("charge")
        go_on(last)
        last.wait()
        assert look(path, "SELECT crashes FROM task_wal WHERE task_id = 'poison-'") == [(deaths,)]


def test_a_stopped_process_is_not_taken_for_a_dead_one(path: Path, processes: Processes) -> None:
    sleeper = processes.start("run-and-hang")
    line(sleeper)
    sleeper.send_signal(signal.SIGSTOP)
    charger = processes.start("charge")
    go_on(charger)
    assert line(charger) == ["crashes", "{}"]


def test_a_disk_that_is_full_loses_nothing_and_goes_on_by_itself(path: Path, processes: Processes) -> None:
    filler = processes.start("fill", 600_000)
    assert line(filler) == ["full", "False", "True", "True", "True"]
    go_on(filler)
    assert line(filler) == ["written", "True", "[False,", "True]", "0"]
    with open_journal_file(path) as connection:
        assert files.verify(connection) == []


def test_greenlets_share_it(processes: Processes) -> None:
    greenlets = processes.start("greenlets-gevent")
    assert line(greenlets) == ["alive", "True"]
    assert line(greenlets) == ["done", "1000"]
    assert greenlets.wait() == 0


def test_a_forked_child_has_a_journal_of_its_own(path: Path, processes: Processes) -> None:
    parent = processes.start("fork")
    said = dict([line(parent), line(parent)])
    child = int(said["child"])
    parent.kill()
    parent.wait()
    try:
        charger = processes.start("charge")
        go_on(charger)
        charger.wait()
        # The parent's death is seen although its child lives, and the living child is not charged.
        assert look(path, "SELECT task_id FROM task_wal WHERE crashes > 0") == [("parent-runs",)]
        assert look(path, "SELECT task_id FROM task_wal WHERE status = 'completed' ORDER BY 1") == [
            ("child",),
            ("parent-1",),
            ("parent-2",),
        ]
    finally:
        os.kill(child, signal.SIGKILL)


def test_forking_while_others_write(processes: Processes) -> None:
    process = processes.start("fork-under-load")
    assert line(process) == ["forked", "20"]
    assert process.wait() == 0
