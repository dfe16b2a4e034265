"""What Dramatiq's guide says of callbacks, pipelines and groups, on each broker."""

import pytest
from dramatiq import group, pipeline
from dramatiq.middleware import CurrentMessage, GroupCallbacks
from dramatiq.rate_limits.backends import StubBackend
from dramatiq.results import ResultMissing
from tests.contract.conftest import AT_ONCE

from growbin_jobs.engine.errors import Deferred, Permanent

# --- callbacks


@pytest.mark.parametrize("how", ["of the message", "of the actor", "by name"])
def test_an_actor_is_told_of_a_success(world, how):
    told = []
    hear = world.actor(lambda *args: told.append(args), actor_name="hear")
    options = {"of the actor": {"on_success": hear}, "by name": {"on_success": "hear"}}.get(how, {})
    add = world.actor(lambda x, y: x + y, actor_name="add", **options)

    add.send_with_options(args=(1, 2), **({"on_success": hear} if how == "of the message" else {}))

    world.until(lambda: told)
    [(message, result)] = told
    assert (message["actor_name"], message["args"], result) == ("add", [1, 2], 3)


def test_an_actor_is_told_of_each_failure(world):
    told = []
    world.actor(lambda *args: told.append(args), actor_name="hear")

    @world.actor(max_retries=2, on_failure="hear", **AT_ONCE)
    def work():
        raise ValueError("a password")

    work.send()

    world.until(lambda: len(told) == 3)
    assert [message["options"]["retries"] for message, _ in told] == [1, 2, 3]
    assert {failure["type"] for _, failure in told} == {"ValueError"}
    assert "password" not in str(told)


def test_an_actor_is_told_of_what_is_given_up_at_once_and_not_of_waiting(world):
    told, runs = [], []
    world.actor(lambda *args: told.append(args), actor_name="hear")

    @world.actor(on_failure="hear", **AT_ONCE)
    def work():
        runs.append(1)
        if len(runs) == 1:
            raise Deferred("away", wait=0)
        raise Permanent("The order was cancelled.")

    work.send()

    world.until(lambda: told)
    assert [(failure["type"], failure["message"]) for _, failure in told] == [
        ("Permanent", "It was given up: The order was cancelled.")
    ]


def test_a_callback_that_is_no_actor_is_refused(world):
    work = world.actor(lambda: None, actor_name="work")

    with pytest.raises(TypeError, match="Actor"):
        work.send_with_options(on_success=lambda *args: None)


def test_a_callback_that_cannot_be_sent_is_a_dead_letter_and_not_lost(world):
    world.actor(lambda *args: None, actor_name="hear")
    work = world.actor(lambda: {1, 2}, actor_name="work", on_success="hear")

    work.send()

    world.until(lambda: world.dead())
    assert world.dead()[0].code == "decision_invalid"
    assert "on_success" in world.dead()[0].reason


# --- pipelines


@pytest.fixture
def add(world):
    return world.actor(lambda x, y: x + y, actor_name="add", store_results=True)


def test_messages_can_be_piped(world, add):
    pipe = add.message(1, 2) | add.message(3) | add.message(4)

    pipe.run()

    world.until(lambda: pipe.completed)
    assert pipe.get_result() == 10
    assert list(pipe.get_results()) == [3, 6, 10]
    assert pipe.completed_count == 3


def test_a_pipeline_of_pipelines_with_a_delay(world, add):
    pipe = pipeline([add.message(1, 2), add.message(3) | add.message(4)]).run(delay=100)

    world.until(lambda: pipe.completed)
    assert pipe.get_result() == 10


def test_a_stage_may_be_delayed(world, add):
    pipe = (add.message(1, 2) | add.message_with_options(args=(3,), delay=200)).run()

    world.until(lambda: pipe.completed)
    assert pipe.get_result() == 6


@pytest.mark.parametrize("of_message", [True, False])
def test_a_stage_may_ignore_the_result_before_it(world, of_message):
    options = {} if of_message else {"pipe_ignore": True}
    args = world.actor(lambda *args: args, actor_name="args", store_results=True, **options)
    second = args.message_with_options(args=(2,), pipe_ignore=True) if of_message else args.message(2)

    pipe = (args.message(1) | second).run()

    world.until(lambda: pipe.completed)
    assert list(pipe.get_results()) == [[1], [2]]


def test_a_stage_that_is_retried_goes_on(world, add):
    runs = []

    @world.actor(max_retries=2, **AT_ONCE)
    def shaky(value):
        runs.append(value)
        if len(runs) < 3:
            raise ValueError
        return value + 1

    pipe = (shaky.message(1) | add.message(10)).run()

    world.until(lambda: pipe.completed)
    assert runs == [1, 1, 1]
    assert pipe.get_result() == 12


def test_a_stage_that_is_given_up_ends_the_pipeline(world, add):
    @world.actor(max_retries=0)
    def broken():
        raise ValueError

    pipe = (broken.message() | add.message(10)).run()

    world.until(lambda: world.dead())
    with pytest.raises(ResultMissing):
        pipe.get_result()


def test_an_actor_may_start_a_pipeline_whose_id_others_know(world, add):
    started = []

    @world.actor
    def start():
        pipe = (add.message(1, 2) | add.message(3)).run()
        started.append(pipe.messages)

    start.send()

    world.until(lambda: started and _result(started[0][-1]) == 6)
    assert [_result(each) for each in started[0]] == [3, 6]


def _result(message):
    try:
        return message.get_result()
    except ResultMissing:
        return None


# --- groups


def test_a_group_runs_all_and_has_their_results(world, add):
    both = group([add.message(1, 2), add.message(3, 4), add.message(5, 6) | add.message(7)]).run()

    world.until(lambda: both.completed)
    assert list(both.get_results()) == [3, 7, 18]
    assert len(both) == both.completed_count == 3


def test_a_group_tells_once_when_all_have_completed(world, add):
    told = []
    done = world.actor(lambda *args: told.append(args), actor_name="done")
    members = group([add.message(1, 2), add.message(3, 4) | add.message(5), add.message(6, 7)])
    members.add_completion_callback(done.message("all"))
    members.add_completion_callback(done.message("really"))

    members.run()

    world.until(lambda: len(told) == 2)
    assert sorted(told) == [("all",), ("really",)]
    assert members.completed


def test_a_group_with_a_member_that_is_given_up_does_not_tell(world, add):
    told = []
    done = world.actor(lambda: told.append(1), actor_name="done")
    broken = world.actor(lambda: 1 / 0, actor_name="broken", max_retries=0)
    members = group([add.message(1, 2), broken.message()])
    members.add_completion_callback(done.message())

    members.run()

    world.until(lambda: world.dead() and members.completed_count >= 1)
    assert told == []


def test_an_actor_may_start_a_group_with_a_callback(world, add):
    told, started = [], []
    done = world.actor(lambda: told.append(1), actor_name="done")

    @world.actor
    def start():
        members = group([add.message(1, 2), add.message(3, 4)])
        members.add_completion_callback(done.message())
        started.append(members.run())

    start.send()

    world.until(lambda: told)
    assert told == [1]
    assert list(started[0].get_results()) == [3, 7]


def test_group_callbacks_take_dramatiq_s_own_backend(world, add):
    told = []
    world.add(GroupCallbacks(StubBackend()))
    done = world.actor(lambda: told.append(1), actor_name="done")
    members = group([add.message(1, 2), add.message(3, 4)])
    members.add_completion_callback(done.message())

    members.run()

    world.until(lambda: told == [1])


# --- the same ids in each run


def test_a_run_that_is_repeated_makes_the_same_messages(world, add):
    seen = []
    done = world.actor(lambda: None, actor_name="done")

    def compose():
        pipe = add.message(1, 2) | add.message(3)
        members = group([add.message(4, 5), add.message(6, 7) | add.message(8)])
        members.add_completion_callback(done.message())
        return pipe, members

    @world.actor(max_retries=1, on_failure="hear", **AT_ONCE)
    def work():
        pipe, members = compose()
        pipe.run()
        members.run()
        seen.append([each.message_id for each in pipe.messages] + [str(each) for each in members.completion_callbacks])
        if len(seen) == 1:
            raise ValueError

    heard = []
    world.actor(
        lambda message, _failure: heard.append(CurrentMessage.get_current_message().message_id), actor_name="hear"
    )

    work.send()

    world.until(lambda: len(seen) == 2 and heard)
    assert seen[0][:2] == seen[1][:2]
