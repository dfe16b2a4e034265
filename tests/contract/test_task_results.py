"""What has become of a message, asked from the node where it ran and from another one; and its progress."""

import asyncio
import threading
import time
from contextlib import closing

import pytest
from dramatiq.results import ResultFailure, ResultTimeout

from growbin_jobs.engine import progress
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.errors import Permanent
from growbin_jobs.engine.opening import open_central
from growbin_jobs.engine.task_lookup import TaskLookup
from growbin_jobs.engine.task_progress.copying import CopyProgress
from growbin_jobs.engine.task_progress.table import TaskProgress
from growbin_jobs.engine.task_results import State, TaskResult, result


def elsewhere(world, message):
    """The same question on another node, after the keeper's copy."""
    with closing(open_central(world.config)) as database:
        Sync(world.journal, Tasks(database)).run_once()
        CopyProgress(world.config.node, world.config.node_dir, TaskProgress(database)).run_once()
    return TaskResult(message.message_id, TaskLookup(world.elsewhere()), sent=False)


def test_each_state_of_a_message_that_succeeds(real_world):
    began, go_on = threading.Event(), threading.Event()

    @real_world.actor(max_retries=3, min_backoff=1_000, max_backoff=1_000)
    def add(first, second):
        if not began.is_set():
            began.set()
            raise OSError
        assert go_on.wait(60)
        return {"sum": first + second}

    message = add.send(1, 2)
    asked = result(message)
    assert (asked.state, result(message.message_id).state) == (State.PENDING, State.UNKNOWN)
    with pytest.raises(ResultTimeout):
        asked.get(timeout=0)
    real_world.work()
    real_world.until(lambda: asked.state is State.RETRY, idle=False)
    assert asked.error == "OSError"
    assert elsewhere(real_world, message).state is State.RETRY
    go_on.set()

    assert asked.get(timeout=60) == {"sum": 3}
    far = elsewhere(real_world, message)
    assert (asked.state, asked.result, asked.error, asked.ready()) == (State.SUCCESS, {"sum": 3}, None, True)
    assert (far.state, far.result, far.get(timeout=0)) == (State.SUCCESS, {"sum": 3}, {"sum": 3})
    assert [each.outcome for each in asked.history] == ["failed", "completed"]
    assert far.history[-1].outcome == "completed"
    assert far.history[-1].node == "n1"


def test_a_message_that_is_given_up(real_world):
    @real_world.actor(max_retries=0)
    def refuse():
        raise Permanent("request_invalid", detail="no photo")

    message = refuse.send()
    asked = result(message)
    real_world.until(lambda: asked.ready())
    assert asked.state is State.FAILURE
    assert asked.result is None
    with pytest.raises(ResultFailure, match="no photo"):
        asked.get(timeout=0)
    with pytest.raises(ResultFailure, match="no photo"):
        elsewhere(real_world, message).get(timeout=0)


def test_an_id_that_nobody_has_seen(world):
    asked = result("no-such-message")
    assert (asked.state, asked.ready(), asked.history, asked.progress) == (State.UNKNOWN, False, (), None)


@pytest.mark.parametrize("kind", ["thread", "async"])
def test_progress_is_seen_while_it_runs_here_and_elsewhere(real_world, kind):
    go_on = threading.Event()

    def thread():
        for number in range(10_000):
            progress(number / 20_000, "half" * 100)
        assert go_on.wait(60)
        progress(1, "done")

    async def coroutine():
        progress(9_999 / 20_000, "half" * 100)
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        progress(1, "done")

    message = real_world.actor(thread if kind == "thread" else coroutine, actor_name="steps").send()
    asked = result(message)
    real_world.work()
    seen = real_world.until(lambda: asked.progress, idle=False)
    real_world.until(lambda: asked.progress.fraction == 9_999 / 20_000, idle=False)
    assert len(seen.text) == 200
    assert abs(seen.at - time.time()) < 60
    far = elsewhere(real_world, message).progress
    assert (far.fraction, far.text) == (seen.fraction if kind == "async" else 9_999 / 20_000, seen.text)
    go_on.set()
    real_world.until(lambda: asked.progress.fraction == 1.0)
    assert elsewhere(real_world, message).progress.text == "done"


def test_progress_outside_of_a_message_is_nothing():
    assert progress(0.5, "half") is False
    for wrong in (True, "0.5", None):
        with pytest.raises(TypeError, match="number"):
            progress(wrong)
    with pytest.raises(ValueError, match="NaN"):
        progress(float("nan"))
    with pytest.raises(TypeError, match="text"):
        progress(0.5, b"half")
