"""What people tell all nodes, on both brokers: queues and actors pause, messages are revoked and aborted."""

import asyncio
import threading
import time

import pytest

from growbin_jobs.engine import events
from growbin_jobs.engine.control.file import ControlFile
from growbin_jobs.engine.control.instructions import Action, Target
from growbin_jobs.engine.control.mirror import Mirror
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.journal.tables import reader
from growbin_jobs.engine.opening import open_central
from growbin_jobs.engine.task_results import State, TaskRevoked, result


class Operator:
    """A person at the central database, and the keeper's part for this node, step by step."""

    def __init__(self, world):
        self.database = open_central(world.config)
        self.control = Control(self.database)
        self.mirror = Mirror(self.control, ControlFile(world.config.node_dir))
        self.world = world
        self.seen = threading.Condition()
        self.heard = []
        world.exit.callback(self.database.close)
        heard = (events.CONTROL_PAUSED, events.CONTROL_RESUMED, events.REVOKED, events.ABORTED, events.PUT_ASIDE)
        world.exit.callback(events.listen(self._hear, *heard))

    def _hear(self, event, fields):
        with self.seen:
            self.heard.append((event.name, fields.get("name") or fields.get("id")))
            self.seen.notify_all()

    def obeyed(self, event, name):
        """Wait until a worker says that it has obeyed."""
        with self.seen:
            assert self.seen.wait_for(lambda: (event, name) in self.heard, 60), self.heard

    def say(self, action, target, name, **more):
        said = self.control.give(action, target, name, by="kim", reason="a test", **more)
        assert self.mirror.copy()
        return said

    def pause(self, target, name, **more):
        self.say(Action.PAUSE, target, name, **more)
        self.obeyed("control.paused", name)

    def resume(self, target, name):
        self.control.withdraw(target, name)
        assert self.mirror.copy()
        self.obeyed("control.resumed", name)

    def row(self, message):
        return self.world.journal.read(lambda connection: reader.task(connection, message.message_id))


@pytest.fixture
def operator(real_world):
    return Operator(real_world)


def test_a_paused_queue_begins_nothing_until_it_is_resumed(real_world, operator):
    done = []
    other = f"{real_world.queue}_other"
    work = real_world.actor(done.append, actor_name="work")
    free = real_world.actor(lambda word: done.append(word), actor_name="free", queue_name=other)
    real_world.work()
    operator.pause(Target.QUEUE, real_world.queue)

    for number in range(20):
        work.send(number)  # a producer goes on sending
    free.send("free")
    real_world.until(lambda: "free" in done, idle=False)
    assert done == ["free"]

    operator.resume(Target.QUEUE, real_world.queue)
    real_world.until(lambda: len(done) == 21)
    assert sorted(done[1:]) == list(range(20))


def test_a_new_worker_obeys_from_its_first_message_on_without_the_database(real_world, operator):
    done = []
    work = real_world.actor(done.append, actor_name="work")
    operator.say(Action.PAUSE, Target.QUEUE, real_world.queue)
    operator.database.close()
    real_world.config.embedded_database_path.rename(real_world.config.embedded_database_path.with_suffix(".away"))
    work.send(1)
    real_world.work()
    assert ("control.paused", real_world.queue) in operator.heard, "before it fetched"
    assert real_world.broker.pauses.left(real_world.queue) > 0

    real_world.config.embedded_database_path.with_suffix(".away").rename(real_world.config.embedded_database_path)
    operator.resume(Target.QUEUE, real_world.queue)
    real_world.until(lambda: done == [1])


def test_a_pause_ends_by_itself(real_world, operator):
    done = []
    work = real_world.actor(done.append, actor_name="work")
    real_world.work()
    operator.pause(Target.QUEUE, real_world.queue, until=time.time() + 3.0)
    work.send(1)
    real_world.until(lambda: done == [1])
    operator.obeyed("control.resumed", real_world.queue)


@pytest.mark.parametrize("width", [2, 64])
def test_a_paused_actor_waits_and_the_others_of_its_queue_go_on(real_world, operator, width, monkeypatch):
    monkeypatch.setattr("growbin_jobs.engine.middleware.control.SHORTEST_ASIDE", 2.0)
    done, received = [], []
    paused = real_world.actor(done.append, actor_name="paused")
    free = real_world.actor(lambda number: done.append(f"free {number}"), actor_name="free")
    real_world.exit.callback(events.listen(lambda _, fields: received.append(fields["messages"]), events.RECEIVED))
    for module in ("dramatiq.worker", "growbin_jobs.engine.middleware.prefetch"):
        monkeypatch.setattr(f"{module}.QUEUE_PREFETCH", width)
    real_world.work()
    operator.pause(Target.ACTOR, "paused")

    for number in range(10):
        paused.send(number)
    for number in range(10):
        free.send(number)
    real_world.until(lambda: len(done) == 10, idle=False)
    assert {str(each).split()[0] for each in done} == {"free"}

    operator.resume(Target.ACTOR, "paused")
    real_world.until(lambda: len(done) == 20)
    assert sorted(done[10:]) == list(range(10))
    assert real_world.dead() == []
    rows = real_world.journal.read(lambda connection: reader.tasks(connection, TaskState.COMPLETED))
    assert {(row.retry_count, row.deferrals) for row in rows} == {(0, 0)}, "nothing has counted that they waited"
    assert "requeues" not in "".join(row.payload for row in rows)
    if width > 2:
        assert sum(received) == 20, "each was delivered once: there was room to keep them"


def test_a_revoked_message_does_not_run_and_that_is_final(real_world, operator):
    done, failed = [], []
    work = real_world.actor(done.append, actor_name="work")
    real_world.actor(lambda message, error: failed.append(error["type"]), actor_name="told")
    noted = real_world.actor(failed.append, actor_name="noted")
    hurt = real_world.actor(
        done.append, actor_name="hurt", on_failure="told",
        on_give_up=lambda actor, message: noted.message(f"gave up {message.given_up[0]}"),
    )  # fmt: skip
    first, later = work.message(1), work.message(2)
    told = hurt.message(3)
    for message in (first, later, told):
        operator.say(Action.REVOKE, Target.MESSAGE, message.message_id)
    real_world.work()
    real_world.broker.enqueue(first)
    real_world.broker.enqueue(later, delay=1_500)
    real_world.broker.enqueue(told)
    work.send(4)

    real_world.until(lambda: done == [4] and len(failed) == 2 and operator.row(later))
    assert sorted(failed) == ["gave up revoked", "revoked"]
    for message in (first, later, told):
        row = operator.row(message)
        assert (row.status, row.error) == ("completed", "revoked")
        assert result(message).state is State.REVOKED
        with pytest.raises(TaskRevoked, match="kim has revoked it: a test"):
            result(message).get(timeout=0)
    assert real_world.dead() == []


@pytest.mark.parametrize("limit", [60_000, float("inf")])
def test_a_running_message_is_aborted(real_world, operator, limit):
    began, put_away, go_on = threading.Event(), [], threading.Event()

    @real_world.actor(time_limit=limit, max_retries=5)
    def long(_):
        began.set()
        try:
            while not go_on.is_set():
                time.sleep(0.01)
        finally:
            put_away.append(True)

    real_world.work(threads=2)
    message = long.send(1)
    assert began.wait(60)
    operator.say(Action.ABORT, Target.MESSAGE, message.message_id)
    real_world.until(lambda: put_away and (row := operator.row(message)) and row.status == "completed")
    assert operator.row(message).error == "aborted"
    assert real_world.dead() == []
    go_on.set()


def test_an_asynchronous_actor_is_aborted(real_world, operator):
    began, put_away = threading.Event(), []

    @real_world.actor(max_retries=5)
    async def long():
        began.set()
        try:
            await asyncio.sleep(600)
        finally:
            put_away.append(True)

    real_world.work(threads=2)
    message = long.send()
    assert began.wait(60)
    operator.say(Action.ABORT, Target.MESSAGE, message.message_id)
    real_world.until(lambda: put_away and result(message).state is State.REVOKED)
    assert operator.row(message).error == "aborted"


def test_a_message_that_waits_in_place_for_its_turn_is_aborted(real_world, operator):
    waits, over = threading.Event(), []

    @real_world.actor
    def wait():
        with real_world.engine.waiting_room.waiting() as wakeup:
            waits.set()
            try:
                while True:
                    wakeup.wait()
            finally:
                over.append(True)

    real_world.work(threads=2)
    message = wait.send()
    assert waits.wait(60)
    operator.say(Action.ABORT, Target.MESSAGE, message.message_id)
    real_world.until(lambda: over and (row := operator.row(message)) is not None and row.error)
    assert operator.row(message).error == "aborted"


def test_what_is_withdrawn_runs(real_world, operator):
    done = []
    work = real_world.actor(done.append, actor_name="work")
    message = work.message(1)
    operator.say(Action.REVOKE, Target.MESSAGE, message.message_id)
    operator.control.withdraw(Target.MESSAGE, message.message_id)
    operator.mirror.copy()
    real_world.broker.enqueue(message)
    real_world.until(lambda: done == [1])
