"""What of attempts, dead letters and sent messages the central database does not have yet."""

import pytest

from growbin_jobs.engine.delivery.records import Dead, TaskState
from growbin_jobs.engine.errors import NotFound
from growbin_jobs.engine.journal.file import schema
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.tables import attempts, dead_letters, outbox, prune, sent, tasks
from growbin_jobs.engine.journal.tables.prune import Retention

DEAD = Dead(body=b"{}", code="c", params="{}", error="e", traceback="t", died_at=2.0)

#: As the release before writes them.
PREVIOUS_LETTER = """
INSERT INTO dead_letter (task_id, actor, queue, body, code, params, error, traceback, died_at)
VALUES ('old', 'a', 'q', x'7b7d', 'c', '{}', 'e', 't', 5.0)
"""
PREVIOUS_DISCARD = "UPDATE dead_letter SET discarded_at = 9.0 WHERE task_id = 'old' AND discarded_at IS NULL"
PREVIOUS_ATTEMPT = """
INSERT INTO attempt (task_id, outcome, started_at, ended_at, worker, error, retry_count, deferrals, due_at)
VALUES ('old', 'failed', 1.0, 2.0, 'w', 'e', 0, 0, NULL)
"""


def letters(connection):
    return {letter.task_id: number for number, letter in dead_letters.unsynced(connection, limit=10)}


def test_each_change_of_a_letter_has_a_higher_number(connection, an_end):
    tasks.finish(connection, an_end("t", TaskState.DEAD, dead=DEAD))
    [(first, letter)] = dead_letters.unsynced(connection, limit=10)
    dead_letters.mark(connection, [first], at=3.0)
    assert (letters(connection), dead_letters.count_unsynced(connection, limit=10)) == ({}, 0)

    dead_letters.discard(connection, letter.id, now=4.0)
    [(second, _)] = dead_letters.unsynced(connection, limit=10)
    assert second > first
    dead_letters.mark(connection, [first], at=5.0)  # of a copy that was begun before
    assert letters(connection) == {"t": second}


def test_what_the_release_before_writes_is_copied_too(connection):
    connection.execute(PREVIOUS_LETTER)
    connection.execute(PREVIOUS_ATTEMPT)
    first = letters(connection)["old"]
    dead_letters.mark(connection, [first], at=6.0)
    connection.execute(PREVIOUS_DISCARD)

    assert letters(connection)["old"] > first
    [attempt] = attempts.unsynced(connection, limit=10)
    assert (attempt.attempt.task_id, attempt.task_name, attempt.waited) == ("old", "", None)


def test_a_file_of_the_schema_before_has_all_of_it_copied(path, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(schema, "STEPS", schema.STEPS[:2])
        with open_journal_file(path) as before:
            before.execute(PREVIOUS_LETTER)
            before.execute(PREVIOUS_ATTEMPT)
        before.close()

    opened = open_journal_file(path)

    assert set(letters(opened)) == {"old"}
    assert attempts.count_unsynced(opened, limit=10) == 1
    opened.close()


def test_an_attempt_is_marked_by_its_task_too(connection, an_end):
    tasks.finish(connection, an_end("t", TaskState.FAILED))
    [read] = attempts.unsynced(connection, limit=10)
    connection.execute("DELETE FROM attempt")
    tasks.finish(connection, an_end("u", TaskState.FAILED))  # gets the same number

    attempts.mark(connection, [read], at=3.0)

    assert [each.attempt.task_id for each in attempts.unsynced(connection, limit=10)] == ["u"]


def test_a_confirmed_message_is_known_until_it_is_copied(connection, an_end, a_message):
    end = an_end("t", outbox=(a_message("child", due_at=7.0), a_message("t")))
    stored = tasks.finish(connection, end)
    outbox.delete_confirmed(connection, [each.seq for each in stored])
    outbox.delete_confirmed(connection, [each.seq for each in stored])

    [known] = sent.page(connection, limit=10)  # its own next run is no new message
    assert (known.message_id, known.parent_id, known.due_at, known.seq) == ("child", "t", 7.0, stored[0].seq)
    sent.forget(connection, [known])
    assert sent.page(connection, limit=10) == []


def test_what_was_never_copied_goes_as_old_as_tasks_do(connection, an_end, a_message):
    stored = tasks.finish(connection, an_end("t", outbox=(a_message("child"),)))
    outbox.delete_confirmed(connection, [each.seq for each in stored])
    [known] = sent.page(connection, limit=10)

    def write(call):
        with connection:
            return call(connection)

    keep = Retention(tasks=1000.0)
    assert prune.prune(write, keep, now=known.created_at + 999)["sent"] == 0
    assert prune.prune(write, keep, now=known.created_at + 1001)["sent"] == 1


def test_a_letter_that_is_sent_elsewhere_is_closed_and_its_task_alive(connection, an_end):
    tasks.finish(connection, an_end("t", TaskState.DEAD, dead=DEAD))
    assert dead_letters.find_death(connection, 1, "t", 2.0 + 1e-6) is not None
    assert dead_letters.find_death(connection, 1, "t", 3.0) is None
    assert dead_letters.find_death(connection, 1, "u", 2.0) is None

    dead_letters.retry_elsewhere(connection, 1, now=9.0)

    assert dead_letters.get(connection, 1).retried_at == 9.0
    assert connection.execute("SELECT status FROM task_wal").get == "failed"
    assert outbox.count(connection) == 0
    with pytest.raises(NotFound):
        dead_letters.retry_elsewhere(connection, 1, now=10.0)
