"""The kit for people's own actors, tried on actors as people write them."""

from asyncio import CancelledError
from typing import Any

import dramatiq
import pytest
from dramatiq import Message
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import CurrentMessage, TimeLimit
from dramatiq.middleware.time_limit import TimeLimitExceeded

from growbin_jobs.engine.delivery.codec import follow_up_id
from growbin_jobs.engine.middleware.give_up_hook import GiveUpHook
from growbin_jobs.engine.middleware.retries import Retries
from growbin_jobs.errors import Deferred, Permanent, Transient
from growbin_jobs.failure_recording import record_failure_of
from growbin_jobs.testing import MemoryStore, sandbox


@pytest.fixture
def broker() -> StubBroker:
    stack = [GiveUpHook(), Retries(max_retries=2, min_backoff=1000, max_wait=3600.0), TimeLimit()]
    broker = StubBroker(middleware=stack)
    broker.add_middleware(CurrentMessage())
    return broker


@pytest.fixture
def actor(broker: StubBroker) -> Any:
    def declare(function: Any, **options: Any) -> Any:
        return dramatiq.actor(function, broker=broker, **options)

    return declare


def test_a_sent_message_runs_when_it_is_told_to(broker, actor):
    ran = []
    act = actor(lambda *args, **kwargs: ran.append((args, kwargs)), actor_name="act")

    with sandbox(broker) as box:
        message = act.send(1, key="값")
        assert ran == []
        [run] = box.run()

    assert ran == [((1,), {"key": "값"})]
    assert (run.sent.id, run.sent.parent, run.exception) == (message.message_id, None, None)
    assert box.waiting() == box.dead() == []


def test_outside_of_the_block_messages_go_to_the_broker_again(broker, actor):
    act = actor(lambda: None, actor_name="act")
    with sandbox(broker):
        act.send()
    assert broker.queues["default"].qsize() == 0

    act.send()

    assert broker.queues["default"].qsize() == 1


def test_one_sandbox_at_a_time(broker):
    with sandbox(broker), pytest.raises(RuntimeError, match="already"), sandbox(broker):
        pass


def test_follow_ups_leave_at_the_end_under_ids_of_their_own(broker, actor):
    child = actor(lambda n: None, actor_name="child")

    def parent():
        child.send(0)
        child.send_with_options(args=(1,), delay=60_000)
        assert [each.actor for each in box.sent()] == ["parent"]

    parent_actor = actor(parent)
    with sandbox(broker) as box:
        message = parent_actor.send()
        box.run(until=0)

    assert [each.id for each in box.sent("child")] == [follow_up_id(message.message_id, "child", n) for n in (0, 1)]
    assert [each.due for each in box.sent("child")] == [0.0, 60.0]
    assert [each.args for each in box.waiting()] == [(1,)]


def test_a_failed_run_sends_nothing_but_its_retry(broker, actor):
    tries = []

    def fickle():
        noted.send(len(tries))
        tries.append(box.now)
        if len(tries) < 3:
            raise Transient("not yet")

    noted = actor(lambda n: None, actor_name="noted")
    fickle_actor = actor(fickle)
    with sandbox(broker) as box:
        fickle_actor.send()
        box.run()

    assert [each.args for each in box.sent("noted")] == [(2,)]
    assert [each.retries for each in box.sent("fickle")] == [0, 1, 2]
    assert tries[0] == 0.0
    assert 1.0 <= tries[1] <= 1.5  # min_backoff with jitter, and no second of ours was spent
    assert tries[1] + 2.0 <= tries[2] <= tries[1] + 3.0


def test_what_fails_too_often_is_dead_and_raises(broker, actor):
    def broken():
        raise Transient("broken")

    broken_actor = actor(broken)
    with sandbox(broker) as box:
        broken_actor.send()
        with pytest.raises(Transient, match="broken"):
            box.run()
        [letter] = box.dead()
        assert (letter.code, letter.sent.retries) == ("retries_exhausted", 2)


def test_dead_letters_can_be_looked_at_instead(broker, actor):
    def refusing():
        raise Permanent("picture_missing")

    refusing_actor = actor(refusing)
    with sandbox(broker) as box:
        refusing_actor.send()
        box.run(fail_fast=False)

    [letter] = box.dead("refusing")
    assert (letter.code, type(letter.exception)) == ("picture_missing", Permanent)
    assert box.waiting() == []


def test_waiting_spends_no_retry_and_has_an_end(broker, actor):
    def waiting():
        raise Deferred("the other side is away", wait=600)

    waiting_actor = actor(waiting)
    with sandbox(broker) as box:
        waiting_actor.send()
        box.run(fail_fast=False)

    assert [each.retries for each in box.sent()] == [0] * len(box.sent())
    assert [each.deferrals for each in box.sent()] == list(range(len(box.sent())))
    assert box.dead()[0].code == "waited_too_long"
    assert 3600 <= box.now <= 3600 + 600 * 1.25


def test_a_failed_stage_records_its_failure(broker, actor):
    def stage_two(analysis_id):
        raise Permanent("model_refused")

    stage = actor(stage_two, on_give_up=record_failure_of("vision"))
    with sandbox(broker) as box:
        stage.send("a1")
        box.run(fail_fast=False)

    [record] = box.waiting()  # nobody here runs it
    assert record.actor == "record_failure"
    assert record.kwargs == {"analysis_id": "a1", "stage": "vision", "code": "model_refused", "params": {}}


def test_a_message_for_another_group_waits(broker, actor):
    elsewhere = Message(queue_name="far", actor_name="far_away", args=(), kwargs={}, options={})

    def here():
        broker.enqueue(elsewhere)

    here_actor = actor(here)
    with sandbox(broker) as box:
        here_actor.send()
        box.run()

    assert [each.actor for each in box.waiting()] == ["far_away"]


def test_time_goes_only_as_far_as_it_is_told_to(broker, actor):
    act = actor(lambda n: None, actor_name="act")
    with sandbox(broker) as box:
        act.send_with_options(args=(1,), delay=90_000)
        act.send_with_options(args=(2,), delay=30_000)

        assert [run.sent.args for run in box.run(until=60)] == [(2,)]
        assert box.now == 60
        assert [run.sent.args for run in box.run()] == [(1,)]
        assert box.now == 90


def test_arguments_travel_as_json(broker, actor):
    got = []
    act = actor(got.append, actor_name="act")
    with sandbox(broker) as box:
        act.send({"pair": (1, 2)})
        box.run()
        with pytest.raises(TypeError):
            act.send(object())

    assert got == [{"pair": [1, 2]}]


def test_an_actor_that_sends_what_is_no_json_fails_like_in_a_worker(broker, actor):
    act = actor(lambda value: None, actor_name="act")
    careless = actor(lambda: act.send(object()), actor_name="careless", max_retries=0)
    with sandbox(broker) as box:
        careless.send()
        with pytest.raises(TypeError):
            box.run()


def test_a_time_limit_that_an_actor_raises_is_a_failure(broker, actor):
    def slow():
        raise TimeLimitExceeded

    slow_actor = actor(slow, max_retries=1)
    with sandbox(broker) as box:
        slow_actor.send()
        box.run(fail_fast=False)

    assert [each.retries for each in box.sent()] == [0, 1]
    assert len(box.dead()) == 1


@pytest.mark.parametrize("error", [SystemExit(3), CancelledError()], ids=type)
def test_what_ends_no_worker_ends_no_test(broker, actor, error):
    @actor
    def work():
        raise error

    with sandbox(broker) as box:
        work.send()
        box.run(fail_fast=False)

        assert [each.sent.actor for each in box.dead()] == ["work"]
        assert len(box.sent("work")) == 3  # it was retried as any other


def test_a_test_that_fails_itself_in_an_actor_fails_and_spoils_no_later_one(broker, actor):
    @actor
    def work():
        work.send()
        pytest.fail("no such order")

    with sandbox(broker) as box:
        work.send()
        with pytest.raises(pytest.fail.Exception):
            box.run(fail_fast=False)
        again = work.send()
        assert [each.id for each in box.waiting()] == [again.message_id]


def test_actors_that_send_to_each_other_for_ever_are_found_out(broker, actor):
    def endless():
        endless_actor.send()

    endless_actor = actor(endless)
    with sandbox(broker) as box:
        endless_actor.send()
        with pytest.raises(AssertionError, match="for ever"):
            box.run(most=10)


# --- twice


def test_an_idempotent_actor_may_run_twice(broker, actor):
    rows = {}
    child = actor(lambda key: rows.update({key: 1}), actor_name="child")
    parent = actor(lambda: [child.send(key) for key in "ab"], actor_name="parent")
    with sandbox(broker) as box:
        parent.send()
        box.run(twice=True)

    assert rows == {"a": 1, "b": 1}
    assert len(box.sent("child")) == 2


def test_an_actor_whose_second_run_sends_something_else_is_found_out(broker, actor):
    seen = []
    child = actor(lambda n: None, actor_name="child")

    def counting():
        seen.append(1)
        child.send(len(seen))

    counting_actor = actor(counting)
    with sandbox(broker) as box:
        counting_actor.send()
        with pytest.raises(AssertionError, match="second run of counting"):
            box.run(twice=True)


def test_an_actor_that_cannot_run_twice_is_found_out(broker, actor):
    files = {"spooled"}
    taking = actor(lambda: files.remove("spooled"), actor_name="taking")
    with sandbox(broker) as box:
        taking.send()
        with pytest.raises(AssertionError, match="the second one failed") as found:
            box.run(twice=True)

    assert isinstance(found.value.__cause__, KeyError)


def test_a_store_for_tests_comes_with_it():
    store = MemoryStore()
    assert store.get(store.put("a/b", b"x", content_type="text/plain")) == b"x"
