"""The table of instructions on both databases, its copy on a node, and what tasks and workers tell beside it."""

import threading
from datetime import UTC, datetime

import pytest

from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.worker_actors import Registered, WorkerActors
from growbin_jobs.engine.control import table
from growbin_jobs.engine.control.file import ControlFile
from growbin_jobs.engine.control.history import history
from growbin_jobs.engine.control.instructions import Action, Target
from growbin_jobs.engine.control.mirror import Mirror
from growbin_jobs.engine.control.table import CHANNEL, KEEP_HISTORY, Control
from growbin_jobs.engine.errors import Away, GrowbinError
from growbin_jobs.engine.task_progress.copying import CopyProgress
from growbin_jobs.engine.task_progress.files import FOLDER, Progress, write
from growbin_jobs.engine.task_progress.table import TaskProgress

ODD = "foo/bar.baz?x#y %2F 한글 🧪 \"'"


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def control(database, clock):
    return Control(database, clock=clock)


def pause(control, name, **more):
    return control.give(Action.PAUSE, Target.QUEUE, name, by="kim", reason="why", **more)


def test_nothing_was_ever_said(control):
    assert (control.version(), control.read().all, control.get(Target.QUEUE, "q")) == (0, (), None)
    assert control.withdraw(Target.QUEUE, "q") is None
    assert control.version() == 0


def test_each_change_takes_the_next_version_and_the_latest_word_about_a_thing_counts(control, clock):
    first = pause(control, ODD)
    clock.now += 1
    second = pause(control, ODD, until=clock.now + 10)
    other = control.give(Action.REVOKE, Target.MESSAGE, ODD, by="lee\0\nroot", reason="x" * 1000)
    assert [first.version, second.version, other.version, control.version()] == [1, 2, 3, 3]
    assert control.read().all[0] == second == control.get(Target.QUEUE, ODD)
    kept = control.get(Target.MESSAGE, ODD)
    assert (kept.by, len(kept.reason)) == ("lee  root", 500)

    assert control.withdraw(Target.QUEUE, ODD) == second
    assert (control.version(), len(control.read().all)) == (4, 1)


def test_what_has_an_end_ends(control, clock):
    pause(control, "q", until=clock.now + 10)
    clock.now += 10
    assert (control.read().all, control.get(Target.QUEUE, "q")) == ((), None)
    assert control.prune() == 1
    assert control.version() == 2


def test_a_revoked_message_is_forgotten_some_time_after_its_end(control, database, clock):
    for name in ("ended", "waits"):
        control.give(Action.REVOKE, Target.MESSAGE, name, by="kim", reason="")
    at = datetime.fromtimestamp(clock.now, UTC)
    row = {
        "task_id": "ended", "node": "n", "task_name": "a", "queue_name": "q", "payload": "{}", "status": "completed",
        "created_at": at, "completed_at": at, "retry_count": 0, "synced_at": at, "deferrals": 0, "crashes": 0, "seq": 1,
    }  # fmt: skip
    database.run(lambda connection: TaskRow.insert(row).execute(connection))
    assert control.prune() == 0
    clock.now += table.FORGET_AFTER + 1
    assert control.prune() == 1
    assert [each.name for each in control.read().all] == ["waits"]


def test_there_is_room_for_so_many_messages(control, monkeypatch):
    monkeypatch.setattr(table, "MOST_MESSAGES", 2)
    for name in ("1", "2", "2"):
        control.give(Action.REVOKE, Target.MESSAGE, name, by="kim", reason="")
    with pytest.raises(GrowbinError, match="Pause their queue"):
        control.give(Action.ABORT, Target.MESSAGE, "3", by="kim", reason="")
    pause(control, "q")
    for name in ("", "x" * 501):
        with pytest.raises(GrowbinError, match="1 to 500"):
            pause(control, name)


def test_many_say_something_at_once(control):
    together = threading.Barrier(8)
    versions = []

    def say(number):
        together.wait(20)
        versions.append(pause(control, f"q{number}").version)

    threads = [threading.Thread(target=say, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(versions) == list(range(1, 9))
    assert (control.version(), len(control.read().all)) == (8, 8)


def test_a_node_s_file_follows_and_stays_as_it_is_where_nothing_changes(control, tmp_path):
    file = ControlFile(tmp_path / "node")
    mirror = Mirror(control, file)
    assert mirror.copy()
    assert not mirror.copy()
    pause(control, "q")
    assert mirror.copy()
    assert file.read() == control.read()
    assert not Mirror(control, file).copy(), "the next keeper finds it so already"
    control.withdraw(Target.QUEUE, "q")
    assert mirror.copy()
    assert file.read().all == ()
    file.path.unlink()
    assert mirror.copy(), "somebody has deleted it"
    assert file.read() == control.read()


def test_a_database_that_was_away_is_read_anew_under_whatever_version(control, database, tmp_path, monkeypatch):
    """It may have been restored: what is said about something else then has a version that was given before."""
    file = ControlFile(tmp_path / "node")
    mirror = Mirror(control, file)
    pause(control, "lost with the restore")
    assert mirror.copy()
    with monkeypatch.context() as patch:
        patch.setattr(control, "version", lambda: (_ for _ in ()).throw(Away("It is being restored.", wait=1)))
        mirror.run_once()
    database.run(lambda connection: connection.execute_sql("UPDATE control SET name = 'said anew'"))
    mirror.run_once()
    assert [each.name for each in file.read().all] == ["said anew"]


def test_postgresql_tells_each_change_when_it_is_there(control, database):
    listener = database.listen(CHANNEL)
    if database.dialect == "sqlite":
        assert listener is None
        return
    assert listener.wait(0.01) is False
    pause(control, "q")
    assert listener.wait(60) is True
    assert control.get(Target.QUEUE, "q") is not None
    listener.close()
    with pytest.raises(Exception, match="closed"):
        listener.wait(1)


def test_progress_is_copied_once_and_the_later_word_stays(database, tmp_path):
    progress = TaskProgress(database)
    job = CopyProgress("n1", tmp_path, progress)
    assert job.run_once() == 0
    path = tmp_path / FOLDER / "1.json"
    write(path, {f"m{number}": Progress(0.5, "half\0", 100.0 + number) for number in range(250)})
    assert (job.run_once(), job.run_once()) == (250, 0)
    assert progress.get("m7") == Progress(0.5, "half\ufffd", 107.0)
    progress.take("n2", {"m7": Progress(0.1, "earlier", 50.0), "m8": Progress(1.0, "later", 500.0)})
    assert progress.of_many(["m7", "m8", "none"]) == {
        "m7": Progress(0.5, "half\ufffd", 107.0), "m8": Progress(1.0, "later", 500.0),
    }  # fmt: skip
    assert progress.forget(before=200.0) == 99
    assert progress.get("m7") is None


def test_who_knows_which_actors(database):
    actors, at = WorkerActors(database), datetime(2026, 11, 28, tzinfo=UTC)
    actors.report("n1", {"storage": ("a", "b"), "ai": ("c",)}, at=at)
    actors.report("n2", {"ai": ("c",)}, at=at)
    actors.report("n1", {"storage": ("a",)}, at=at)
    assert actors.all() == [Registered("n1", "storage", ("a",), at), Registered("n2", "ai", ("c",), at)]


def test_it_stays_known_who_has_paused_and_resumed(control, database, clock):
    pause(control, "q")
    control.give(Action.REVOKE, Target.MESSAGE, "m", by="kim", reason="no history of these")
    clock.now += 5
    control.withdraw(Target.QUEUE, "q", by="lee")
    control.withdraw(Target.QUEUE, "q", by="nobody: it was not paused")

    told = [(each.name, each.action, each.by, each.reason) for each in history(database)]
    assert told == [("q", "resume", "lee", ""), ("q", "pause", "kim", "why")]
    assert history(database, name="other") == []
    clock.now += KEEP_HISTORY - 1
    control.prune()
    assert [each.action for each in history(database)] == ["resume"]
