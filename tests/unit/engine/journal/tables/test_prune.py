"""What goes, what stays, and in which portions."""

import pytest

from growbin_jobs.engine.delivery.records import Dead, TaskState
from growbin_jobs.engine.journal.tables import attempts, dead_letters, outbox, prune, tasks
from growbin_jobs.engine.journal.tables.changes import mark
from growbin_jobs.engine.journal.tables.prune import Retention

NOW = 1_000_000.0
KEEP = Retention(tasks=1000.0)


@pytest.fixture
def run(connection):
    calls = []

    def write(call):
        with connection:
            calls.append(call(connection))
        return calls[-1]

    def run(retention=KEEP, **options):
        return prune.prune(write, retention, now=NOW, **options)

    run.calls = calls
    return run


@pytest.fixture
def sync(connection):
    def sync(at):
        mark(connection, 0, 2**62, [], at=at)

    return sync


def left(connection):
    return sorted(task_id for (task_id,) in connection.execute("SELECT task_id FROM task_wal"))


@pytest.mark.parametrize("state", [TaskState.COMPLETED, TaskState.FAILED])
def test_what_ended_and_was_synced_long_ago_goes(connection, run, sync, an_end, state):
    tasks.finish(connection, an_end("old", state, created_at=NOW - 1001))
    tasks.finish(connection, an_end("young", state, created_at=NOW - 999))
    sync(NOW - 1001)

    assert run()["task_wal"] == 1
    assert left(connection) == ["young"]


def test_what_was_not_synced_stays(connection, run, an_end):
    tasks.finish(connection, an_end("old", created_at=1.0))
    assert run()["task_wal"] == 0
    assert left(connection) == ["old"]


def test_what_changed_lately_stays_however_old_it_is(connection, run, sync, an_end):
    tasks.finish(connection, an_end("old", created_at=1.0))
    sync(NOW - 10)
    assert run()["task_wal"] == 0


def test_what_owes_something_stays(connection, run, sync, an_end, a_message):
    (debt,) = tasks.finish(connection, an_end("old", created_at=1.0, outbox=(a_message(),)))
    sync(2.0)
    assert run()["task_wal"] == 0
    outbox.delete_confirmed(connection, [debt.seq])
    assert run()["task_wal"] == 1


def test_what_is_dead_stays_while_its_letter_is_open(connection, run, sync, an_end):
    tasks.finish(connection, an_end("old", TaskState.DEAD, created_at=1.0))
    sync(2.0)
    keep = Retention(tasks=1000.0, dead_letters=1e9)
    assert run(keep)["task_wal"] == 0
    (letter,) = dead_letters.find(connection)
    dead_letters.discard(connection, letter.id, now=3.0)
    assert run(keep)["task_wal"] == 1


def test_what_is_pending_stays(connection, run, sync, a_message):
    tasks.accept(connection, a_message("m"), "[]", now=1.0)
    sync(2.0)
    assert run()["task_wal"] == 0


def test_many_rows_go_in_small_portions(connection, run, sync, an_end):
    for n in range(prune.BATCH * 2 + 10):
        tasks.finish(connection, an_end(f"t{n}", created_at=float(n)))
        if n % 3 == 0:
            tasks.finish(connection, an_end(f"stays{n}", created_at=float(n)))
    sync(2.0)
    connection.execute("UPDATE task_wal SET synced_at = NULL WHERE task_id LIKE 'stays%'")

    assert run()["task_wal"] == prune.BATCH * 2 + 10
    assert all(name.startswith("stays") for name in left(connection))
    assert max(run.calls) <= prune.BATCH


@pytest.mark.parametrize("each", [1, 100])
def test_attempts_go_with_their_task_in_small_portions(connection, run, sync, an_end, each):
    doomed = 2 * prune.BATCH // each + 5
    with connection:
        for n in range(doomed):
            for _ in range(each):
                tasks.finish(connection, an_end(f"t{n}", TaskState.FAILED, created_at=float(n)))
            if n % 2:
                tasks.finish(connection, an_end(f"t{n}", created_at=float(n)))
        for _ in range(each):
            tasks.finish(connection, an_end("stays", TaskState.FAILED, created_at=1.5))
    sync(2.0)
    connection.execute("UPDATE task_wal SET synced_at = NULL WHERE task_id = 'stays'")

    deleted = run()

    assert (deleted["task_wal"], deleted["attempt"]) == (doomed, doomed * each)
    assert left(connection) == ["stays"]
    assert connection.execute("SELECT count(*) FROM attempt").get == each
    assert max(run.calls) < 2 * prune.BATCH


def test_a_task_stays_until_the_last_of_its_attempts_has_gone(connection, run, sync, an_end):
    for n in range(5):
        for _ in range(100):
            tasks.finish(connection, an_end(f"t{n}", TaskState.FAILED, created_at=float(n)))
    sync(2.0)
    connection.execute("DELETE FROM sync_log; DELETE FROM retry_queue")

    assert run(stopped=lambda: any(run.calls))["task_wal"] == 0
    assert run.calls[-1] == prune.BATCH
    assert left(connection) == [f"t{n}" for n in range(5)]
    assert [len(attempts.of_task(connection, f"t{n}")) for n in range(5)] == [0, 0, 100, 100, 100]
    assert run()["task_wal"] == 5
    assert connection.execute("SELECT count(*) FROM attempt").get == 0


def test_it_stops_when_its_time_is_over(connection, run, sync, an_end):
    tasks.finish(connection, an_end(created_at=1.0))
    sync(2.0)

    assert run(seconds=0.0)["task_wal"] == 0
    assert run.calls == []
    assert run()["task_wal"] == 1


def test_it_stops_when_it_is_told_to(connection, run, sync, an_end):
    for n in range(prune.BATCH * 2):
        tasks.finish(connection, an_end(f"t{n}", created_at=float(n)))
    sync(2.0)
    connection.execute("DELETE FROM sync_log")
    assert run(stopped=lambda: any(run.calls))["task_wal"] == prune.BATCH
    assert run.calls[-1] == prune.BATCH


def test_free_pages_go_back_to_the_disk(connection, run, sync, an_end):
    for n in range(200):
        tasks.finish(connection, an_end(f"t{n}", created_at=1.0, result="r" * 4000))
    sync(2.0)
    before = connection.pragma("page_count")

    assert run()["pages"] > 200
    assert connection.pragma("page_count") < before / 2
    assert connection.pragma("freelist_count") == 0


def test_dead_letters_are_kept_for_their_own_time(connection, run, an_end):
    for name, died_at in (("old", 1.0), ("young", NOW - 1)):
        dead = Dead(body=b"", code="c", params="{}", error="", traceback="", died_at=died_at)
        tasks.finish(connection, an_end(name, TaskState.DEAD, dead=dead))

    assert run(Retention(dead_letters=1000.0))["dead_letter"] == 1
    assert [letter.task_id for letter in dead_letters.find(connection)] == ["young"]


@pytest.mark.parametrize(
    ("table", "columns", "values"),
    [
        ("sync_log", "synced_at, task_id, status", "?1, 't', 'success'"),
        ("rate_limit_log", "timestamp, api, count", "?1, 'api', 1"),
        ("charged_ledger", "charged_at, name", "?1, 'n' || ?1"),
        ("retry_queue", "next_retry_at, task_id, retry_count, payload", "?1, 'n' || ?1, 1, ''"),
        ("file_cache", "created_at, key, file_path, size, ttl", "?1, 'n' || ?1, '', 1, 0"),
        ("gpt_cache", "created_at, cache_key, prompt, response, model, ttl", "?1, 'n' || ?1, '', '', '', 0"),
    ],
)
def test_logs_and_caches_go_by_age(connection, run, table, columns, values):
    for at in [1.0 + n / 1000 for n in range(prune.BATCH + 5)] + [NOW + 1]:
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})", (at,))

    assert run()[table] == prune.BATCH + 5
    assert connection.execute(f"SELECT count(*) FROM {table}").get == 1


def test_the_window_is_found_in_the_index(connection):
    plan = str(connection.execute("EXPLAIN QUERY PLAN " + prune._WINDOW_END, ("completed", 0.0, 1.0, 499)).fetchall())
    assert "COVERING INDEX task_by_status" in plan
    plan = str(connection.execute("EXPLAIN QUERY PLAN " + prune._TASKS, ("completed", 0.0, 1.0, 1.0)).fetchall())
    assert "INDEX task_by_status (status=? AND created_at>? AND created_at<?)" in plan
    values = ("completed", 0.0, 1.0, 1.0, prune.BATCH)
    plan = str(connection.execute("EXPLAIN QUERY PLAN " + prune._ATTEMPTS, values).fetchall())
    assert "INDEX task_by_status (status=? AND created_at>? AND created_at<?)" in plan
    assert "COVERING INDEX attempt_of_task (task_id=?)" in plan
