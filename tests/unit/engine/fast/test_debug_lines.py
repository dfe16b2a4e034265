import logging
from types import SimpleNamespace

import pytest
from dramatiq.brokers.stub import StubBroker

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

    assert caplog.messages == ["Lost m"]


@pytest.mark.parametrize("signal", ["consumer_thread_boot", "worker_thread_boot"])
def test_debug_lines_are_written_where_they_are_wanted(thread, signal, caplog):
    thread.logger.setLevel(logging.DEBUG)

    StubBroker(middleware=[DebugLines()]).emit_after(signal, thread)
    thread.logger.debug("Received message %s", "m")

    assert caplog.messages == ["Received message m"]
