"""The tables of the spec, made once by any number of processes."""

import subprocess
import sys

import apsw
import pytest

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.journal.file import schema
from growbin_jobs.engine.journal.file.opening import open_journal_file

SPEC = {
    "task_wal": "task_id task_name queue_name payload status delivery_tag created_at started_at completed_at error "
    "retry_count result worker synced_at",
    "sync_log": "id task_id synced_at status error",
    "file_cache": "key file_path size created_at ttl",
    "gpt_cache": "cache_key prompt response model created_at ttl",
    "retry_queue": "task_id retry_count next_retry_at error payload",
    "rate_limit_log": "timestamp api count",
}


@pytest.mark.parametrize("table", SPEC)
def test_the_columns_of_the_spec(connection, table):
    columns = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
    assert columns[: len(SPEC[table].split())] == SPEC[table].split()


@pytest.mark.parametrize(("table", "key"), [("task_wal", "task_id"), ("retry_queue", "task_id"), ("file_cache", "key")])
def test_the_keys_of_the_spec(connection, table, key):
    assert connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk", (table,)).fetchall() == [(key,)]


def test_the_pragmas_of_the_spec(connection):
    found = {name: connection.pragma(name) for name in ("journal_mode", "synchronous", "wal_autocheckpoint")}
    assert found == {"journal_mode": "wal", "synchronous": 1, "wal_autocheckpoint": 1000}
    assert connection.pragma("auto_vacuum") == 2
    assert connection.pragma("user_version") == len(schema.STEPS)


#: In processes of their own and not in forks of this one, where other tests have left threads.
OPENING = """
import sys
from pathlib import Path
from growbin_jobs.engine.journal.file.opening import open_journal_file
print("ready", flush=True)
sys.stdin.readline()
connection = open_journal_file(Path(sys.argv[1]))
print(connection.pragma("user_version"), connection.execute("SELECT count(*) FROM task_count").get)
"""


def test_processes_that_open_a_new_file_at_once_make_it_once(path):
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", OPENING, str(path)]
    openers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(6)]
    assert {opener.stdout.readline() for opener in openers} == {"ready\n"}
    for opener in openers:
        opener.stdin.write("\n")
        opener.stdin.flush()
    assert {opener.communicate()[0] for opener in openers} == {f"{len(schema.STEPS)} 5\n"}
    assert {opener.returncode for opener in openers} == {0}


def test_a_file_of_a_newer_version_is_left_alone(connection, path):
    connection.pragma("user_version", len(schema.STEPS) + 1)
    with pytest.raises(ConfigurationError, match="upgrade growbin-jobs on this node"):
        open_journal_file(path)
    assert list(path.parent.glob("*corrupt*")) == []


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    connection = apsw.Connection(str(tmp_path / "t.db"))
    connection.execute("CREATE TABLE task_count (x)")  # in the way of the fifth statement
    with pytest.raises(apsw.SQLError):
        schema.migrate(connection)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("task_count",)]
    assert connection.pragma("user_version") == 0
