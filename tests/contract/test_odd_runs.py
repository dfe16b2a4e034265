"""What actors and messages may do to a worker, over both brokers with the engine's own stack: each message ends
completed or dead, nothing multiplies, and the ordinary one behind it runs."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq import Message, Middleware
from dramatiq.broker import Broker
from dramatiq.middleware import CurrentMessage, MiddlewareError, SkipMessage
from tests.contract.test_broker import PATIENCE, Place, eventually, over

from growbin_jobs.engine import events
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.delivery import admission, returning
from growbin_jobs.engine.delivery.lifecycle import State
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters
from growbin_jobs.engine.middleware.boot import Boot
from growbin_jobs.engine.middleware.lifecycle import Lifecycle
from growbin_jobs.engine.middleware.retries import Retries
from growbin_jobs.engine.middleware.stack import stack


class Engine:
    """A worker with the engine's stack, and what its journal says."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.ran: Counter[Any] = Counter()
        self.journal = Journal(folder / "journal" / "task_queue.db", node="n", worker="w", free_floor=1)
        config = EngineConfig(data_dir=folder / "data", node="n")
        self.broker = place.broker(*stack(config, Boot(), lambda: self.journal, source=lambda: None))

    def actor(self, function: Callable[..., Any], **options: Any) -> dramatiq.Actor[Any, Any]:
        options = {"max_retries": 1, "min_backoff": 1, "max_backoff": 1} | options
        return dramatiq.actor(function, queue_name=self.place.queue, broker=self.broker, **options)

    def states(self) -> dict[str, str]:
        """The state of each message."""
        query = "SELECT task_id, status FROM task_wal"
        return dict(self.journal.read(lambda connection: connection.execute(query).fetchall()))

    def reason(self, message: Message[Any]) -> str | None:
        """Why a message is a dead letter."""
        letters = self.journal.read(dead_letters.find)
        return next((letter.code for letter in letters if letter.task_id == message.message_id), None)

    def ends(self, message: Message[Any], *states: str) -> None:
        """Wait until a message has ended so."""
        eventually(lambda: self.states().get(message.message_id) in (states or ("completed", "dead")))

    def check_that_others_run(self) -> None:
        """An ordinary message goes its way, and nothing is left."""
        done = threading.Event()
        ordinary = self.actor(lambda: done.set(), actor_name="ordinary").send()
        assert done.wait(PATIENCE)
        self.ends(ordinary, "completed")


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    place = Place(request.param, request)
    yield place
    place.close()


@pytest.fixture
def engine(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(returning, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(returning, "LAST_DELAY", 0.02)
    engine = Engine(place, tmp_path)
    yield engine
    while place.workers:
        place.workers.pop().stop(timeout=20_000)
    engine.journal.close()


class Odd(Exception):
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


def circular() -> BaseException:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    return one


@over("redelivers")
@pytest.mark.parametrize("make", [circular, Odd, lambda: ExceptionGroup("x", [Odd()])], ids=["circle", "odd", "group"])
def test_any_error_ends_in_a_dead_letter(engine: Engine, make: Callable[[], BaseException]) -> None:
    def fails() -> None:
        engine.ran["fails"] += 1
        raise make()

    message = engine.actor(fails).send()
    engine.place.worker(engine.broker, threads=2)

    engine.ends(message, "dead")
    engine.check_that_others_run()
    assert (engine.ran["fails"], engine.reason(message)) == (2, "retries_exhausted")


@over("redelivers")
@pytest.mark.parametrize("hook", ["before_process_message", "after_process_message"])
def test_a_middleware_that_fails_multiplies_nothing(engine: Engine, hook: str) -> None:
    def fail(self: Any, broker: Broker, message: Any, **_: Any) -> None:
        if message.actor_name == "fails":
            engine.ran["hook"] += 1
            raise MiddlewareError

    engine.broker.add_middleware(type("Failing", (Middleware,), {hook: fail})(), before=Lifecycle)
    message = engine.actor(lambda: engine.ran.update(["actor"]), actor_name="fails").send()
    engine.place.worker(engine.broker, threads=2)

    engine.ends(message)
    engine.check_that_others_run()
    assert engine.ran["hook"] <= 2
    assert engine.ran["actor"] <= 1


def sends_back(_self: Any, _broker: Broker, message: Any, **_: Any) -> None:
    if message.actor_name == "fails":
        message.requeue("odd")


@over("redelivers")
@pytest.mark.parametrize("hook", [sends_back, None], ids=["sent back", "no retries"])
def test_a_run_that_nobody_decides_about_is_counted_and_then_given_up(engine: Engine, hook: Any) -> None:
    returned: list[int] = []

    def fails() -> None:
        engine.ran["actor"] += 1
        if hook is None:
            raise ValueError

    if hook is None:  # the failure is told to nobody who could decide
        engine.broker.middleware = [each for each in engine.broker.middleware if not isinstance(each, Retries)]
    else:
        engine.broker.add_middleware(type("Odd", (Middleware,), {"after_process_message": hook})())
    stop = events.listen(lambda _event, fields: returned.append(fields["count"]), events.REQUEUED)
    message = engine.actor(fails, actor_name="fails").send()
    engine.place.worker(engine.broker, threads=2)
    try:
        engine.ends(message, "dead")
    finally:
        stop()

    engine.check_that_others_run()
    assert returned == [1, 2, 3, 4, 5]
    assert (engine.ran["actor"], engine.reason(message)) == (6, "decision_invalid")


@over("redelivers")
def test_a_message_whose_start_fails_goes_back_and_runs_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, told = engine.journal.begin, []

    def fails_once(task_id: str, *arguments: Any) -> int:
        engine.ran["begin"] += 1
        if engine.ran["begin"] == 1:
            raise RuntimeError
        return begin(task_id, *arguments)

    monkeypatch.setattr(engine.journal, "begin", fails_once)
    stop = events.listen(lambda event, fields: told.append(event.name), events.STARTED, events.REQUEUED)
    message = engine.actor(lambda: engine.ran.update(["actor"]), actor_name="runs").send()
    engine.place.worker(engine.broker, threads=2)
    try:
        engine.ends(message, "completed")
    finally:
        stop()

    assert (engine.ran["actor"], told) == (1, [events.REQUEUED.name, events.STARTED.name])
    engine.check_that_others_run()


@over("redelivers")
def test_an_actor_that_sends_its_own_message_again_runs_again(engine: Engine) -> None:
    def again() -> None:
        engine.ran["again"] += 1
        if engine.ran["again"] < 4:
            engine.broker.enqueue(CurrentMessage.get_current_message())  # type: ignore[arg-type]

    message = engine.actor(again).send()
    engine.place.worker(engine.broker, threads=2)

    engine.ends(message, "completed")
    engine.check_that_others_run()
    assert engine.ran["again"] == 4


@over("redelivers")
def test_one_that_sends_itself_twice_makes_two(engine: Engine) -> None:
    def again() -> None:
        mine = CurrentMessage.get_current_message()
        assert mine is not None
        engine.ran[mine.message_id] += 1
        if not mine.options.get("second"):
            for _ in range(2):
                engine.broker.enqueue(mine.copy(options={"second": True}))

    message = engine.actor(again).send()
    engine.place.worker(engine.broker, threads=2)

    eventually(lambda: sum(engine.ran.values()) == 3)
    engine.ends(message, "completed")
    assert sorted(engine.ran.values()) == [1, 2]


@over("redelivers")
@pytest.mark.parametrize("fails", [True, False])
def test_what_a_middleware_skips_is_on_record_as_skipped(engine: Engine, fails: bool) -> None:
    class Skipping(Middleware):
        def before_process_message(self, broker: Broker, message: Any) -> None:
            if message.actor_name == "skipped":
                if fails:
                    message.fail()
                raise SkipMessage

    outcomes: list[str] = []
    stop = events.listen(lambda _event, fields: outcomes.append(fields["outcome"]), events.ENDED)
    engine.broker.add_middleware(Skipping())
    message = engine.actor(lambda: None, actor_name="skipped").send()
    engine.place.worker(engine.broker, threads=2)
    try:
        engine.ends(message, "dead" if fails else "completed")
    finally:
        stop()

    query = "SELECT error FROM task_wal WHERE task_id = ?"
    read = engine.journal.read(lambda connection: connection.execute(query, (message.message_id,)).fetchone())
    assert read == ("skipped",)
    assert (outcomes, engine.reason(message)) == (["dead"], "skipped") if fails else (["skipped"], None)
    eventually(lambda: engine.place.dead(engine.broker) == int(fails))  # RabbitMQ moves dead letters behind our back


@over("redelivers")
@pytest.mark.parametrize("way", ["os.fork", "multiprocessing"])
def test_what_a_forked_child_sends_is_published_at_once(engine: Engine, way: str) -> None:
    children: list[str | None] = []
    told = threading.Event()

    def child(parent_message: str | None) -> None:
        children.append(parent_message)
        told.set()

    told_actor = engine.actor(child)

    def send() -> None:
        current = CurrentMessage.get_current_message()
        told_actor.send(None if current is None else current.message_id)

    def forks() -> None:
        if way == "multiprocessing":
            process = get_context("fork").Process(target=send)
            process.start()
            process.join(PATIENCE)
            assert process.exitcode == 0
        else:
            pid = os.fork()
            if pid == 0:
                try:
                    send()
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)
        assert told.wait(PATIENCE), "it waits for the end of its parent"

    message = engine.actor(forks, max_retries=0).send()
    engine.place.worker(engine.broker, threads=2)

    engine.ends(message)
    assert engine.states()[message.message_id] == "completed"
    assert children == [None]


@over("redelivers")
def test_a_forked_child_that_returns_from_the_actor_settles_nothing(engine: Engine) -> None:
    parent = os.getpid()
    states, told = os.pipe()

    def forks() -> None:
        engine.ran["forks"] += 1
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)

    class Ends(Middleware):
        position = -2  # outside of all: the child's way ends here

        def after_process_message(self, broker: Broker, message: Any, **_: Any) -> None:
            if os.getpid() != parent:
                os.write(told, str(message.life.state).encode())
                broker.intake.release(message)  # type: ignore[attr-defined] what Dramatiq does next
                os._exit(0)

    engine.broker.add_middleware(Ends())
    message = engine.actor(forks, max_retries=0).send()
    engine.place.worker(engine.broker, threads=1)

    engine.ends(message, "completed")
    engine.check_that_others_run()
    assert engine.ran["forks"] == 1
    os.close(told)
    with open(states) as said:
        assert said.read() == State.LEFT  # it has decided nothing


@over("redelivers")
@pytest.mark.parametrize(
    "options",
    [
        {"retries": 2**70}, {"retries": "one"}, {"deferrals": None}, {"requeues": [1]}, {"max_retries": "many"},
        {"throws": "ValueError"}, {"min_backoff": 10**400}, {"time_limit": {}}, {"deferred_since": "now"},
        {"pipe_target": 7}, {"on_failure": 7}, {"group_completion_uuid": 1, "group_completion_callbacks": 2},
    ],
    ids=lambda options: "-".join(options),
)  # fmt: skip
def test_a_message_with_odd_options_ends(engine: Engine, options: dict[str, Any]) -> None:
    def fails() -> None:
        engine.ran["fails"] += 1
        raise ValueError

    actor = engine.actor(fails)
    odd = Message(queue_name=engine.place.queue, actor_name=actor.actor_name, args=(), kwargs={}, options={})
    sent = odd.copy(options=options)
    hand_in(engine, sent)
    engine.place.worker(engine.broker, threads=1)

    engine.ends(sent, "dead")
    engine.check_that_others_run()
    assert engine.ran["fails"] <= 2
    if options.keys() <= {"retries", "deferrals", "requeues"}:  # a count that is none counts as nothing
        assert (engine.ran["fails"], engine.reason(sent)) == (2, "retries_exhausted")


@over("redelivers")
@pytest.mark.parametrize("timestamp", [-(10**30), 10**400, -1])
def test_a_message_of_any_age_ends(engine: Engine, timestamp: int) -> None:
    actor = engine.actor(lambda: engine.ran.update(["ran"]), actor_name="any_age")
    sent = Message(
        queue_name=engine.place.queue, actor_name=actor.actor_name, args=(), kwargs={}, options={},
        message_timestamp=timestamp,
    )  # fmt: skip
    hand_in(engine, sent)
    engine.place.worker(engine.broker, threads=1)

    engine.ends(sent)
    engine.check_that_others_run()


@over("redelivers")
def test_no_event_carries_anybody_s_data(engine: Engine) -> None:
    secret, told = "canary-3f7", []

    def fails(word: str) -> None:
        raise ValueError(word)

    stop = events.listen(lambda event, fields: told.append((event.name, str(fields))))
    failing, fine = engine.actor(fails), engine.actor(lambda word: {"answer": word}, actor_name="fine")
    messages = [failing.send(secret), fine.send(secret), fine.send_with_options(args=(secret,), delay=20)]
    engine.place.worker(engine.broker, threads=2)
    try:
        for each in messages:
            engine.ends(each)
        eventually(lambda: sum(name == "message.acked" for name, _ in told) >= 4)
    finally:
        stop()

    assert [line for line in told if secret in line[1]] == []
    happened = Counter(name for name, _ in told)
    assert (happened["message.started"], happened["message.ended"], happened["message.given_up"]) == (4, 4, 1)
    assert happened["message.sent"] == len(messages)
    assert happened["message.retried"] == happened["message.published"] == happened["message.confirmed"] == 1


def hand_in(engine: Engine, message: Message[Any]) -> None:
    """Put a message into its queue as somebody else's program does: nobody checks it."""
    from growbin_jobs.engine.delivery.codec import encode
    from growbin_jobs.engine.delivery.records import OutboxMessage

    outgoing = OutboxMessage(
        message_id=message.message_id, task_name=message.actor_name, queue_name=message.queue_name,
        body=encode(message),
    )  # fmt: skip
    assert engine.broker.forward([outgoing]) == [None]  # type: ignore[attr-defined]


@over("redelivers")
def test_a_message_without_an_id_gets_one_before_it_runs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = engine.actor(lambda: engine.ran.update(["actor"]), actor_name="runs")

    def nameless(message: Message[Any]) -> bytes:
        fields = message.asdict()
        del fields["message_id"]
        return json.dumps(fields).encode()

    with monkeypatch.context() as patch:
        patch.setattr(admission, "encode", nameless)
        actor.send()
        actor.send()
    engine.place.worker(engine.broker, threads=2)

    eventually(lambda: list(engine.states().values()) == ["completed", "completed"])
    engine.check_that_others_run()
    assert engine.ran["actor"] == 2
    query = "SELECT payload, task_id FROM task_wal WHERE task_name = 'runs'"
    ran = engine.journal.read(lambda connection: connection.execute(query).fetchall())
    assert [json.loads(payload)["message_id"] for payload, _ in ran] == [task_id for _, task_id in ran]
