"""What another thread logs is no record of the test's own."""

import logging
import threading

from tests.own_records import own_records


def test_what_a_thread_of_another_test_logs_is_left_out(caplog):
    logger = logging.getLogger("test_own_records")
    other = threading.Thread(target=logger.warning, args=("amqp.connect_failed",))
    other.start()
    other.join()
    logger.warning("mine")

    assert "amqp.connect_failed" in caplog.messages
    assert [record.message for record in own_records(caplog)] == ["mine"]
