"""The log of copies stays small, however much is copied."""

import pytest

from growbin_jobs.engine.journal.tables import sync_log, tasks
from growbin_jobs.engine.journal.tables.changes import mark

FILL = """
INSERT INTO sync_log (task_id, synced_at, status)
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) SELECT 'old-' || n, n, 'success' FROM n
"""


@pytest.fixture
def filled(connection):
    """Return how to fill the log with so many rows."""
    return lambda rows: connection.execute(FILL, (rows,))


def ids(connection):
    return [row[0] for row in connection.execute("SELECT task_id FROM sync_log ORDER BY id")]


def copy(connection, an_end, *names):
    for name in names:
        tasks.finish(connection, an_end(name))
    mark(connection, 0, 2**62, [], at=500.0)


def test_the_oldest_make_room(connection, an_end, filled):
    filled(sync_log.KEEP)

    copy(connection, an_end, "a", "b")

    kept = ids(connection)
    assert len(kept) == sync_log.KEEP
    assert (kept[0], kept[-2:]) == ("old-3", ["a", "b"])


def test_a_log_that_is_not_full_keeps_everything(connection, an_end, filled):
    filled(10)

    copy(connection, an_end, "a")

    assert len(ids(connection)) == 11


def test_one_that_is_far_too_large_shrinks_step_by_step(connection, an_end, filled):
    filled(sync_log.KEEP + 4 * sync_log.STEP)
    sizes = []
    for n in range(4):
        copy(connection, an_end, f"t{n}")
        sizes.append(len(ids(connection)))

    assert sizes[0] > sizes[1] > sizes[2] > sync_log.KEEP
    assert sizes[3] == sync_log.KEEP


def test_what_was_refused_is_logged_with_the_reason(connection):
    sync_log.refused(connection, "t", "no such value", at=500.0)

    [row] = connection.execute("SELECT task_id, synced_at, status, error FROM sync_log").fetchall()
    assert row == ("t", 500.0, "failed", "no such value")
