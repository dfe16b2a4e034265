"""What happens to those who hand in: P1 to P3 of the protocol."""

from __future__ import annotations

import signal
import time
from typing import Literal

from faults.history import Answer, read_log
from faults.installation import NODE, PATIENCE, PRODUCERS, WORKER, Installation
from faults.jobs import mixed


def producer_dies(point: str, installation: Installation) -> None:
    """A producer is killed at a point; another one hands the same jobs in again, as a client without an answer does."""
    doomed = installation.producer({"GROWBIN_CRASHPOINT": point, "FAULTS_SENDERS": "1"})
    asked = installation.hand_in(mixed(8), by=doomed, wait=False)
    assert doomed.wait(PATIENCE) == -signal.SIGKILL, installation.last_words()
    assert any(job.answer is Answer.UNKNOWN for job in read_log(doomed.log).values())
    patient = installation.producer()
    patient.hand_in(asked)
    assert patient.answered(PATIENCE), installation.last_words()


def producer_dies_offline(next_one: Literal["producer", "keeper"], installation: Installation) -> None:
    """The broker is away; a producer is killed with messages in the journal of its node. Nobody hands them in again.

    Parameters:
      next_one: Who is the node's next process: a producer that hands in something else, or the keeper of its workers.
    """
    link = installation.broker_link
    assert link
    node = PRODUCERS if next_one == "producer" else NODE
    link.down()
    doomed = installation.producer(
        {"GROWBIN_NODE": node, "GROWBIN_CRASHPOINT": "producer.accept.after:3", "FAULTS_SENDERS": "1"}
    )
    installation.hand_in(mixed(8), by=doomed, wait=False)
    assert doomed.wait(PATIENCE) == -signal.SIGKILL, installation.last_words()
    link.open()
    if next_one == "producer":
        installation.hand_in({"one": 1}, by=installation.producer())


def confirms_held_up(installation: Installation, *, kill: bool) -> None:
    """Messages arrive, their confirms do not; then the connection is cut, or the producer killed first."""
    link = installation.broker_link
    assert link
    # One that is killed must not have kept them meanwhile; one that lives keeps them, and sends them once more.
    producer = installation.producer({"GROWBIN_SEND_PATIENCE": "60" if kill else "0.7"})
    installation.hand_in({"one": 1}, by=producer)  # so that it is connected
    link.stall("from")
    asked = installation.hand_in(mixed(8), by=producer, wait=False)
    assert producer.attempted(4, PATIENCE), installation.last_words()
    time.sleep(0.5)  # that the broker has them is what nobody says
    if kill:
        producer.kill()
    link.cut()
    link.open()
    if kill:
        producer = installation.producer()
        producer.hand_in(asked)
    assert producer.answered(PATIENCE), installation.last_words()


def handed_in_twice(installation: Installation) -> None:
    """Each job is handed in twice, and two nodes work side by side."""
    installation.ensure("other", node="node-2")
    for name in (WORKER, "other"):
        installation.ready(name)
    asked = installation.hand_in(mixed(16))
    twin = installation.producer()
    twin.hand_in(asked)
    assert twin.answered(PATIENCE), installation.last_words()
