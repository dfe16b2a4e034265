"""Damaged, deleted and strange files."""

import logging
import os
import re
import stat

import apsw
import pytest

from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.journal.file import opening as files
from growbin_jobs.engine.journal.file.ballast import BALLAST, Ballast
from growbin_jobs.engine.journal.file.quarantine import quarantined
from growbin_jobs.engine.journal.tables import outbox, reader, tasks


def put_aside(path):
    return [path.with_name(name) for name in quarantined(path)]


def overwrite(path, start, end):
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * (end - start))


def test_a_file_that_is_no_database_is_put_aside_with_its_content(path, caplog):
    path.parent.mkdir()
    path.write_bytes(b"no database " * 1000)

    with files.open_journal_file(path) as connection:
        assert reader.counts(connection)[TaskState.COMPLETED] == 0

    (aside,) = put_aside(path)
    assert re.fullmatch(r"task_queue\.db\.corrupt-\d{8}T\d{6}\.\d{6}Z", aside.name)
    assert aside.read_bytes() == b"no database " * 1000
    assert [record.levelno for record in caplog.records if "journal.quarantined" in record.message] == [logging.ERROR]


def test_damage_in_the_middle_is_found_and_what_nobody_else_has_is_saved(path, an_end, a_message):
    connection = files.open_journal_file(path)
    for n in range(50):
        tasks.accept(connection, a_message(f"m{n}"), "[]", now=float(n))
    tasks.finish(connection, an_end("dead", TaskState.DEAD))
    tasks.finish(connection, an_end("owing", outbox=(a_message("follow-up"),)))
    for n in range(500):
        tasks.finish(connection, an_end(f"t{n}", result="r" * 400))
    root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'task_wal'").get
    connection.close()
    overwrite(path, (root - 1) * 4096, root * 4096)

    with files.open_journal_file(path) as anew:
        assert reader.counts(anew)[TaskState.COMPLETED] == 0
        saved = outbox.claim(anew, limit=99, after=0, older_than=0, claimant="r", lease=1, now=1e9)
        assert [each.message_id for each in saved] == [f"m{n}" for n in range(50)]
        assert anew.execute("SELECT task_id FROM dead_letter").fetchall() == [("dead",)]
    assert len(put_aside(path)) == 1


def test_a_truncated_file_is_put_aside(path, an_end):
    connection = files.open_journal_file(path)
    for n in range(500):
        tasks.finish(connection, an_end(f"t{n}"))
    connection.close()
    os.truncate(path, 20 * 4096)

    files.open_journal_file(path).close()

    assert len(put_aside(path)) == 1


def test_large_files_are_checked_at_their_edges_only(path, an_end, monkeypatch):
    connection = files.open_journal_file(path)
    for n in range(2000):
        tasks.finish(connection, an_end(f"t{n:05}", result="r" * 400))
    connection.close()
    statements = []
    monkeypatch.setattr(files, "CHECK_WHOLE", 0)
    with files.open_journal_file(path) as connection:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, lambda event: statements.append(event))
        files.check(connection)
    steps = sum(event["stmt_status"]["SQLITE_STMTSTATUS_FULLSCAN_STEP"] for event in statements)
    assert len(statements) > 10
    assert steps < 2 * len(statements)
    assert put_aside(path) == []


def test_verify_compares_indexes_too(path, an_end):
    connection = files.open_journal_file(path)
    tasks.finish(connection, an_end(created_at=1.0))
    assert files.verify(connection) == []
    connection.pragma("writable_schema", True)
    connection.execute("UPDATE sqlite_schema SET sql = replace(sql, '(status, created_at)', '(status, started_at)')")
    connection.close()
    with apsw.Connection(str(path)) as connection:
        assert files.verify(connection, indexes=False) == []
        assert files.verify(connection) != []


def test_a_log_without_its_database_is_not_taken_for_the_new_ones(path, an_end):
    connection = files.open_journal_file(path)
    tasks.finish(connection, an_end())
    old = path.with_name(path.name + "-shm").stat()
    path.unlink()

    with files.open_journal_file(path) as anew:
        assert not os.path.samestat(old, path.with_name(path.name + "-shm").stat())
        assert reader.counts(anew)[TaskState.COMPLETED] == 0
        assert reader.counts(connection)[TaskState.COMPLETED] == 1
    connection.close()


def test_a_process_that_is_stuck_while_it_opens_does_not_hold_up_others_for_ever(path, monkeypatch):
    monkeypatch.setattr(files, "BUSY_TIMEOUT", 0.01)
    with files.opening(path.parent), pytest.raises(TimeoutError, match=f"process {os.getpid()}"):
        files.open_journal_file(path)
    files.open_journal_file(path).close()


def test_who_opens_it_again_waits_for_no_writer_and_writes_nothing(path):
    writer = files.open_journal_file(path)
    writer.execute("BEGIN IMMEDIATE")
    log = path.with_name(path.name + "-wal")
    before = log.stat().st_size
    files.reopen(path).close()
    assert log.stat().st_size == before
    writer.close()


def test_all_files_are_the_owners_alone(path):
    connection = files.open_journal_file(path)
    Ballast(path).load(free=2**40, floor=0)
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 4
    connection.close()


def test_a_checkpoint_waits_for_nobody(path, an_end):
    connection, other = files.open_journal_file(path), files.open_journal_file(path)
    tasks.finish(connection, an_end("a"))
    other.execute("BEGIN")
    assert reader.counts(other)[TaskState.COMPLETED] == 1
    tasks.finish(connection, an_end("b"))

    pages, copied = files.checkpoint(path, truncate=True)

    assert 0 < copied < pages
    other.execute("COMMIT")
    files.checkpoint(path, truncate=True)
    assert reader.sizes(path)["wal"] == 0
    other.close()
    connection.close()


def test_ballast_is_kept_where_there_is_room_and_dropped_once(path):
    path.parent.mkdir()
    ballast = Ballast(path)
    ballast.load(free=BALLAST + 1000, floor=1000)
    assert not ballast.drop()
    ballast.load(free=BALLAST + 1001, floor=1000)
    ballast.load(free=BALLAST + 1001, floor=1000)
    assert [file.stat().st_blocks * 512 >= BALLAST for file in path.parent.iterdir()] == [True]
    assert ballast.drop()
    assert not ballast.drop()


@pytest.mark.parametrize("name", ["task_queue.db.ballast", "task_queue.db-wal", "other.db.corrupt-1"])
def test_other_files_are_not_taken_for_damaged_ones(path, name):
    path.parent.mkdir()
    path.with_name(name).touch()
    assert quarantined(path) == ()
    assert quarantined(path.parent / "missing" / "x.db") == ()
