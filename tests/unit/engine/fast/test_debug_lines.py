import logging
from types import SimpleNamespace

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from tests.own_records import own_records

from growbin_jobs.engine.fast.debug_lines import DebugLines


@pytest.fixture
def thread():
    logger = logging.getLogger("test_debug_lines")
    yield SimpleNamespace(logger=logger)
    logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("signal", ["consumer_thread_boot", "worker_thread_boot"])
def test_debug_lines_are_left_out_and_all_others_written(thread, signal, caplog):
    thread.logger.setLevel(logging.INFO)

    StubBroker(middleware=[DebugLines()]).emit_after(signal, thread)
    thread.logger.debug("Received message %s", "m")
    thread.logger.warning("Lost %s", "m")

    assert [record.message for record in own_records(caplog)] == ["Lost m"]


@pytest.mark.parametrize("signal", ["consumer_thread_boot", "worker_thread_boot"])
def test_debug_lines_are_written_where_they_are_wanted(thread, signal, caplog):
    thread.logger.setLevel(logging.DEBUG)

    StubBroker(middleware=[DebugLines()]).emit_after(signal, thread)
    thread.logger.debug("Received message %s", "m")

    assert [record.message for record in own_records(caplog)] == ["Received message m"]


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, []), (logging.DEBUG, ["Received args=() kwargs={}."])])
def test_actors_of_a_worker_speak_as_the_level_is_when_it_boots(level, lines, caplog):
    broker = StubBroker(middleware=[DebugLines()])

    @dramatiq.actor(broker=broker)
    def act():
        """Does nothing."""

    act.logger = logging.getLogger("test_debug_lines")
    for each in (logging.DEBUG if level == logging.INFO else logging.INFO, level):
        act.logger.setLevel(each)
        broker.emit_before("worker_boot", None)
    caplog.clear()
    act()

    assert [record.message for record in own_records(caplog)][:1] == lines
