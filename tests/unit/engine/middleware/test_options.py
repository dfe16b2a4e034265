"""Options of actors and messages: accepted where they can be read in one way, refused in words where not."""

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


def test_a_class_with_an_async_perform_is_refused(broker):
    its_broker = broker

    with pytest.raises(OptionInvalid, match=r"perform\(\)"):

        class Work(dramatiq.GenericActor):
            class Meta:
                broker = its_broker

            async def perform(self):
                pass


def test_a_priority_that_is_no_number_is_refused(broker):
    with pytest.raises(OptionInvalid, match="priority"):
        dramatiq.actor(lambda: None, actor_name="act", broker=broker, priority="high")
