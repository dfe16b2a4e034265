"""What Dramatiq's reference says of middleware, an application's own and its own, on each broker."""

import pytest
from dramatiq import Middleware
from dramatiq.middleware import (
    AgeLimit,
    Callbacks,
    CurrentMessage,
    Pipelines,
    Retries,
    ShutdownNotifications,
    SkipMessage,
    TimeLimit,
)
from tests.contract.conftest import AT_ONCE

from growbin_jobs.engine.errors import ConfigurationError


def test_a_middleware_may_skip_a_message(world):
    seen, skipped = [], []

    class Skip(Middleware):
        def before_process_message(self, broker, message):
            if message.args == ("skip",):
                raise SkipMessage

        def after_skip_message(self, broker, message):
            skipped.append(message.args)

    world.add(Skip())
    work = world.actor(seen.append, actor_name="work")

    work.send("skip")
    work.send("run")

    world.until(lambda: seen and skipped)
    assert (seen, skipped) == (["run"], [("skip",)])
    assert world.dead() == []


def test_a_middleware_may_fail_what_it_skips(world):
    class Refuse(Middleware):
        def before_process_message(self, broker, message):
            message.fail()
            raise SkipMessage

    world.add(Refuse())
    work = world.actor(lambda: None, actor_name="work")

    work.send()

    world.until(lambda: world.dead())
    assert [(each.actor, each.code) for each in world.dead()] == [("work", "skipped")]


@pytest.mark.parametrize("place", [{}, {"before": Retries}, {"after": Retries}, {"before": TimeLimit}])
@pytest.mark.parametrize("fails", [False, True])
def test_what_a_middleware_sends_after_a_run_is_sent_from_any_place(world, place, fails):  # Bogdanp/dramatiq#524
    told = []

    class Tell(Middleware):
        def after_process_message(self, broker, message, *, result=None, exception=None):
            if message.actor_name == "work":
                broker.get_actor("hear").send(message.args[0], exception is None)

    world.add(Tell(), **place)
    world.actor(lambda *args: told.append(args), actor_name="hear")

    @world.actor(max_retries=1, **AT_ONCE)
    def work(value):
        if fails:
            world.broker.get_actor("hear").send("dropped", None)
            raise ValueError

    work.send(7)

    world.until(lambda: len(told) == (2 if fails else 1))
    assert told == ([(7, False)] * 2 if fails else [(7, True)])


def test_what_a_middleware_sends_before_a_run_is_sent(world):
    told = []

    class Tell(Middleware):
        def before_process_message(self, broker, message):
            if message.actor_name == "work":
                broker.get_actor("hear").send("begins")

    world.add(Tell())
    world.actor(told.append, actor_name="hear")
    work = world.actor(lambda: None, actor_name="work")

    work.send()

    world.until(lambda: told == ["begins"])


def test_hooks_of_a_run_are_called_in_dramatiq_s_order(world):
    calls = []

    def make(name):
        class Note(Middleware):
            def before_process_message(self, broker, message):
                calls.append(f"before {name}")

            def after_process_message(self, broker, message, *, result=None, exception=None):
                calls.append(f"after {name} {result}")

        return Note()

    world.add(make("outer"))
    world.add(make("inner"))
    work = world.actor(lambda: calls.append("actor") or 42, actor_name="work")

    work.send()

    world.until(lambda: len(calls) == 5)
    assert calls == ["before outer", "before inner", "actor", "after inner 42", "after outer 42"]


def test_a_hook_that_fails_does_not_hurt_the_message(world):
    seen = []

    class Broken(Middleware):
        def before_process_message(self, broker, message):
            raise RuntimeError

        def after_process_message(self, broker, message, *, result=None, exception=None):
            raise RuntimeError

    world.add(Broken())
    work = world.actor(seen.append, actor_name="work")

    work.send(1)

    world.until(lambda: seen == [1])
    assert world.dead() == []


@pytest.mark.parametrize(
    "stock",
    [AgeLimit, Callbacks, CurrentMessage, Pipelines, Retries, ShutdownNotifications, TimeLimit],
    ids=lambda each: each.__name__,
)
def test_adding_dramatiq_s_own_middleware_adds_nothing_twice(world, stock):
    before = [each for each in world.broker.middleware if isinstance(each, stock)]

    world.broker.add_middleware(stock())

    assert [each for each in world.broker.middleware if isinstance(each, stock)] == before
    assert len(before) == 1


def test_dramatiq_s_own_middleware_configures_the_engine_s(world):
    runs = []
    world.add(Retries(max_retries=1, min_backoff=1, max_backoff=1))

    @world.actor
    def work():
        runs.append(1)
        raise ValueError

    work.send()

    world.until(lambda: world.dead())
    assert len(runs) == 2


def test_a_middleware_that_would_undo_the_promises_is_refused(world):
    class MyRetries(Retries):
        pass

    with pytest.raises(ConfigurationError, match="MyRetries"):
        world.broker.add_middleware(MyRetries())


def test_a_middleware_derived_from_dramatiq_s_takes_its_place(world):
    told = []

    class MyCallbacks(Callbacks):
        def after_process_message(self, broker, message, *, result=None, exception=None):
            told.append(message.actor_name)

    world.add(MyCallbacks())
    world.actor(lambda *args: told.append("never"), actor_name="hear")
    work = world.actor(lambda: None, actor_name="work", on_success="hear")

    work.send()

    world.until(lambda: told == ["work"])
