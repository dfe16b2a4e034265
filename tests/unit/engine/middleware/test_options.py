"""Options of actors and messages: accepted where they can be read in one way, refused in words where not."""

import functools
import math
from datetime import timedelta

import dramatiq
import pytest

from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.middleware.options import READERS, OptionCheck, OptionInvalid, read_all


class AnyOption(dramatiq.Middleware):
    @property
    def actor_options(self):
        return set(READERS) | {"odd"}


@pytest.fixture
def broker(recording_broker):
    recording_broker.add_middleware(OptionCheck())
    recording_broker.add_middleware(AnyOption())
    return recording_broker


class Consumer:
    closed = False


ODD = [
    ("max_retries", "3"),
    ("max_retries", 1.5),
    ("max_retries", -1),
    ("max_retries", True),
    ("max_retries", 2**70),
    ("min_backoff", "1"),
    ("min_backoff", -1),
    ("min_backoff", math.nan),
    ("min_backoff", None),
    ("max_backoff", math.inf),
    ("max_backoff", [1]),
    ("time_limit", "10"),
    ("time_limit", 0),
    ("time_limit", -5),
    ("max_age", "1h"),
    ("notify_shutdown", "no"),
    ("on_success", 3),
    ("on_failure", ["a"]),
    ("on_retry_exhausted", {"a": 1}),
    ("pipe_target", "next"),
    ("pipe_target", {"queue_name": "q"}),
    ("store_results", "yes"),
    ("result_ttl", -1),
    ("group_completion_callbacks", ["x"]),
    ("group_completion_uuid", 7),
]


@pytest.mark.parametrize(
    ("name", "value"), [*ODD, ("throws", "ValueError"), ("throws", (ValueError, 3)), ("retry_when", 3)]
)
def test_an_actor_with_a_wrong_option_is_not_declared(broker, name, value):
    with pytest.raises(ValueError, match=name) as caught:
        dramatiq.actor(lambda: None, actor_name="wrong", broker=broker, **{name: value})

    assert isinstance(caught.value, ConfigurationError)
    assert "wrong" not in broker.actors


@pytest.mark.parametrize(("name", "value"), [*ODD, ("throws", "ValueError"), ("throws", [1])])
def test_a_delivered_message_with_a_wrong_option_is_a_dead_letter_that_says_so(broker, name, value):
    ran = []
    actor = dramatiq.actor(lambda: ran.append(1), actor_name="act", broker=broker)
    delivery = Delivery(actor.message().copy(options={name: value}), Consumer())

    broker.emit_before("process_message", delivery)

    assert delivery.failed
    code, params = delivery.given_up
    assert code == "request_invalid"
    assert name in params["detail"]


@pytest.mark.parametrize(("name", "value"), ODD)
def test_a_message_with_a_wrong_option_is_refused_by_the_sender(broker, name, value):
    actor = dramatiq.actor(lambda: None, actor_name="act", broker=broker)
    message = actor.message().copy(options={name: value})

    with pytest.raises(OptionInvalid, match=name):
        broker.emit_before("enqueue", message, None)


def test_what_can_be_read_gets_its_usual_form(broker):
    target = dramatiq.actor(lambda: None, actor_name="target", broker=broker)

    actor = dramatiq.actor(
        lambda: None,
        actor_name="act",
        broker=broker,
        min_backoff=timedelta(seconds=1),
        max_backoff=0,
        max_retries=math.inf,
        time_limit=math.inf,
        max_age=timedelta(hours=1),
        on_failure=target,
        throws=(ValueError, KeyError),
    )

    assert actor.options == {
        "min_backoff": 1000,
        "max_backoff": 0,
        "max_retries": None,
        "time_limit": math.inf,
        "max_age": 3_600_000,
        "on_failure": "target",
        "throws": (ValueError, KeyError),
    }


def test_options_of_other_middleware_are_left_alone(broker):
    actor = dramatiq.actor(lambda: None, actor_name="act", broker=broker, odd=object)

    assert actor.options == {"odd": object}
    assert read_all({"odd": "value"}) == {}


def test_a_message_whose_target_nobody_here_knows_does_not_run(broker):
    actor = dramatiq.actor(lambda: None, actor_name="act", broker=broker, on_success="elsewhere")
    delivery = Delivery(actor.message(), Consumer())

    broker.emit_before("process_message", delivery)

    assert "elsewhere" in delivery.given_up[1]["detail"]


def _yields():
    yield 1


async def _yields_and_awaits():
    yield 1


class _Awaits:
    async def __call__(self):
        pass


@pytest.mark.parametrize(
    ("function", "because"),
    [
        (_yields, "yield"), (_yields_and_awaits, "yield"), (functools.partial(_yields), "yield"),
        (_Awaits(), "awaits"),
    ],
)  # fmt: skip
def test_what_a_call_does_not_run_is_refused(broker, function, because):
    with pytest.raises(OptionInvalid, match=because):
        dramatiq.actor(function, actor_name="act", broker=broker)


def test_a_wrapper_that_runs_a_generator_is_an_actor(broker):
    values = []
    actor = dramatiq.actor(functools.wraps(_yields)(lambda: values.extend(_yields())), actor_name="act", broker=broker)
    actor()

    assert values == [1]


@pytest.mark.parametrize("because", ["awaits", "yield"])
def test_a_class_whose_perform_a_call_does_not_run_is_refused(broker, because):
    async def awaits(self):
        pass

    def yields(self):
        yield 1

    with pytest.raises(OptionInvalid, match=because):

        class Work(dramatiq.GenericActor):
            class Meta:
                actor_name = "work"

            perform = awaits if because == "awaits" else yields

            Meta.broker = broker


def test_a_priority_that_is_no_number_is_refused(broker):
    with pytest.raises(OptionInvalid, match="priority"):
        dramatiq.actor(lambda: None, actor_name="act", broker=broker, priority="high")
