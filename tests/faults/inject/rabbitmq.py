"""What RabbitMQ, or who operates it, does."""

from __future__ import annotations

import time

from erlang import set_memory_limit
from faults.installation import PATIENCE, Installation
from faults.jobs import mixed
from faults.processes import await_that
from faults.servers import Rabbit


def rabbit_of(installation: Installation) -> Rabbit:
    """Return the installation's RabbitMQ."""
    assert installation.rabbit
    return installation.rabbit


def queue_deleted(installation: Installation) -> None:
    """Queues are deleted under a worker that waits, and a producer that has used them."""
    installation.hand_in({"one": 2, "chain": 1})
    assert installation.settled(PATIENCE), installation.last_words()
    assert await_that(lambda: not installation.unsettled(), PATIENCE), installation.unsettled()
    for queue in ("faults", "faults_chain"):
        rabbit_of(installation).delete_queue(queue)
    installation.hand_in(mixed(8))


def connections_closed(installation: Installation) -> None:
    """RabbitMQ closes all connections."""
    installation.await_begun(4)
    rabbit_of(installation).close_connections()


#: Seconds for which RabbitMQ 3.10 may keep the name of a new quorum queue to itself: it saves its file of names once
#: nothing was written to it for half a second. Killed before, it comes back with a queue that has lost what was in it
#: and never has a leader again (rabbitmq-server issue 15725), which nobody but RabbitMQ can mend.
NAMES_SAVED = 2.0


def queues_known(installation: Installation) -> None:
    """Have a worker, and each queue that its work needs, long enough for RabbitMQ to remember them."""
    installation.ensure()
    installation.hand_in(mixed(16))
    assert installation.settled(PATIENCE), installation.last_words()
    time.sleep(NAMES_SAVED)


def killed(installation: Installation) -> None:
    """kill -9 of RabbitMQ under load; it comes back on its files."""
    installation.await_begun(installation.begun() + 4)
    rabbit_of(installation).node.kill_and_restart()


def memory_alarm(installation: Installation) -> None:
    """RabbitMQ blocks all publishers; producers go on."""
    node = rabbit_of(installation).node
    installation.await_begun(4)
    node.evaluate(set_memory_limit(0.0))
    try:
        installation.hand_in(mixed(8), wait=False)
        time.sleep(1.0)
    finally:
        node.evaluate(set_memory_limit(0.4))


def consumer_timeout(installation: Installation) -> None:
    """RabbitMQ closes channels whose messages stay unacknowledged for too long, while jobs take longer than that."""
    node = rabbit_of(installation).node

    def limits(timeout: int, tick: int) -> None:
        """Both in milliseconds; for channels that are opened from now on."""
        values = {"consumer_timeout": timeout, "channel_tick_interval": tick}
        node.evaluate(", ".join(f"application:set_env(rabbit, {key}, {value})" for key, value in values.items()))

    installation.stop()
    limits(600, 200)
    try:
        worker = installation.start()
        installation.hand_in({"slow": 6, "one": 6})
        assert worker.await_word("acknowledgement on channel", PATIENCE), installation.last_words()
    finally:
        limits(1_800_000, 60_000)
    worker.kill()  # its channels still have the short limit
