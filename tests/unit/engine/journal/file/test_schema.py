"""The tables of the spec, made once by any number of processes."""

import subprocess
import sys

import apsw
import pytest
from tests.command_line import start_python

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.journal.file import schema
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.tables import outbox, reader, tasks

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
    assert connection.pragma("user_version") == PREVIOUS_VERSION
    assert schema.version_of(connection) == len(schema.STEPS)


#: In no forks of this process, where other tests have left threads.
OPENING = """
import sys
from pathlib import Path
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.tables import outbox, reader, tasks
print("ready", flush=True)
sys.stdin.readline()
connection = open_journal_file(Path(sys.argv[1]))
print(connection.pragma("user_version"), connection.execute("SELECT count(*) FROM task_count").get)
"""


def test_processes_that_open_a_new_file_at_once_make_it_once(path):
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", OPENING, str(path)]
    openers = [start_python(command, stdin=pipe, stdout=pipe, text=True) for _ in range(6)]
    assert {opener.stdout.readline() for opener in openers} == {"ready\n"}
    for opener in openers:
        opener.stdin.write("\n")
        opener.stdin.flush()
    assert {opener.communicate()[0] for opener in openers} == {f"{PREVIOUS_VERSION} 5\n"}
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


# --- versions side by side

#: What the release before this one runs on a file, in its own words: the check, a message that a producer hands in, the
#: end of a run, and what a relay sends.
PREVIOUS_VERSION = 2
PREVIOUS_ACCEPTED = """
INSERT INTO task_wal (task_id, task_name, queue_name, payload, status, created_at, due_at, seq)
VALUES (?, ?, ?, ?, 'pending', ?, ?, ?) ON CONFLICT DO NOTHING
"""
PREVIOUS_OUTBOX = (
    "INSERT INTO outbox (message_id, task_name, queue_name, body, parent_id, due_at, ordinal, seq, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
PREVIOUS_END = (
    "INSERT INTO task_wal (task_id, task_name, queue_name, payload, status, delivery_tag, created_at, started_at,"
    " completed_at, error, retry_count, result, worker, deferrals, due_at, seq)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
PREVIOUS_RELAY = """
SELECT message_id, task_name, queue_name, body, parent_id, due_at, ordinal, seq FROM outbox
WHERE seq > ? AND (parent_id IS NULL OR created_at <= ?) ORDER BY seq LIMIT ?
"""

ADDITIVE = "ALTER TABLE task_wal ADD COLUMN colour TEXT; CREATE TABLE added (x);"


@pytest.fixture
def next_version(monkeypatch, tmp_path):
    """Become the next version, with one more step."""

    def become(*, additive, sql=ADDITIVE):
        (tmp_path / "step.sql").write_text(sql)
        steps = (*schema.STEPS, schema.Step("step.sql", additive=additive))
        monkeypatch.setattr(schema, "STEPS", steps)
        real = schema.files
        monkeypatch.setattr(schema, "files", lambda package: Folder(real(package), tmp_path))

    return become


class Folder:
    def __init__(self, real, added):
        self._real, self._added = real, added

    def __truediv__(self, name):
        return self._added / name if name == "step.sql" else self._real / name


def test_the_previous_release_goes_on_with_a_file_of_this_one(connection, path, a_message):
    tasks.accept(connection, a_message("waits"), "{}", now=1.0)
    connection.close()

    previous = apsw.Connection(str(path))
    assert previous.pragma("user_version") == PREVIOUS_VERSION
    [(message_id, *_)] = previous.execute(PREVIOUS_RELAY, (0, 0.0, 10)).fetchall()
    assert message_id == "waits"
    previous.execute(PREVIOUS_ACCEPTED, ("later", "a", "q", "{}", 2.0, None, 10**17))
    previous.execute(PREVIOUS_OUTBOX, ("later", "a", "q", b"{}", None, None, 0, 10**17, 2.0))
    end = ("t", "a", "q", "{}", "completed", None, 1.0, 1.0, 2.0, None, 0, None, "w", 0, None, 10**17 + 1)
    previous.execute(PREVIOUS_END, end)
    previous.close()

    again = open_journal_file(path)
    assert outbox.backlog(again) == 2
    assert reader.task(again, "t").status == "completed"
    again.close()


def test_after_an_additive_step_the_release_before_still_opens_the_file(connection, path, next_version):
    connection.close()
    before = schema.STEPS
    next_version(additive=True)
    newer = open_journal_file(path)
    newer.execute("INSERT INTO added VALUES (1)")
    assert newer.pragma("user_version") == PREVIOUS_VERSION
    assert schema.version_of(newer) == len(before) + 1
    schema.migrate(newer)
    newer.close()

    schema.STEPS = before
    older = open_journal_file(path)
    assert schema.version_of(older) == len(before) + 1
    older.close()


def test_an_additive_step_of_a_new_file_is_taken_once_by_many(path, next_version):
    next_version(additive=True)
    openings = [open_journal_file(path) for _ in range(3)]
    assert [schema.version_of(each) for each in openings] == [len(schema.STEPS)] * 3
    added = [(number,) for number, step in enumerate(schema.STEPS, 1) if step.additive]
    assert openings[0].execute("SELECT n FROM additive_step").fetchall() == added
    for each in openings:
        each.close()


def test_after_a_step_that_breaks_the_release_before_refuses_the_file(connection, path, next_version):
    connection.close()
    before = schema.STEPS
    next_version(additive=False)
    open_journal_file(path).close()

    schema.STEPS = before
    with pytest.raises(ConfigurationError, match="upgrade growbin-jobs on this node"):
        open_journal_file(path)


def test_a_step_that_breaks_behind_an_additive_one_counts_both(connection, path, next_version, tmp_path):
    connection.close()
    next_version(additive=True)
    (tmp_path / "step.sql").write_text("CREATE TABLE first (x)")
    open_journal_file(path).close()
    (tmp_path / "step.sql").write_text("CREATE TABLE second (x)")
    schema.STEPS = (*schema.STEPS, schema.Step("step.sql"))

    newest = open_journal_file(path)

    assert newest.pragma("user_version") == len(schema.STEPS) == schema.version_of(newest)
    newest.close()
