"""What the broker is told about a delivery."""

from enum import Enum


class Disposition(Enum):
    """What the broker is told about a delivery."""

    #: It is done: forget it.
    ACK = "ack"
    #: It was given up: move it to the dead letters.
    DEAD_LETTER = "dead letter"
    #: It could not be finished: deliver it again.
    REQUEUE = "requeue"
