"""What Dramatiq's guide says of results, on each broker: and never one of what did not run."""

import json
import math
import subprocess
import sys
import time
from contextlib import closing

import pytest
from dramatiq import Middleware
from dramatiq.middleware import SkipMessage
from dramatiq.results import ResultFailure, ResultMissing, Results, ResultTimeout
from dramatiq.results.backends import StubBackend
from tests.contract.conftest import AT_ONCE

from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.errors import Deferred, Permanent
from growbin_jobs.engine.opening import open_central


def test_a_result_can_be_read_by_its_message(world):
    add = world.actor(lambda x, y: x + y, actor_name="add", store_results=True)

    message = add.send(1, 2)

    with pytest.raises(ResultMissing):
        message.get_result()
    world.until(lambda: _known(message))
    assert message.get_result() == 3
    assert message.get_result(block=True, timeout=1) == 3


def _known(message):
    try:
        message.get_result()
    except ResultMissing:
        return False
    except ResultFailure:
        return True
    return True


def test_one_can_wait_for_a_result(real_world):
    add = real_world.actor(lambda x, y: x + y, actor_name="add", store_results=True)
    real_world.work()

    assert add.send(1, 2).get_result(block=True, timeout=60_000) == 3


def test_waiting_has_an_end(world):
    work = world.actor(lambda: 1, actor_name="work", store_results=True)
    message = work.message()

    with pytest.raises(ResultTimeout):
        message.get_result(block=True, timeout=50)


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        "",
        [],
        {},
        False,
        "값 \ud800",
        {"a": [1, {"b": None}]},
        1.5,
        10**30,
        "x" * 200_000,
        math.inf,
        [-math.inf],
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_result_comes_back_as_it_was(world, value):
    work = world.actor(lambda: value, actor_name="work", store_results=True)

    message = work.send()

    world.until(lambda: _known(message))
    assert message.get_result() == value
    assert type(message.get_result()) is type(value)


def test_no_number_comes_back_as_no_number(world):
    work = world.actor(lambda: {"score": math.nan}, actor_name="work", store_results=True)

    message = work.send()

    world.until(lambda: _known(message))
    assert math.isnan(message.get_result()["score"])


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object()], ids=lambda value: type(value).__name__)
def test_a_result_that_is_no_json_is_said_to_be_none(world, value):
    work = world.actor(lambda: value, actor_name="work", store_results=True)

    message = work.send()

    world.until(lambda: _known(message))
    with pytest.raises(ResultFailure, match="no JSON"):
        message.get_result()
    assert world.dead() == []


def test_a_failure_is_raised_where_the_result_is_read(world):
    @world.actor(max_retries=1, store_results=True, **AT_ONCE)
    def work(kind):
        raise Permanent("The order was cancelled.") if kind == "ours" else ValueError("a password")

    ours, foreign = work.send("ours"), work.send("foreign")

    world.until(lambda: _known(ours) and _known(foreign))
    with pytest.raises(ResultFailure, match="The order was cancelled") as caught:
        ours.get_result()
    assert caught.value.orig_exc_type == "Permanent"
    with pytest.raises(ResultFailure) as caught:
        foreign.get_result()
    assert caught.value.orig_exc_type == "ValueError"
    assert "password" not in str(caught.value)


def test_an_actor_that_stores_no_results_has_none(world):
    work = world.actor(lambda: 1, actor_name="work")
    seen = world.actor(lambda: 2, actor_name="other", store_results=True)

    message = work.send()
    marked = work.send_with_options(store_results=True)
    other = seen.send()

    world.until(lambda: _known(other) and _known(marked))
    assert marked.get_result() == 1
    with pytest.raises(ResultMissing):
        message.get_result()


def test_a_result_can_be_read_for_as_long_as_its_ttl(world):
    work = world.actor(lambda: 1, actor_name="work", store_results=True, result_ttl=3_000)

    message = work.send()

    world.until(lambda: _known(message))
    deadline = time.monotonic() + 30
    while _known(message):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_there_is_no_result_before_the_last_run(world):
    runs, known = [], []

    @world.actor(max_retries=2, store_results=True, **AT_ONCE)
    def work():
        known.append(_known(message))
        runs.append(1)
        if len(runs) == 1:
            raise Deferred("away", wait=0)
        if len(runs) == 2:
            raise ValueError
        return 42

    message = work.message()
    world.broker.enqueue(message)

    world.until(lambda: _known(message))
    assert known == [False, False, False]
    assert message.get_result() == 42


def test_what_was_skipped_has_no_result(world):
    seen = []

    class Skip(Middleware):
        def before_process_message(self, broker, message):
            raise SkipMessage

        def after_skip_message(self, broker, message):
            seen.append(1)

    world.add(Skip())
    work = world.actor(lambda: 1, actor_name="work", store_results=True)

    message = work.send()

    world.until(lambda: seen)
    with pytest.raises(ResultMissing):
        message.get_result()


def test_a_second_delivery_does_not_change_a_result(real_world):
    runs = []

    @real_world.actor(store_results=True)
    def work():
        runs.append(1)
        return 42 if len(runs) == 1 else None

    message = work.send()
    real_world.until(lambda: _known(message))

    real_world.smuggle(message)

    real_world.until(lambda: True)
    assert message.get_result() == 42
    assert runs == [1]


def test_a_result_can_be_read_by_another_process(real_world):
    add = real_world.actor(lambda x, y: x + y, actor_name="add", store_results=True)
    message = add.send(1, 2)
    real_world.until(lambda: _known(message))

    code = f"""
import dramatiq, json, pathlib
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.engine import Engine
config = EngineConfig(node="n1", data_dir=pathlib.Path({str(real_world.config.data_dir)!r}))
Engine(config).install()
message = dramatiq.Message(**json.loads({json.dumps(json.dumps(message.asdict()))}))
print(message.get_result(block=True))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)

    assert done.stdout.split() == ["3"]


def test_a_result_of_another_node_is_in_the_central_database(real_world):
    work = real_world.actor(lambda n: {"n": n}, actor_name="work", store_results=True)
    broken = real_world.actor(lambda: 1 / 0, actor_name="broken", store_results=True, max_retries=0)
    message, failed = work.send(7), broken.send()
    real_world.until(lambda: _known(message) and _known(failed))

    with closing(open_central(real_world.config)) as database:
        Sync(real_world.journal, Tasks(database)).run_once()
    elsewhere = real_world.elsewhere()

    assert message.get_result(backend=elsewhere) == {"n": 7}
    with pytest.raises(ResultFailure) as caught:
        failed.get_result(backend=elsewhere)
    assert caught.value.orig_exc_type == "ZeroDivisionError"


def test_dramatiq_s_own_backends_keep_results_too(world):
    backend = StubBackend()
    world.add(Results(backend=backend))
    work = world.actor(lambda: 42, actor_name="work", store_results=True)
    broken = world.actor(lambda: 1 / 0, actor_name="broken", store_results=True, max_retries=0)

    message, failed = work.send(), broken.send()

    world.until(lambda: _known(message) and _known(failed))
    assert message.get_result() == 42
    with pytest.raises(ResultFailure):
        failed.get_result()
