"""The ledger of starts, and what is charged when its owner dies."""

from __future__ import annotations

import os
import threading
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.journal import running_ledger
from growbin_jobs.engine.journal.running_ledger import SLOT, SLOTS, RunningLedger
from growbin_jobs.engine.journal.tables import attempts, tasks


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "node" / "starts"


@pytest.fixture
def ledger(folder):
    return RunningLedger(folder)


@pytest.fixture
def charge(connection, folder):
    """Charge whoever is dead and return the crashes by task."""

    def charge(committed=True):
        dead = running_ledger.dead_processes(folder)
        with connection:
            running_ledger.count_crashes(connection, dead, folder, now=500.0)
        running_ledger.remove(dead, folder, committed=committed)
        return dict(connection.execute("SELECT task_id, crashes FROM task_wal WHERE crashes > 0").fetchall())

    return charge


def die(ledger):
    """What the kernel does when a process is killed: its locks go, its files stay."""
    ledger.abandon()


def files_of(folder):
    return [file for file in folder.rglob("*") if file.is_file()]


def test_what_was_running_is_charged_and_what_had_ended_is_not(ledger, charge, folder):
    running, ended = ledger.begin("running", "actor", "queue"), ledger.begin("ended", "actor", "queue")
    ledger.end(ended)
    die(ledger)

    assert charge() == {"running": 1}
    assert running != ended
    assert files_of(folder) == []


def test_people_are_shown_which_run_it_was(ledger, charge, connection, a_start):
    for task_id, pid in (("own", os.getpid()), ("since", os.getpid() + 1)):
        ledger.begin(task_id, "actor", "queue")
        tasks.started(connection, [a_start(task_id, worker=f"node/ai/{pid}")])
    die(ledger)
    charge()

    found = [attempts.of_task(connection, task_id)[0] for task_id in ("own", "since")]
    assert [(each.outcome, each.started_at, each.ended_at) for each in found] == [
        ("crashed", 100.0, 500.0), ("crashed", None, 500.0),
    ]  # fmt: skip


def test_the_living_are_not_charged(ledger, charge):
    ledger.begin("running", "actor", "queue")
    assert charge() == {}


def test_each_death_is_charged_once_even_if_the_burial_failed(ledger, charge, folder):
    ledger.begin("running", "actor", "queue")
    die(ledger)

    assert charge(committed=False) == {"running": 1}  # killed after the commit
    assert charge() == {"running": 1}
    assert files_of(folder) == []


def test_only_one_finds_a_dead_one(ledger, folder, connection):
    ledger.begin("running", "actor", "queue")
    die(ledger)
    found = [running_ledger.dead_processes(folder), running_ledger.dead_processes(folder)]
    assert [len(dead) for dead in found] == [1, 0]


def test_deaths_add_up(folder, charge):
    for _ in range(3):
        ledger = RunningLedger(folder)
        ledger.begin("poison", "actor", "queue")
        die(ledger)
    assert charge() == {"poison": 3}


def test_a_process_that_was_told_to_stop_charges_nobody(ledger, charge, folder):
    ledger.begin("slow", "actor", "queue")
    ledger.disarm()
    ledger.begin("late", "actor", "queue")
    die(ledger)
    assert charge() == {}
    assert files_of(folder) == []


def test_a_process_that_leaves_charges_nobody_and_leaves_nothing(ledger, charge, folder):
    ledger.begin("running", "actor", "queue")
    ledger.close()
    assert charge() == {}
    assert files_of(folder) == []


def test_the_charge_names_actor_and_queue(ledger, charge, connection):
    ledger.begin("running", "ai.analyze", "vision")
    die(ledger)
    charge()
    row = connection.execute("SELECT task_name, queue_name, status FROM task_wal").fetchone()
    assert row == ("ai.analyze", "vision", "failed")


def test_more_than_a_page_of_slots(ledger, charge):
    slots = [ledger.begin(f"t{n}", "a", "q") for n in range(SLOTS * 2 + 1)]
    assert sorted(slots) == list(range(SLOTS * 2 + 1))
    for slot in slots[:-1]:
        ledger.end(slot)
    die(ledger)
    assert charge() == {f"t{SLOTS * 2}": 1}


def test_slots_are_used_again(ledger, folder):
    for n in range(SLOTS * 3):
        ledger.end(ledger.begin(f"t{n}", "a", "q"))
    assert max(file.stat().st_size for file in files_of(folder)) == SLOTS * SLOT


def test_the_file_has_no_holes(ledger, folder):
    size, blocks = max((file.stat().st_size, file.stat().st_blocks) for file in files_of(folder))
    assert blocks * 512 >= size


def test_threads_share_it(ledger, charge):
    gate = threading.Barrier(8)

    def run(thread):
        gate.wait()
        kept = [ledger.begin(f"{thread}-{n}", "a", "q") for n in range(300)]
        for slot in kept[1:]:
            ledger.end(slot)

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    die(ledger)
    assert charge() == {f"{thread}-0": 1 for thread in range(8)}


@pytest.mark.parametrize(("name", "kept"), [("x" * 300, ""), ("구" * 80, ""), ("x" * 200, "x" * 200)], ids=len)
def test_long_names_do_not_hide_the_task(ledger, charge, connection, name, kept):
    task_id = str(uuid.uuid4())
    ledger.begin(task_id, name, "q")
    die(ledger)
    assert charge() == {task_id: 1}
    assert connection.execute("SELECT task_name FROM task_wal").get == kept


def test_an_id_that_fits_no_slot_is_not_tracked(ledger, charge):
    slot = ledger.begin("i" * 400, "a", "q")
    ledger.begin("other", "a", "q")
    die(ledger)
    assert charge() == {"other": 1}
    assert slot >= 0


IDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
NAMES = st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=15)


@given(st.lists(st.tuples(IDS, NAMES, NAMES, st.booleans()), max_size=30))
def test_what_is_read_is_what_was_running(tmp_path_factory, runs):
    folder = tmp_path_factory.mktemp("starts") / "starts"
    ledger = RunningLedger(folder)
    running = []
    for task_id, actor, queue, ends in runs:
        slot = ledger.begin(task_id, actor, queue)
        if ends:
            ledger.end(slot)
        else:
            running.append((task_id, actor, queue))
    die(ledger)
    (owner,) = running_ledger.dead_processes(folder)
    assert sorted(running_ledger._entries(folder / owner.name)) == sorted(running)
    running_ledger.remove([owner], folder, committed=True)


def test_an_id_that_is_no_text_harms_no_other(ledger, charge):
    ledger.begin("\ud800", "a", "q")
    ledger.begin("other", "a", "q")
    die(ledger)
    assert charge()["other"] == 1


def test_what_a_crash_of_the_machine_left_is_read_as_far_as_it_goes(ledger, charge, folder):
    ledger.begin("torn", "a", "q")
    ledger.begin("running", "a", "q")
    (file,) = [file for file in folder.iterdir() if file.is_file()]
    with file.open("r+b") as torn:
        torn.write(b"\x0a\xff\xff\x00 garbage")
        torn.seek(0, os.SEEK_END)
        torn.write(b"\x09abc")
    die(ledger)
    assert charge() == {"running": 1}


def test_a_full_disk_leaves_no_ledger_behind(folder, monkeypatch):
    monkeypatch.setattr(os, "pwrite", lambda *_: 10)
    with pytest.raises(OSError, match="No space left"):
        RunningLedger(folder)
    assert files_of(folder) == []


def test_a_charge_that_fails_changes_nothing(ledger, connection, folder, monkeypatch):
    ledger.begin("running", "a", "q")
    die(ledger)
    dead = running_ledger.dead_processes(folder)
    monkeypatch.setattr(tasks, "CRASH_ERROR", "\ud800")
    with pytest.raises(UnicodeEncodeError), connection:
        running_ledger.count_crashes(connection, dead, folder, now=1.0)
    running_ledger.remove(dead, folder, committed=False)
    assert connection.execute("SELECT count(*) FROM charged_ledger").get == 0
    assert len(running_ledger.dead_processes(folder)) == 1
