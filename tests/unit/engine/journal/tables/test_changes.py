"""What the central database has not got yet."""

import pytest

from growbin_jobs.engine.journal.tables import changes, outbox, reader, tasks
from growbin_jobs.engine.journal.tables.changes import mark


@pytest.fixture
def five(connection, an_end):
    for n in range(5):
        tasks.finish(connection, an_end(f"t{n}"))


def names(found):
    return [task.task_id for task in found]


@pytest.mark.usefixtures("five")
def test_changes_come_in_order_and_in_pages(connection):
    first = changes.unsynced(connection, limit=2)
    assert names(first) == ["t0", "t1"]
    assert names(changes.unsynced(connection, after=first[-1].seq, limit=2)) == ["t2", "t3"]
    assert names(changes.unsynced(connection)) == ["t0", "t1", "t2", "t3", "t4"]
    assert changes.oldest_unsynced(connection).task_id == "t0"


@pytest.mark.usefixtures("five")
def test_what_was_copied_is_marked_and_logged(connection):
    page = changes.unsynced(connection, limit=3)

    assert mark(connection, 0, page[-1].seq, [], at=500.0) == 3

    assert names(changes.unsynced(connection)) == ["t3", "t4"]
    assert reader.task(connection, "t0").synced_at == 500.0
    log = connection.execute("SELECT task_id, synced_at, status, error FROM sync_log ORDER BY id").fetchall()
    assert log == [(f"t{n}", 500.0, "success", None) for n in range(3)]


@pytest.mark.usefixtures("five")
def test_what_changed_after_it_was_copied_is_copied_again(connection, an_end):
    tasks.finish(connection, an_end("again", state="failed"))
    page = changes.unsynced(connection)
    tasks.finish(connection, an_end("again"))

    assert mark(connection, 0, page[-1].seq, [], at=500.0) == 5
    assert names(changes.unsynced(connection)) == ["again"]


@pytest.mark.usefixtures("five")
def test_what_was_refused_stays(connection):
    page = changes.unsynced(connection)

    assert mark(connection, 0, page[-1].seq, ["t1"], at=500.0) == 4
    assert names(changes.unsynced(connection)) == ["t1"]


def test_nothing_to_copy(connection):
    assert changes.unsynced(connection) == []
    assert changes.oldest_unsynced(connection) is None


def test_numbers_are_taken_once(connection):
    first = outbox.take_numbers(connection, 3)
    assert outbox.take_numbers(connection) == first + 3


def test_the_queue_for_the_central_database_is_found_without_reading_all(connection):
    plan = str(connection.execute("EXPLAIN QUERY PLAN " + changes.UNSYNCED, (0, 10)).fetchall())
    assert "task_unsynced" in plan
    assert "B-TREE" not in plan
