"""What ends an actor, or keeps it from running: time limits, shutdowns, ages; and asynchronous actors."""

import asyncio
import threading
import time

import pytest
from dramatiq.middleware import AsyncIO, Shutdown, TimeLimitExceeded
from tests.contract.conftest import AT_ONCE

from growbin_jobs.engine.threads import gevent_active


def nap(seconds):
    """Sleep so that a thread can be interrupted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize("of_message", [True, False])
def test_an_actor_that_runs_too_long_is_interrupted_and_retried(real_world, of_message):
    seen = []
    options = {"time_limit": 300}

    @real_world.actor(max_retries=1, **AT_ONCE, **({} if of_message else options))
    def work():
        try:
            nap(30)
        except TimeLimitExceeded:
            seen.append("interrupted")
            raise
        seen.append("finished")

    work.send_with_options(**(options if of_message else {}))

    real_world.until(lambda: real_world.dead())
    assert seen == ["interrupted", "interrupted"]
    assert real_world.dead()[0].code == "retries_exhausted"


def test_an_actor_may_have_no_time_limit(real_world):
    seen = []

    @real_world.actor(time_limit=float("inf"))
    def work():
        seen.append(1)

    work.send()

    real_world.until(lambda: seen)


def test_a_shutdown_interrupts_who_wants_to_know_and_costs_no_retry(real_world):
    began, seen = threading.Event(), []

    @real_world.actor(notify_shutdown=True, max_retries=0)
    def work():
        began.set()
        try:
            nap(30 if not seen else 0)
        except Shutdown:
            seen.append("shutdown")
            raise
        seen.append("finished")

    message = work.send()
    first = real_world.work()
    assert began.wait(60)
    first.stop(timeout=20_000)

    assert seen == ["shutdown"]
    real_world.workers.remove(first)
    real_world.work()
    real_world.until(lambda: real_world.state(message) == "completed")
    assert seen == ["shutdown", "finished"]
    assert real_world.dead() == []


def test_a_shutdown_lets_others_finish(real_world):
    began, seen = threading.Event(), []

    @real_world.actor
    def work():
        began.set()
        nap(0.5)
        seen.append("finished")

    work.send()
    worker = real_world.work()
    assert began.wait(60)
    worker.stop(timeout=20_000)
    real_world.workers.remove(worker)

    assert seen == ["finished"]


@pytest.mark.parametrize("of_message", [True, False])
def test_what_is_too_old_does_not_run_and_is_a_dead_letter_that_says_so(real_world, of_message):
    seen = []
    options = {"max_age": 50}
    work = real_world.actor(seen.append, actor_name="work", **({} if of_message else options))

    old = work.message(1).copy(message_timestamp=int(time.time() * 1000) - 1_000, options=options if of_message else {})
    real_world.broker.enqueue(old)
    fresh = work.message(2).copy(options={"max_age": 3_600_000})
    real_world.broker.enqueue(fresh)

    real_world.until(lambda: seen and real_world.dead())
    assert seen == [2]
    assert [each.code for each in real_world.dead()] == ["too_old"]


def test_a_retry_may_become_too_old_in_the_sandbox_s_time(sandbox_world):
    world, runs = sandbox_world, []

    @world.actor(max_age=10_000, min_backoff=60_000)
    def work():
        runs.append(1)
        raise ValueError

    work.send()

    world.until(lambda: world.dead())
    assert runs == [1]
    assert world.dead()[0].code == "too_old"


# --- asynchronous actors


def test_an_async_function_can_be_an_actor(real_world):
    seen = []
    hear = real_world.actor(seen.append, actor_name="hear")

    @real_world.actor(max_retries=1, **AT_ONCE)
    async def work(value):
        await asyncio.sleep(0)
        seen.append(value)
        hear.send("sent")
        if seen.count(value) == 1:
            raise ValueError

    if gevent_active():
        with pytest.raises(SystemExit) as caught:
            real_world.work()
        assert caught.value.code == 78
        return
    message = work.send(7)

    real_world.until(lambda: "sent" in seen)
    assert seen == [7, 7, "sent"]  # what the run that failed has sent is dropped
    assert real_world.state(message) == "completed"


def test_an_async_actor_has_a_time_limit(real_world):
    seen = []
    real_world.add(AsyncIO())

    @real_world.actor(max_retries=0, time_limit=300)
    async def work():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    if gevent_active():  # see the test above
        return
    work.send()

    real_world.until(lambda: real_world.dead())
    assert seen == ["cancelled"]


def test_an_async_function_runs_in_the_sandbox(sandbox_world):
    seen = []

    @sandbox_world.actor
    async def work(value):
        await asyncio.sleep(0)
        seen.append(value)

    if gevent_active():
        return
    work.send(7)

    sandbox_world.until(lambda: seen == [7])
