"""Who holds a file's write lock, asked of the kernel: processes that write, and one that is stopped in mid-write."""

import os
import subprocess
import sys

import apsw
import pytest
from tests.waiting import freeze

from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.errors import Away
from growbin_jobs.engine.journal.file.opening import opening
from growbin_jobs.engine.sqlite import errors
from growbin_jobs.engine.sqlite.errors import explain
from growbin_jobs.engine.sqlite.lock_holder import LockHolder, flock_holder_of, holder_of
from growbin_jobs.engine.sqlite.opening import open_sqlite

WRITES = """
import sys
from pathlib import Path
from growbin_jobs.engine.sqlite.opening import open_sqlite
connection = open_sqlite(Path(sys.argv[1]))
connection.execute(sys.argv[2]).fetchall()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "file.db"
    with open_sqlite(found) as connection:
        connection.execute("CREATE TABLE t (a)")
    return found


@pytest.fixture
def process(path):
    """Start a process that has the file open."""
    started = []

    def start(sql):
        command = [sys.executable, "-c", WRITES, str(path), sql]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert started[-1].stdout.readline() == b"ready\n"
        return started[-1].pid

    yield start
    for each in started:
        each.kill()
        each.communicate()


def test_who_reads_holds_nobody_up(path, process):
    process("BEGIN; SELECT * FROM t")

    assert holder_of(path) is None


def test_who_writes_is_named_and_whether_it_is_stopped(path, process):
    process("BEGIN; SELECT * FROM t")
    writer = process("BEGIN IMMEDIATE")
    assert holder_of(path) == LockHolder(writer, stopped=False)

    freeze(writer)

    assert holder_of(path) == LockHolder(writer, stopped=True)
    assert f"kill -CONT {writer}" in explain(apsw.BusyError(), path)


def test_who_has_the_file_to_itself_is_named_too(path, process):
    alone = process("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; CREATE TABLE other (a)")

    assert holder_of(path) == LockHolder(alone, stopped=False)
    with pytest.raises(apsw.BusyError):
        open_sqlite(path, busy_timeout=0.01)


def test_who_has_locked_a_folder_is_named(tmp_path):
    assert flock_holder_of(tmp_path) is None

    with opening(tmp_path):
        assert flock_holder_of(tmp_path) == LockHolder(os.getpid(), stopped=False)


def test_a_file_that_is_not_there_is_held_by_nobody(tmp_path):
    assert holder_of(tmp_path / "none.db") is None
    assert explain(apsw.BusyError(), tmp_path / "none.db") == errors._REMEDIES[apsw.BusyError]


def test_the_error_of_the_central_database_names_it(path, process, monkeypatch):
    monkeypatch.setattr("growbin_jobs.engine.central.sqlite.BUSY_TIMEOUT", 0.1)
    writer = process("BEGIN IMMEDIATE")
    freeze(writer)
    database = open_database(None, default_path=path, pool_size=1, timeout=1)

    with pytest.raises(Away, match=f"kept locked by process {writer}, which is stopped: .*kill -CONT {writer}"):
        database.transaction(lambda connection: connection.execute_sql("INSERT INTO t VALUES (1)"))
    database.close()
