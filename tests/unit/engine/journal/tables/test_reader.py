"""Questions of people and monitors."""

import apsw
import pytest

from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.journal.tables import reader, tasks


@pytest.fixture
def some(connection, an_end, a_start):
    for n in range(5):
        tasks.finish(connection, an_end(f"c{n}", created_at=float(n // 2)))  # some came at the same moment
    tasks.finish(connection, an_end("f", TaskState.FAILED, created_at=10.0))
    tasks.started(connection, [a_start("r", created_at=11.0)])


@pytest.mark.usefixtures("some")
def test_counts(connection):
    assert {str(state): n for state, n in reader.counts(connection).items()} == {
        "pending": 0, "running": 1, "completed": 5, "failed": 1, "dead": 0
    }  # fmt: skip


@pytest.mark.usefixtures("some")
def test_pages_miss_nothing_and_repeat_nothing(connection):
    found, below = [], (1e99, "")
    while page := reader.tasks(connection, TaskState.COMPLETED, below=below, limit=2):
        found += [task.task_id for task in page]
        below = (page[-1].created_at, page[-1].task_id)
    assert found == ["c4", "c3", "c2", "c1", "c0"]


@pytest.mark.usefixtures("some")
def test_the_latest_of_all_states(connection):
    assert [task.task_id for task in reader.latest(connection, limit=3)] == ["r", "f", "c4"]


def test_one_task(connection, an_end):
    tasks.finish(connection, an_end())
    assert reader.task(connection, "task").status is TaskState.COMPLETED
    assert reader.task(connection, "other") is None


def test_a_page_is_read_from_the_index(connection):
    plan = str(connection.execute("EXPLAIN QUERY PLAN " + reader.PAGE, ("completed", 1.0, "", 10)).fetchall())
    assert "task_by_status" in plan


def test_a_reader_reads_beside_a_writer_and_cannot_write(connection, path, an_end):
    tasks.finish(connection, an_end())
    with reader.open_reader(path) as other:
        connection.execute("BEGIN IMMEDIATE")
        assert reader.counts(other)[TaskState.COMPLETED] == 1
        with pytest.raises(apsw.ReadOnlyError):
            other.execute("DELETE FROM task_wal")
        connection.execute("ROLLBACK")


def test_there_is_nothing_to_read_where_there_is_no_journal(path):
    with pytest.raises(apsw.CantOpenError):
        reader.open_reader(path)
    assert not path.exists()
    assert reader.sizes(path) == {"database": 0, "wal": 0}


def test_sizes(connection, path, an_end):
    tasks.finish(connection, an_end())
    assert reader.sizes(path)["wal"] > 0
