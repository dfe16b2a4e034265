"""Named points in the life of a message at which a test can kill the process: ``kill -9``, nothing is cleaned up.

Off unless ``GROWBIN_CRASHPOINT`` names one (:mod:`growbin_jobs.settings`), or a test arms one. ``name`` kills at the
first time a process passes the point, ``name:3`` at the third.

===========================  ================================================  ======================================
point                        what has happened                                 what must hold after a restart
===========================  ================================================  ======================================
``message.received``         a delivery is decoded, nobody has looked at it    runs, no crash charged
``message.begun``            its start is in the ledger                        runs, one crash counted
``actor.before``             its outbox is open                                runs, one crash counted
``actor.after``              the actor has returned or raised                  runs again, one crash counted
``commit.before``            its end is about to be handed to the journal      runs again, no crash counted
``commit.after``             its end is on record, nothing of it is published  not run again here; its outbox is sent
``publish.before``           before each message of its outbox                 as ``commit.after``
``publish.after``            after the confirm of each one                     follow-ups may arrive twice, run once
``ack.before``               all of its outbox is confirmed                    not run again here; acknowledged
``ack.after``                the acknowledgement is on its way                 as ``ack.before``, or nothing is left
``producer.publish.before``  P2: before a message is handed to the broker      none, or in the outbox
``producer.publish.after``   P3: it is confirmed                               it runs once
``producer.accept.before``   P1: the broker is away                            no message
``producer.accept.after``    P1: it is in the journal                          it is forwarded
``schedule.claimed``         a due time is claimed, its message is not sent    sent after the lease, by whoever looks
``schedule.sent``            its message is sent, that is not noted            sent once more under the same id
``schedule.noted``           it is noted                                       nothing is sent again
``schedule.taken``           a worker has taken a due time                     it is taken again after the lease
``schedule.effect``          the run has returned, "done" is not written       it runs again and has one effect
``archive.begun``            an archive's row is there                         its rows are in the next archive
``archive.body``             its rows are put, its manifest is not             as above
``archive.put``              both are put                                      the next run verifies and deletes
``archive.verified``         it was read back                                  the next run deletes its rows
``archive.deleted``          its rows are deleted                              it comes back by ``archive restore``
``retention.rows``           old rows are deleted, that is not committed       they are all there
``partition.filled``         a month has its rows, and is not attached yet     they are where they were
``partition.dropped``        a month is dropped, that is not committed         it is there
``erase.analyses``           some analyses of a person are nobody's            the next run finds the rest
``erase.messages``           a person's messages that ended are deleted        as above
``erase.batch``              some rows are anonymous                           as above
``erase.archive``            an archive was written anew                       the old objects are deleted
``erase.picture``            a picture is deleted                              as above
``batch.built``              a batch's file is built                           it is built and sent anew
``batch.uploaded``           its file is at the server, that is not noted      it is sent anew
``batch.creating``           it is about to be created                         it is looked for, then created
``batch.created``            it is created, that is not noted                  it is found, and not created again
``batch.booked``             some results are paid, their answers not kept     they are booked once, and kept
``batch.settled``            some answers are kept, their messages sent        the others follow
``batch.read``               all are, the batch is not done                    it is done
===========================  ================================================  ======================================
"""

import os
import signal
from typing import Final

POINTS: Final = frozenset(
    {
        "message.received", "message.begun", "actor.before", "actor.after", "commit.before", "commit.after",
        "publish.before", "publish.after", "ack.before", "ack.after", "producer.accept.before",
        "producer.accept.after", "producer.publish.before", "producer.publish.after",
        "schedule.claimed", "schedule.sent", "schedule.noted", "schedule.taken", "schedule.effect",
        "archive.begun", "archive.body", "archive.put", "archive.verified", "archive.deleted",
        "retention.rows", "partition.filled", "partition.dropped",
        "erase.analyses", "erase.messages", "erase.batch", "erase.archive", "erase.picture",
        "batch.built", "batch.uploaded", "batch.creating", "batch.created", "batch.booked", "batch.settled",
        "batch.read",
    }
)  # fmt: skip

_armed: str | None = None
_left = 0


def arm(point: str | None) -> None:
    """Choose where this process is killed.

    Parameters:
      point: A name of :data:`POINTS`, with ``:n`` for the n-th pass; None or empty: nowhere.

    Raises:
      ValueError: If there is no such point.
    """
    global _armed, _left
    name, _, times = (point or "").partition(":")
    if name and name not in POINTS:
        raise ValueError(f"There is no crash point {name!r}. There are: {', '.join(sorted(POINTS))}.")
    _armed, _left = name or None, int(times or 1)


def crashpoint(name: str) -> None:
    """Die here if this point is armed; costs next to nothing otherwise."""
    if _armed is not None and name == _armed:
        _pass()


def _pass() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
