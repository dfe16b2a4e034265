"""The journal as a process uses it: what is told when, and what its file may go through meanwhile."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import closing

import apsw
import pytest

from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.journal import session
from growbin_jobs.engine.journal.file.quarantine import quarantined
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters, reader, tasks
from growbin_jobs.engine.journal.writer import JournalUnavailable
from growbin_jobs.engine.sqlite.committer import Closed

PATIENCE = 20.0


class Told(queue.SimpleQueue):
    """Collects what callbacks are told."""

    def __call__(self, *what):
        self.put(what)

    def next(self):
        return self.get(timeout=PATIENCE)


@pytest.fixture
def told():
    return Told()


def damage(path, table):
    """Overwrite a table's root page behind everybody's back."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE change_number SET seq = seq + 1")  # makes the others forget what they have read
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).get
    # In another process: closing the file in this one would drop its locks.
    program = "import os, sys; os.pwrite(os.open(sys.argv[1], os.O_WRONLY), b'\\xa5' * 4096, int(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", program, path, str((root - 1) * 4096)], check=True)


# --- ends


def test_constructing_one_opens_nothing(path):
    Journal(path, node="n", worker="w", free_floor=1)
    assert not path.parent.exists()


def test_an_end_is_told_after_its_commit_with_what_it_owes(journal, path, an_end, a_message, told):
    journal.finish(an_end(outbox=(a_message(),)), told)

    error, owed = told.next()

    assert error is None
    assert [each.message_id for each in owed] == ["next"]
    with reader.open_reader(path) as other:
        assert reader.task(other, "task").status is TaskState.COMPLETED
    assert journal.lookup(["task", "other"])["task"].outbox == owed


def test_what_is_paid_is_not_owed_any_more(journal, an_end, a_message, told):
    journal.finish(an_end(outbox=(a_message("a"), a_message("b"))), told)
    _, owed = told.next()
    journal.confirmed([owed[0].seq])

    journal.write(lambda _: None)
    assert journal.lookup(["task"])["task"].outbox == owed[1:]


def test_an_end_with_a_value_that_cannot_be_stored_is_written_without_it_and_harms_no_other(journal, an_end, told):
    journal.finish(an_end("bad", result="\ud800"), told)
    journal.finish(an_end("good"), told)

    outcomes = [told.next(), told.next()]

    assert [error for error, _ in outcomes] == [None, None]
    assert [owed for _, owed in outcomes] == [(), ()]
    assert journal.health().writable


def test_many_threads_share_it(journal, an_end, told):
    def work(thread):
        for n in range(100):
            journal.end(journal.begin(f"{thread}-{n}", "a", "q"))
            journal.finish(an_end(f"{thread}-{n}"), told)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    assert {told.next()[0] for _ in range(800)} == {None}
    assert journal.read(reader.counts)[TaskState.COMPLETED] == 800


def test_closing_writes_what_waits(path, an_end, told):
    journal = Journal(path, node="n", worker="w", free_floor=1, linger=3600.0)
    for n in range(10):
        journal.finish(an_end(f"t{n}"), told)
    journal.close()

    assert [told.get_nowait() for _ in range(10)] == [(None, ())] * 10
    with reader.open_reader(path) as other:
        assert reader.counts(other)[TaskState.COMPLETED] == 10


def test_after_closing_nothing_is_written(journal, an_end, told):
    journal.close()
    journal.close()
    journal.finish(an_end(), told)
    error, owed = told.next()
    assert isinstance(error, Closed)
    assert owed == ()
    with pytest.raises(JournalUnavailable):
        journal.read(reader.counts)


def test_stragglers_may_begin_and_end_after_the_close(journal, path):
    slot = journal.begin("late", "a", "q")
    journal.close()
    journal.end(slot)
    journal.end(journal.begin("later", "a", "q"))
    assert [file for file in (path.parent / "starts").rglob("*") if file.is_file()] == []


# --- hints


def test_a_start_is_shown_soon(journal, a_start):
    journal.started(a_start(worker=journal.worker))
    deadline = time.monotonic() + PATIENCE
    while not (row := journal.read(lambda connection: reader.task(connection, "task"))):
        assert time.monotonic() < deadline
    assert (row.status, row.worker) == (TaskState.RUNNING, f"node-1/ai/{os.getpid()}")


def test_a_start_whose_end_came_first_is_not_written(journal, a_start, an_end, told):
    journal.started(a_start())
    journal.finish(an_end(), told)
    told.next()
    assert journal._session().hints == {}


def test_hints_are_dropped_rather_than_piled_up(journal, a_start, monkeypatch):
    monkeypatch.setattr("growbin_jobs.engine.journal.journal.HINTS", 3)
    for n in range(5):
        journal.started(a_start(f"t{n}"))
    assert len(journal._session().hints) <= 3


# --- store and forward


def test_an_accepted_message_is_on_the_disk(journal, path, a_message, monkeypatch):
    synchronous = []
    accept = tasks.accept

    def spied(connection, *arguments, **options):
        synchronous.append(connection.pragma("synchronous"))
        return accept(connection, *arguments, **options)

    monkeypatch.setattr(tasks, "accept", spied)
    journal.write(lambda connection: None)
    accepted = journal.accept(a_message("m1"), '["a"]')

    assert synchronous == [2]  # FULL, in the transaction that accepts it: SQLite syncs its log before it returns
    with reader.open_reader(path) as other:
        row = reader.task(other, "m1")
    assert (row.status, row.payload) == (TaskState.PENDING, '["a"]')
    assert journal.backlog() == 1
    assert journal.claim_outbox(claimant="me") == [accepted]
    assert journal.claim_outbox(claimant="another") == []
    journal.released("me")
    assert journal.claim_outbox(claimant="another") == [accepted]


def test_dead_letters_are_reached_through_it(journal, an_end, told):
    journal.finish(an_end(state=TaskState.DEAD), told)
    told.next()
    (letter,) = journal.read(dead_letters.find)
    owed = journal.write(lambda connection: dead_letters.retry(connection, letter.id, now=1.0))
    assert journal.claim_outbox(claimant="me") == [owed]


def test_what_is_known_is_read_while_others_write(journal, path, an_end, told):
    journal.finish(an_end("before"), told)
    told.next()
    journal.lookup([])
    with closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        journal.finish(an_end("after"), told)  # has to wait for the other's commit

        assert sorted(journal.lookup(["before", "after"])) == ["before"]

        other.execute("COMMIT")
    assert told.next() == (None, ())
    assert sorted(journal.lookup(["before", "after"])) == ["after", "before"]


# --- the file


def test_a_deleted_file_is_made_anew(journal, path, an_end, told):
    journal.finish(an_end("before"), told)
    told.next()
    path.unlink()

    journal.finish(an_end("after"), told)

    assert told.next() == (None, ())
    assert sorted(journal.lookup(["before", "after"])) == ["after"]
    with reader.open_reader(path) as other:
        assert reader.task(other, "after") is not None


@pytest.mark.parametrize("first", ["read", "write", "accept"])
def test_a_deleted_file_is_noticed_by_everything(journal, path, a_message, first):
    journal.lookup(["x"])
    for file in path.parent.glob("task_queue.db*"):
        file.unlink()
    {
        "read": lambda: journal.lookup(["x"]),
        "write": lambda: journal.write(lambda _: None),
        "accept": lambda: journal.accept(a_message(), "[]"),
    }[first]()
    assert path.exists()


def test_a_deleted_folder_is_made_anew(journal, path, an_end, told):
    journal.lookup(["x"])
    path.parent.rename(path.parent.with_name("elsewhere"))
    journal.finish(an_end(), told)
    assert told.next() == (None, ())
    assert path.exists()


def test_a_file_that_is_replaced_by_yesterdays_is_taken(journal, path, an_end, told, tmp_path):
    journal.finish(an_end("yesterday"), told)
    told.next()
    with (
        apsw.Connection(str(path)) as source,
        apsw.Connection(str(tmp_path / "backup.db")) as backup,
        backup.backup("main", source, "main") as copy,
    ):
        copy.step()
    journal.finish(an_end("today"), told)
    told.next()
    number = journal.read(lambda connection: reader.task(connection, "today")).seq
    for file in path.parent.glob("task_queue.db*"):
        file.unlink()
    (tmp_path / "backup.db").rename(path)

    journal.finish(an_end("now"), told)

    assert told.next() == (None, ())
    assert sorted(journal.lookup(["yesterday", "today", "now"])) == ["now", "yesterday"]
    assert journal.read(lambda connection: reader.task(connection, "now")).seq > number


def test_damage_at_the_start_is_put_aside_and_shown(path, an_end, told):
    path.parent.mkdir()
    path.write_bytes(b"no database " * 1000)
    journal = Journal(path, node="n", worker="w", free_floor=1)

    journal.finish(an_end(), told)

    assert told.next() == (None, ())
    assert len(journal.health().quarantined) == 1
    assert journal.health().writable
    journal.close()


def test_damage_in_use_is_put_aside_and_nothing_is_forgotten(journal, path, an_end, a_message, told):
    accepted = journal.accept(a_message("accepted"), "[]")
    journal.finish(an_end("before"), told)
    told.next()
    journal.close()
    damage(path, "retry_queue")  # it is first touched by a failure
    journal = Journal(path, node="n", worker="w", free_floor=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("growbin_jobs.engine.journal.file.opening.CHECK_WHOLE", 0)
        patch.setattr("growbin_jobs.engine.journal.file.opening.check", lambda _: None)  # as if it broke later
        journal.finish(an_end("ok"), told)
        assert told.next() == (None, ())

    journal.finish(an_end("after", TaskState.FAILED), told)

    assert told.next() == (None, ())
    assert len(journal.health().quarantined) == 1
    assert journal.read(lambda connection: reader.task(connection, "after")).status is TaskState.FAILED
    assert [each.message_id for each in journal.claim_outbox(claimant="r")] == [accepted.message_id]
    journal.close()


def test_damage_that_is_found_in_reading_is_put_aside(journal, path, an_end, told):
    journal.finish(an_end(), told)
    told.next()
    journal.close()
    damage(path, "sqlite_autoindex_task_wal_1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("growbin_jobs.engine.journal.file.opening.CHECK_WHOLE", 0)
        patch.setattr("growbin_jobs.engine.journal.file.opening.check", lambda _: None)  # as if it broke later
        journal = Journal(path, node="n", worker="w", free_floor=1)
        journal.write(lambda _: None)

    assert journal.lookup(["task"]) == {}

    assert len(quarantined(path)) == 1
    journal.finish(an_end(), told)
    assert told.next() == (None, ())
    assert "task" in journal.lookup(["task"])
    journal.close()


def test_two_processes_put_a_damaged_file_aside_once(path, an_end, told):
    """Two journals in one process are two connections, as in two processes."""
    pair = [Journal(path, node="n", worker=name, free_floor=1) for name in "ab"]
    for each in pair:
        each.write(lambda _: None)
    damage(path, "retry_queue")
    for n, each in enumerate(pair):
        each.finish(an_end(f"t{n}", TaskState.FAILED), told)
    assert [told.next(), told.next()] == [(None, ()), (None, ())]
    assert len(quarantined(path)) == 1
    assert pair[0].read(reader.counts)[TaskState.FAILED] == 2
    for each in pair:
        each.close()


def test_a_journal_of_a_newer_version_is_refused(journal, path, an_end, told):
    with tasks_file(path) as connection:
        connection.pragma("user_version", 99)
    with pytest.raises(ConfigurationError, match="upgrade growbin-jobs"):
        journal.lookup(["x"])
    journal.finish(an_end(), told)
    assert isinstance(told.next()[0], ConfigurationError)


def tasks_file(path):
    path.parent.mkdir()
    return apsw.Connection(str(path))


# --- a disk that cannot be written


@pytest.fixture
def blocked(journal, monkeypatch):
    """Let every end fail as on a full disk until it is told to go on."""
    full = threading.Event()
    full.set()
    finish, probe = tasks.finish, journal._session().writer

    def fail_or(call):
        def run(*args, **kwargs):
            if full.is_set():
                raise apsw.FullError("database or disk is full")
            return call(*args, **kwargs)

        return run

    monkeypatch.setattr(tasks, "finish", fail_or(finish))
    monkeypatch.setattr(session, "finish_many", fail_or(session.finish_many))
    monkeypatch.setattr("growbin_jobs.engine.journal.writer._probe", fail_or(lambda _: None))
    monkeypatch.setattr(session, "INTERVAL", 0.02)
    assert probe.trouble is None
    return full


def test_ends_that_cannot_be_written_are_kept_until_they_can(journal, an_end, told, blocked):
    flips = Told()
    journal.on_health(flips)
    for n in range(3):
        journal.finish(an_end(f"t{n}"), told)

    (now,) = flips.next()
    assert not now.writable
    assert "the disk is full; free some space" in now.reason
    while journal.health().unwritten < 3:
        pass
    assert not journal.wait_writable(0.0)
    assert told.empty()

    blocked.clear()

    assert [told.next() for _ in range(3)] == [(None, ())] * 3
    assert flips.next()[0].writable
    assert journal.wait_writable(PATIENCE)
    assert journal.health().unwritten == 0
    assert journal.read(reader.counts)[TaskState.COMPLETED] == 3


def test_ends_that_were_never_written_are_told_so_at_the_close(journal, an_end, told, blocked):
    journal.finish(an_end(), told)
    while not journal.health().unwritten:
        pass
    journal.close()
    assert isinstance(told.next()[0], apsw.FullError)
    assert journal.health().unwritten == 0


def test_too_little_free_space_stops_new_messages_but_no_ends(path, an_end, told):
    journal = Journal(path, node="n", worker="w", free_floor=2**60)
    assert not journal.health().writable
    assert "bytes are free on the journal's disk" in journal.health().reason

    journal.finish(an_end(), told)

    assert told.next() == (None, ())
    journal.close()


def test_a_producer_is_told_why_its_message_was_not_accepted(path, a_message):
    path.parent.parent.joinpath("node").write_text("a file where the folder should be")
    journal = Journal(path, node="n", worker="w", free_floor=1)
    with pytest.raises(JournalUnavailable, match="cannot be used: ") as caught:
        journal.accept(a_message(), "[]")
    assert caught.value.wait > 0
    assert not journal.health().writable
    path.parent.unlink()
    assert journal.accept(a_message(), "[]").seq
    assert journal.wait_writable(PATIENCE)
    journal.close()


# --- crashes


def test_a_death_before_the_start_is_known_at_the_first_lookup(path):
    from growbin_jobs.engine.journal.running_ledger import RunningLedger

    dead = RunningLedger(path.parent / "starts")
    dead.begin("poison", "a", "q")
    dead.abandon()
    journal = Journal(path, node="n", worker="w", free_floor=1)
    assert journal.lookup(["poison"])["poison"].crashes == 1
    journal.close()


def test_a_death_beside_it_is_noticed(journal, path):
    from growbin_jobs.engine.journal.running_ledger import RunningLedger

    journal.lookup(["x"])
    dead = RunningLedger(path.parent / "starts")
    dead.begin("poison", "a", "q")
    dead.abandon()
    journal._session().run_once()
    journal.write(lambda _: None)
    assert journal.lookup(["poison"])["poison"].crashes == 1


def test_looks_that_fail_again_and_again_are_told_once_a_minute(journal, monkeypatch, caplog):
    monkeypatch.setattr(session, "INTERVAL", 0.0)
    looks, done = [], threading.Event()

    def fails(_session):
        looks.append(1)
        if len(looks) > session.TOLD_EVERY + 1:
            done.set()  # what was told of the looks before is in the log by now
            return
        raise OSError("the disk is ill")

    monkeypatch.setattr(session.JournalSession, "run_once", fails)
    journal.lookup(["x"])

    assert done.wait(60)
    told = [record for record in caplog.records if record.getMessage() == "journal.look_failed"]
    assert len(told) == 2
