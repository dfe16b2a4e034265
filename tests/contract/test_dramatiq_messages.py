"""What Dramatiq's reference says of actors and messages, on each broker."""

import json
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import dramatiq
import pytest
from dramatiq import Message, Worker
from dramatiq.middleware import (
    CurrentMessage,
)

from growbin_jobs.engine.errors import ConfigurationError


def test_arguments_of_all_kinds_arrive(world):
    seen = []

    @world.actor
    def work(*args, **kwargs):
        seen.append((args, kwargs))

    work.send(1, "값", [1.5, None], key={"a": True})
    work.send_with_options(args=(2,), kwargs={"b": 3})

    world.until(lambda: len(seen) == 2)
    # Two threads run them, so either may be the first.
    assert sorted(seen, key=lambda call: call[0][0]) == [
        ((1, "값", [1.5, None]), {"key": {"a": True}}),
        ((2,), {"b": 3}),
    ]


def test_an_actor_can_be_called_directly(world):
    add = world.actor(lambda x, y: x + y, actor_name="add")

    assert add(1, 2) == 3


@pytest.mark.parametrize("delay", [1, 20, 20.7, timedelta(milliseconds=20), timedelta(seconds=-5), -1, 0])
def test_a_delayed_message_comes(world, delay):
    seen = []
    work = world.actor(seen.append, actor_name="work")

    work.send_with_options(args=(1,), delay=delay)

    world.until(lambda: seen == [1])


def test_a_shorter_delay_comes_first(world):
    seen = []
    work = world.actor(seen.append, actor_name="work")

    work.send_with_options(args=("late",), delay=3_000)
    work.send_with_options(args=("early",), delay=timedelta(milliseconds=500))

    world.until(lambda: len(seen) == 2)
    assert seen == ["early", "late"]


@pytest.mark.parametrize("delay", [10**19, float("inf"), float("nan"), "5", timedelta(days=36_500)])
def test_a_delay_that_no_broker_holds_is_refused_by_the_sender(world, delay):
    work = world.actor(lambda: None, actor_name="work")

    with pytest.raises((ValueError, OverflowError)):
        work.send_with_options(delay=delay)


def test_the_far_future_is_accepted(world):
    work = world.actor(lambda: None, actor_name="work")

    assert work.send_with_options(delay=timedelta(days=8 * 365)).message_id


@pytest.mark.parametrize("eta", [0, 1_000, None, "soon"])
def test_an_eta_that_has_passed_or_is_none_means_now(real_world, eta):
    seen = []
    work = real_world.actor(seen.append, actor_name="work")

    real_world.smuggle(work.message(1).copy(options={"eta": eta}))

    real_world.until(lambda: seen == [1])


def in_a_while(milliseconds=1_500):
    return int(time.time() * 1000) + milliseconds


def test_an_eta_to_come_is_waited_for_wherever_the_message_is_sent(world):
    seen, eta = [], in_a_while()

    @world.actor
    def work():
        seen.append(time.time() * 1000)

    @world.actor
    def parent():
        work.send_with_options(eta=eta)

    work.send_with_options(eta=eta)
    parent.send()

    world.until(lambda: len(seen) == 2)
    if world.box is None:  # a sandbox has a clock of its own, which need not wait
        assert min(seen) >= eta


@pytest.mark.parametrize("eta", [2**62, 10**16])
def test_an_eta_that_no_broker_holds_is_refused_by_the_sender(world, eta):
    work = world.actor(lambda: None, actor_name="work")

    with pytest.raises(ValueError, match="at most 3106 days"):
        work.send_with_options(eta=eta)


def test_what_another_program_wants_to_run_tomorrow_holds_up_nothing(real_world):
    """The broker holds it meanwhile, and not the memory of a worker, nor its prefetch."""
    seen = []
    work = real_world.actor(seen.append, actor_name="work")
    tomorrow = [work.message(number).copy(options={"eta": in_a_while(86_400_000)}) for number in range(200)]
    real_world.smuggle(*tomorrow)  # more than the prefetch
    real_world.smuggle(work.message("soon").copy(options={"eta": in_a_while()}))
    work.send("now")

    real_world.work(threads=1)

    real_world.until(lambda: sorted(seen) == ["now", "soon"], idle=False)  # either may be first on a slow machine
    worker = real_world.workers[0]
    assert not any(each.delay_queue.queue for each in worker.consumers.values())
    if real_world.name == "embedded":
        assert real_world.broker.depths()[real_world.queue].delayed == 200


def test_a_copy_is_a_message_with_other_options(world):
    seen = []

    @world.actor
    def work(value):
        message = CurrentMessage.get_current_message()
        seen.append((value, message.options.get("mark")))

    first = work.message(1)
    world.broker.enqueue(first)
    world.broker.enqueue(first.copy(message_id="another", args=(2,), options={"mark": "x"}))

    world.until(lambda: len(seen) == 2)
    assert sorted(seen) == [(1, None), (2, "x")]


def test_current_message_is_what_runs(world):
    seen = []

    @world.actor
    def work(value):
        message = CurrentMessage.get_current_message()
        seen.append((message.message_id, message.args))

    sent = work.send(7)

    world.until(lambda: seen)
    assert seen == [(sent.message_id, (7,))]
    assert CurrentMessage.get_current_message() is None


def test_an_actor_that_sends_its_own_message_again_runs_again(world):
    seen = []

    @world.actor
    def work():
        message = CurrentMessage.get_current_message()
        seen.append(message.message_id)
        if len(seen) < 3:
            world.broker.enqueue(message.copy())

    work.send()

    world.until(lambda: len(seen) == 3)


def test_an_actor_that_calls_itself_by_message_comes_to_its_end(world):
    seen = []

    @world.actor
    def countdown(n):
        seen.append(n)
        if n:
            countdown.send(n - 1)

    countdown.send(4)

    world.until(lambda: len(seen) == 5)
    assert seen == [4, 3, 2, 1, 0]


def test_a_class_can_be_an_actor(world):
    seen = []
    broker, queue = world.broker, world.queue

    class Base(dramatiq.GenericActor):
        class Meta:
            abstract = True
            queue_name = queue
            max_retries = 1
            min_backoff = 0
            max_backoff = 0

        def perform(self, value):
            seen.append(self.name(value))
            if len(seen) < 2:
                raise ValueError

    Base.Meta.broker = broker

    class Shout(Base):
        def name(self, value):
            return value.upper()

    Shout.send("hello")

    world.until(lambda: len(seen) == 2)
    assert seen == ["HELLO", "HELLO"]
    assert Shout.queue_name == queue


def test_an_unknown_option_is_refused_at_declaration(world):
    with pytest.raises(ValueError, match="typo_of_option"):
        world.actor(lambda: None, actor_name="work", typo_of_option=1)


@pytest.mark.parametrize(
    "names",
    [
        {"queue_name": "q" * 253}, {"queue_name": "tasks.DQ"}, {"queue_name": "amq.tasks"}, {"actor_name": "a" * 256},
        {"actor_name": "a\0b"}, {"actor_name": "\ud800"},
    ],
    ids=["long queue", "delay queue", "server's queue", "long name", "NUL", "surrogate"],
)  # fmt: skip
def test_a_name_that_no_message_can_carry_is_refused_at_declaration(sandbox_world, names):
    with pytest.raises(ValueError, match=f"{next(iter(names)).replace('_', ' ')}.*(at most|reserved|holds)"):
        sandbox_world.actor(lambda: None, **{"actor_name": "work", **names})

    assert not sandbox_world.broker.actors
    assert not sandbox_world.broker.get_declared_queues()


def test_odd_names_that_can_be_carried_are_actors(world):
    seen = []
    names = ["액터 가", 'a "b" %s {c}', "<lambda>", "n" * 255]
    actors = [world.actor(partial(seen.append, name), actor_name=name) for name in names]
    long_queue = world.actor(seen.append, actor_name="long", queue_name=f"{world.queue}{'q' * 200}")

    for actor in actors:
        actor.send()
    long_queue.send("long")

    world.until(lambda: len(seen) == 5)
    assert sorted(seen) == sorted([*names, "long"])


def test_an_encoder_that_writes_no_json_is_refused_wherever_it_is_found(sandbox_world):
    work = sandbox_world.actor(lambda: None, actor_name="work")
    before = dramatiq.get_encoder()
    try:
        dramatiq.set_encoder(dramatiq.PickleEncoder())
        with pytest.raises(ConfigurationError, match="PickleEncoder"):
            work.send()
        with pytest.raises(ValueError, match=r"Actor late: .*PickleEncoder"):
            sandbox_world.actor(lambda: None, actor_name="late")
        with pytest.raises(SystemExit) as ended:
            Worker(sandbox_world.broker).start()
        assert ended.value.code == 78
    finally:
        dramatiq.set_encoder(before)


class WithTimes(dramatiq.JSONEncoder):
    """An encoder of an application's own, which knows a type more than JSON does."""

    def encode(self, data):
        return json.dumps(data, default=lambda value: {"time": value.isoformat()}).encode()

    def decode(self, data):
        return json.loads(data, object_hook=lambda d: datetime.fromisoformat(d["time"]) if d.keys() == {"time"} else d)


def test_an_encoder_of_one_s_own_that_writes_json_is_used(world):
    seen = []
    again = world.actor(seen.append, actor_name="again")
    work = world.actor(lambda when: again.send(when) and None, actor_name="work")
    before, when = dramatiq.get_encoder(), datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    try:
        dramatiq.set_encoder(WithTimes())
        work.send(when)
        world.until(lambda: seen)
    finally:
        dramatiq.set_encoder(before)
    assert seen == [when]


def test_a_message_may_be_made_of_a_time_that_is_no_whole_number(real_world):
    seen = []
    work = real_world.actor(lambda *values: seen.append(values) or 2, actor_name="work")
    made = {"queue_name": real_world.queue, "actor_name": "work", "kwargs": {}, "message_timestamp": time.time() * 1000}
    after = Message(args=(), options={}, **made)

    real_world.broker.enqueue(Message(args=(1,), options={"pipe_target": after.asdict()}, **made))
    real_world.smuggle(work.message(3).copy(**made, args=(3,)))

    real_world.until(lambda: len(seen) == 3)
    assert sorted(seen) == [(1,), (2,), (3,)]
    assert not real_world.dead()


def test_a_message_for_an_unknown_actor_is_a_dead_letter_and_no_traceback(real_world, caplog):
    seen = []
    work = real_world.actor(seen.append, actor_name="work")

    real_world.broker.enqueue(Message(queue_name=real_world.queue, actor_name="nobody", args=(), kwargs={}, options={}))
    work.send("next")

    real_world.until(lambda: seen == ["next"] and real_world.dead())
    assert [(each.actor, each.code) for each in real_world.dead()] == [("nobody", "actor_unknown")]
    assert [each.getMessage() for each in caplog.records if each.exc_info] == []


def test_priorities_decide_among_what_waits(real_world):
    seen = []
    low = real_world.actor(lambda: seen.append("low"), actor_name="low", priority=10)
    high = real_world.actor(lambda: seen.append("high"), actor_name="high", priority=0)
    for _ in range(5):
        low.send()
        high.send()
    time.sleep(0)  # nothing runs so far

    real_world.work(threads=1)

    real_world.until(lambda: len(seen) == 10)
    if real_world.name == "embedded":
        assert seen == ["high"] * 5 + ["low"] * 5
    assert sorted(seen) == ["high"] * 5 + ["low"] * 5


def test_two_engines_in_one_process_have_their_own_actors(real_world):
    seen = []
    other = real_world.open()
    one = real_world.actor(lambda value: seen.append(("one", value)), actor_name="act")
    two = dramatiq.actor(
        lambda value: seen.append(("two", value)), actor_name="act", broker=other.broker,
        queue_name=f"{real_world.queue}_other",
    )  # fmt: skip
    real_world.work()
    real_world.work(broker=other.broker)

    one.send(1)
    two.send(2)

    real_world.until(lambda: len(seen) == 2)
    assert sorted(seen) == [("one", 1), ("two", 2)]
