"""Signals of our brokers: as Dramatiq emits them, without the calls that do nothing."""

import logging
from types import SimpleNamespace

import dramatiq
import pytest
from dramatiq import Middleware
from dramatiq.broker import Broker
from dramatiq.middleware import MiddlewareError
from tests.own_records import own_records

from growbin_jobs.engine.fast.hooks import FastHooks, acknowledge_without_signals


class Noting(Middleware):
    def __init__(self, name, told):
        self.name = name
        self.told = told

    def before_ack(self, broker, message):
        self.told.append(("before", self.name, message))

    def after_ack(self, broker, message):
        self.told.append(("after", self.name, message))


class NotingRuns(Noting):
    before_process_message, before_ack = Noting.before_ack, Middleware.before_ack
    after_ack = Middleware.after_ack

    def after_process_message(self, broker, message, *, result=None, exception=None):
        self.told.append(("after", self.name, message))


class Silent(Middleware):
    """Has nothing to do with any signal."""


class Failing(Middleware):
    def __init__(self, error):
        self.error = error

    def before_ack(self, broker, message):
        raise self.error

    after_ack = before_ack

    def before_process_message(self, broker, message, *, result=None, exception=None):
        raise self.error

    after_process_message = before_process_message


#: A run without options, which takes a way of its own.
RUN = SimpleNamespace(options={}, failed=False, actor_name="a")


@pytest.fixture(params=[FastHooks, Broker], ids=["ours", "dramatiq"])
def open_broker(request):
    return request.param


def test_before_goes_down_the_stack_and_after_goes_up(open_broker):
    told = []
    broker = open_broker(middleware=[Noting("first", told), Silent(), Noting("second", told)])

    broker.emit_before("ack", "m")
    broker.emit_after("ack", "m")

    assert told == [
        ("before", "first", "m"),
        ("before", "second", "m"),
        ("after", "second", "m"),
        ("after", "first", "m"),
    ]


def test_who_is_added_later_is_told_too(open_broker):
    told = []
    broker = open_broker(middleware=[Noting("first", told)])
    broker.emit_before("ack", "m")
    broker.emit_after("ack", "m")
    told.clear()

    broker.add_middleware(Noting("added", told), before=Noting)
    broker.emit_before("ack", "m")
    broker.emit_after("ack", "m")

    assert [name for _, name, _ in told] == ["added", "first", "first", "added"]


@pytest.mark.parametrize(("signal", "noting"), [("ack", Noting), ("process_message", NotingRuns)])
def test_a_failure_is_logged_and_the_others_are_told(open_broker, caplog, signal, noting):
    told = []
    broker = open_broker(middleware=[Failing(KeyError("oops")), noting("next", told), Failing(KeyError("oops"))])

    with caplog.at_level(logging.CRITICAL):
        broker.emit_before(signal, RUN)
        broker.emit_after(signal, RUN)

    assert [when for when, _, _ in told] == ["before", "after"]
    failures = [each.getMessage() for each in own_records(caplog) if each.levelno == logging.CRITICAL]
    assert len(failures) == 4
    assert all("Unexpected failure in" in each for each in failures)


@pytest.mark.parametrize(("signal", "noting"), [("ack", Noting), ("process_message", NotingRuns)])
def test_only_a_middleware_error_before_stops_it(open_broker, signal, noting):
    told = []
    broker = open_broker(middleware=[Failing(MiddlewareError("stop")), noting("next", told)])

    with pytest.raises(MiddlewareError):
        broker.emit_before(signal, RUN)

    assert told == []


class FastBroker(FastHooks):
    def declare_queue(self, queue_name):
        self.queues[queue_name] = None


class Featured(Middleware):
    """Does something for actors with its option, and for messages that have any."""

    def __init__(self):
        self.told = []

    @property
    def actor_options(self):
        return {"featured"}

    def concerns(self, actor):
        return bool(actor.options.get("featured"))

    def before_process_message(self, broker, message):
        self.told.append(("before", message.actor_name, dict(message.options)))

    def after_process_message(self, broker, message, *, result=None, exception=None):
        self.told.append(("after", message.actor_name, dict(message.options)))


class OnlyFailures(Featured):
    only_failures = True

    def concerns(self, actor):
        return True


class Run(SimpleNamespace):
    failed = False


def process(broker, actor_name, failed=False, **options):
    run = Run(actor_name=actor_name, options=options)
    broker.emit_before("process_message", run)
    run.failed = failed
    broker.emit_after("process_message", run, result=None)


def test_hooks_that_have_nothing_to_do_for_an_actor_are_not_called():
    featured = Featured()
    broker = FastBroker(middleware=[featured])
    dramatiq.actor(lambda: None, actor_name="plain", broker=broker)
    dramatiq.actor(lambda: None, actor_name="rich", broker=broker, featured=True)

    for actor_name in ("plain", "rich", "unknown"):
        process(broker, actor_name)
    process(broker, "plain", retries=1)

    assert featured.told == [
        ("before", "rich", {}), ("after", "rich", {}), ("before", "unknown", {}), ("after", "unknown", {}),
        ("before", "plain", {"retries": 1}), ("after", "plain", {"retries": 1}),
    ]  # fmt: skip


def test_one_that_deals_with_failures_is_told_of_failures_only():
    failures = OnlyFailures()
    broker = FastBroker(middleware=[failures])
    dramatiq.actor(lambda: None, actor_name="plain", broker=broker)

    process(broker, "plain")
    process(broker, "plain", failed=True)
    broker.emit_after("process_message", Run(actor_name="plain", options={}), exception=ValueError())

    assert [what for what, *_ in failures.told] == ["before", "before", "after", "after"]


def test_an_actor_that_is_declared_later_is_asked_about_then():
    featured = Featured()
    broker = FastBroker(middleware=[featured])
    process(broker, "act")
    dramatiq.actor(lambda: None, actor_name="act", broker=broker)

    process(broker, "act")

    assert [what for what, *_ in featured.told] == ["before", "after"]


class ConcernedMeanwhile(Featured):
    """Comes to know something in another thread while it is asked in this one."""

    def __init__(self, learn):
        super().__init__()
        self._learn, self._knows = learn, set()

    def concerns(self, actor):
        knew, self._knows = self._knows, {"an outage"}
        if not knew:
            self._learn()
        return bool(knew)


def test_what_a_middleware_learns_while_it_is_asked_is_not_forgotten():
    """Else it is not told of messages any more, such as of the one that tries after an outage."""
    concerned = ConcernedMeanwhile(lambda: broker.choose_hooks_anew())
    broker = FastBroker(middleware=[concerned])
    dramatiq.actor(lambda: None, actor_name="act", broker=broker)

    process(broker, "act")
    concerned.told.clear()
    process(broker, "act")

    assert [what for what, *_ in concerned.told] == ["before", "after"]


class Added(Noting):
    """Has one more middleware added by another thread while its hooks are looked for in this one."""

    def __init__(self, name, told, add):
        super().__init__(name, told)
        self._add = add

    @property
    def position(self):
        add, self._add = self._add, lambda: None
        add()
        return 0


@pytest.mark.parametrize("emit", ["emit_before", "emit_after"])
def test_who_is_added_while_hooks_are_looked_for_is_told_from_then_on(emit):
    told = []
    broker = FastBroker(middleware=[])
    broker.add_middleware(Added("first", told, lambda: broker.add_middleware(Noting("second", told))))
    getattr(broker, emit)("ack", None)
    told.clear()

    getattr(broker, emit)("ack", None)

    assert {name for _, name, _ in told} == {"first", "second"}


def test_a_position_holds_wherever_a_middleware_is_added():
    told = []

    def named(name, where):
        hooks = {
            "position": where,
            "before_ack": lambda self, *_: told.append(f"before {name}"),
            "after_ack": lambda self, *_: told.append(f"after {name}"),
        }
        return type(name, (Middleware,), hooks)()

    broker = FastBroker(middleware=[named("inner", 1), named("outer", -1)])
    broker.add_middleware(named("own", 0))

    broker.emit_before("ack", None)
    broker.emit_after("ack", None)

    assert told == ["before outer", "before own", "before inner", "after inner", "after own", "after outer"]


class Thread:
    """Dramatiq's consumer thread, as far as it acknowledges."""

    def __init__(self, broker):
        self.broker = broker
        self.consumer = self
        self.done = []
        self.refusal = None
        acknowledge_without_signals(broker, self)

    def ack(self, message):
        if self.refusal:
            raise self.refusal
        self.done.append("acknowledged")

    def post_process_message(self, message):
        self.done.append("as Dramatiq does it")


@pytest.mark.parametrize(
    ("middleware", "failed", "refusal", "done"),
    [
        ([Silent()], False, None, "acknowledged"),
        ([Silent()], True, None, "as Dramatiq does it"),
        ([Noting("one", [])], False, None, "as Dramatiq does it"),
        ([Silent()], False, OSError(), "as Dramatiq does it"),
    ],
    ids=["nobody hears of it", "it has failed", "a middleware hears of it", "it cannot be done"],
)
def test_a_message_is_acknowledged_without_signals_where_nobody_hears_them(middleware, failed, refusal, done):
    thread = Thread(FastHooks(middleware=middleware))
    thread.refusal = refusal

    thread.post_process_message(SimpleNamespace(failed=failed))

    assert thread.done == [done]


def test_who_comes_later_hears_of_what_is_acknowledged_from_then_on():
    told = []
    broker = FastHooks(middleware=[])
    thread = Thread(broker)
    thread.post_process_message(SimpleNamespace(failed=False))
    broker.add_middleware(Noting("late", told))

    thread.post_process_message(SimpleNamespace(failed=False))

    assert thread.done == ["acknowledged", "as Dramatiq does it"]
