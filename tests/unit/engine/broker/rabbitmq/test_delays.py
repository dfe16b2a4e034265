"""The ladder of delays without a server: what each message passes adds up to its delay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.broker.rabbitmq import delays
from growbin_jobs.engine.broker.rabbitmq.delays import LEVELS, LEVELS_AT_ONCE, delay_route
from growbin_jobs.engine.delivery.admission import MAX_DELAY

YEAR = 365 * 86_400_000
QUEUE_TYPES = st.sampled_from(["quorum", "classic"])


class Broker:
    """As much of RabbitMQ as a ladder is declared with. It refuses to bind what does not exist."""

    def __init__(self):
        self.queues = {}
        self.exchanges = {}
        self.bindings = {}

    def queue_declare(self, queue, durable, arguments):
        assert durable
        assert self.queues.setdefault(queue, arguments) == arguments

    def exchange_declare(self, exchange, kind, durable, internal=False, arguments=None):
        assert durable
        assert self.exchanges.setdefault(exchange, arguments) == arguments

    def queue_bind(self, queue, exchange, arguments=None, callback=None):
        assert queue in self.queues
        assert exchange in self.exchanges
        self.bindings.setdefault(exchange, {})[queue] = arguments or {}
        if callback:
            callback(None)

    def exchange_bind(self, destination, source, arguments):
        assert {destination, source} <= self.exchanges.keys()
        self.bindings.setdefault(source, {})[destination] = arguments

    def route(self, exchange, headers):
        """Return the queues that a message gets into, as RabbitMQ documents ``headers`` and ``fanout`` exchanges."""
        found = [
            destination
            for destination, wanted in self.bindings.get(exchange, {}).items()
            if all(headers.get(key) == wanted[key] for key in wanted if key != "x-match")
        ]
        if not found and self.exchanges[exchange]:
            found = [self.exchanges[exchange]["alternate-exchange"]]
        return [queue for name in found for queue in ([name] if name in self.queues else self.route(name, headers))]

    def follow(self, route):
        """Return the milliseconds that a message waits on its delay_route, and where it ends."""
        waited, queue = 0, route.queue
        while "x-message-ttl" in self.queues[queue]:
            waited += self.queues[queue]["x-message-ttl"]
            [queue] = self.route(self.queues[queue]["x-dead-letter-exchange"], route.headers)
        return waited, queue


def ladder(levels, queue_type, *receivers):
    broker = Broker()
    delays.declare_ladder(broker, levels, queue_type)
    for queue in receivers:
        broker.queue_declare(queue, durable=True, arguments={})
        delays.receive(broker, queue, callback=lambda _: None)
    return broker


@given(st.integers(1, MAX_DELAY) | st.floats(0.001, 600_000), QUEUE_TYPES)
def test_what_a_message_passes_adds_up_to_its_delay(delay, queue_type):
    route = delay_route("q", delay, queue_type)

    waited, end = ladder(route.levels, queue_type, "other", "q").follow(route)

    assert delay <= waited < delay + 1000
    assert end == "q"


@given(st.integers(1, MAX_DELAY), st.integers(1, MAX_DELAY), QUEUE_TYPES)
def test_ladders_of_different_heights_are_one(one, other, queue_type):
    broker = ladder(delay_route("q", one, queue_type).levels, queue_type, "q")
    delays.declare_ladder(broker, delay_route("q", other, queue_type).levels, queue_type)
    delays.declare_ladder(broker, LEVELS_AT_ONCE, queue_type)

    for delay in (one, other):
        waited, end = broker.follow(delay_route("q", delay, queue_type))
        assert (waited // 1000, end) == (-(-delay // 1000), "q")


@given(st.integers(1, MAX_DELAY))
def test_no_level_is_passed_twice(delay):
    # RabbitMQ drops a message that would come to a queue again by TTL alone.
    route = delay_route("q", delay, "quorum")
    broker = ladder(route.levels, "quorum", "q")

    passed = [route.queue]
    while passed[-1] != "q":
        passed += broker.route(broker.queues[passed[-1]]["x-dead-letter-exchange"], route.headers)

    assert len(set(passed)) == len(passed)


@given(st.integers(2_000, MAX_DELAY), st.data())
def test_no_level_is_skipped_while_bindings_are_missing(delay, data):
    # RabbitMQ starts the queues before the exchanges, and the exchanges before the bindings.
    route = delay_route("q", delay, "quorum")
    broker = ladder(route.levels, "quorum", "q")
    choices = [(source, to) for source, bound in broker.bindings.items() if "below" in source for to in bound]
    for source, to in data.draw(st.sets(st.sampled_from(choices))):
        del broker.bindings[source][to]

    queue, waited = route.queue, 0
    while queue != "q":
        waited += broker.queues[queue]["x-message-ttl"]
        found = broker.route(broker.queues[queue]["x-dead-letter-exchange"], route.headers)
        if not found:
            return  # it stays there: dead-lettering is at least once
        [queue] = found
    assert waited >= delay


@given(st.integers(1, 60_000))
def test_what_is_due_for_a_queue_that_is_gone_is_kept(delay):
    route = delay_route("gone", delay, "quorum")
    waited, end = ladder(route.levels, "quorum", "q").follow(route)
    assert (waited >= delay, end) == (True, "growbin.delay.v1.XQ")


@pytest.mark.parametrize("delay", [None, 0, -5, -0.5])
def test_what_need_not_wait_goes_straight(delay):
    assert delay_route("q", delay, "quorum") == delays.DelayRoute("q", None, 0)


@pytest.mark.parametrize(
    ("delay", "first", "levels"),
    [
        (1, "growbin.delay.v1.quorum.000000001s", 4),
        (1000, "growbin.delay.v1.quorum.000000001s", 4),
        (1001, "growbin.delay.v1.quorum.000000002s", 4),
        (15_000, "growbin.delay.v1.quorum.000000008s", 4),
        (16_000, "growbin.delay.v1.quorum.000000016s", 8),
        (3_600_000, "growbin.delay.v1.quorum.000002048s", 12),
        (YEAR, "growbin.delay.v1.quorum.016777216s", 28),
        (MAX_DELAY, "growbin.delay.v1.quorum.134217728s", 28),
    ],
)
def test_names_and_heights(delay, first, levels):
    # They are on servers: a change needs a new version in the prefix.
    route = delay_route("q", delay, "quorum")
    assert (route.queue, route.levels) == (first, levels)


def test_headers_of_a_message():
    assert delay_route("vision_analysis", 13_000, "quorum").headers == {
        "growbin-delay-to": "vision_analysis",
        "growbin-delay-4s": True,
        "growbin-delay-2s": False,
        "growbin-delay-1s": True,
    }


def test_a_delay_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="at most 3106 days"):
        delay_route("q", MAX_DELAY + 1, "quorum")


def test_quorum_levels_lose_nothing_and_wait_for_a_fixed_time():
    assert delays.level_arguments(3, "quorum") == {
        "x-queue-type": "quorum",
        "x-message-ttl": 8_000,
        "x-dead-letter-exchange": "growbin.delay.v1.quorum.below-000000008s",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    assert delays.level_arguments(0, "quorum")["x-dead-letter-exchange"] == "growbin.delay.v1.due"


def test_classic_levels_are_told_nothing_that_they_do_not_know():
    assert set(delays.level_arguments(3, "classic")) == {"x-queue-type", "x-message-ttl", "x-dead-letter-exchange"}


def test_ladders_of_both_kinds_stand_side_by_side():
    broker = ladder(LEVELS, "quorum", "q")
    del broker.queues[delays.UNDELIVERABLE_QUEUE]  # the one that has to go before the kind is changed
    delays.declare_ladder(broker, LEVELS, "classic")

    for queue_type in ("quorum", "classic"):
        assert broker.follow(delay_route("q", YEAR, queue_type)) == (YEAR, "q")
