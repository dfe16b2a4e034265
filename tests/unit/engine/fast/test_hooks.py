"""Signals of our brokers: as Dramatiq emits them, without the calls that do nothing."""

import logging

import pytest
from dramatiq import Middleware
from dramatiq.broker import Broker
from dramatiq.middleware import MiddlewareError

from growbin_jobs.engine.fast.hooks import FastHooks


class Noting(Middleware):
    def __init__(self, name, told):
        self.name = name
        self.told = told

    def before_ack(self, broker, message):
        self.told.append(("before", self.name, message))

    def after_ack(self, broker, message):
        self.told.append(("after", self.name, message))


class Silent(Middleware):
    """Has nothing to do with any signal."""


class Failing(Middleware):
    def __init__(self, error):
        self.error = error

    def before_ack(self, broker, message):
        raise self.error

    after_ack = before_ack


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


def test_a_failure_is_logged_and_the_others_are_told(open_broker, caplog):
    told = []
    broker = open_broker(middleware=[Failing(KeyError("oops")), Noting("next", told), Failing(KeyError("oops"))])

    with caplog.at_level(logging.CRITICAL):
        broker.emit_before("ack", "m")
        broker.emit_after("ack", "m")

    assert [when for when, _, _ in told] == ["before", "after"]
    failures = [each.getMessage() for each in caplog.records if each.levelno == logging.CRITICAL]
    assert len(failures) == 4
    assert all("Unexpected failure in" in each for each in failures)


def test_only_a_middleware_error_before_stops_it(open_broker):
    told = []
    broker = open_broker(middleware=[Failing(MiddlewareError("stop")), Noting("next", told)])

    with pytest.raises(MiddlewareError):
        broker.emit_before("ack", "m")

    assert told == []
