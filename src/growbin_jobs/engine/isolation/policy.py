"""Which message is suspected of killing its process, and when it is given up: pure rules, no clock and no process.

Most deaths of worker processes are nobody's fault: a drain, an eviction, an out-of-memory kill of a neighbour. So one
death costs what was running a rerun and nothing else. A message that was running at two deaths in a row is a suspect.
Suspects run in a process of their own beside the workers: first several together, so that many innocent ones are
through soon; those that were running when that process died run alone. Only deaths of a process in which a message was
alone count against it.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum

#: Deaths in a row from which on a message runs with other suspects only.
SUSPECT_AFTER = 2

#: Deaths in a row from which on it runs alone.
ALONE_AFTER = 3

#: Deaths alone, by its own doing or not, before a message can be given up.
ALONE_DEATHS = 2

#: Deaths in a row before a message can be given up that somebody else may have killed.
UNKNOWN_DEATHS = 5

#: Seconds before a message runs again in isolation that may have been killed from outside there: after the first such
#: death, the second, and all later ones. The longer it waits, the surer a kill from outside hits others meanwhile.
PAUSES = (5.0, 20.0, 60.0)


class Cause(Enum):
    """Why an isolation process ended."""

    #: By what a message in it did: a fault signal, or an exit that nobody asked for.
    OWN = "own"
    #: By ``SIGKILL``: the kernel for lack of memory, a message in it, or anybody.
    UNKNOWN = "unknown"
    #: It was told to stop; that says nothing about its messages.
    ASKED = "asked"


_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_ASKED = frozenset([0, *(-signum for signum in _ENDING), *(128 + signum for signum in _ENDING)])


def cause_of(status: int) -> Cause:
    """Return why a process ended.

    Parameters:
      status: Its exit code, or the negative number of the signal that ended it.
    """
    if status == -signal.SIGKILL:
        return Cause.UNKNOWN
    return Cause.ASKED if status in _ASKED else Cause.OWN


def is_suspect(crashes: int) -> bool:
    """Return True if a message is to run in isolation.

    Parameters:
      crashes: Deaths in a row at which it was running.
    """
    return crashes >= SUSPECT_AFTER


def runs_alone(crashes: int) -> bool:
    """Return True if a suspect is to run without other suspects."""
    return crashes >= ALONE_AFTER


@dataclass(slots=True)
class Trial:
    """What one suspect has seen in isolation, as far as one worker process knows.

    Attributes:
      own: Deaths by its own doing, alone.
      unknown: Deaths that somebody else may have caused, alone.
      pauses: Deaths after which it had to wait.
    """

    own: int = 0
    unknown: int = 0
    pauses: int = 0

    def died(self, cause: Cause, *, alone: bool, crashes: int, others_died: bool) -> float | None:
        """Note that the process died in which it ran.

        Parameters:
          cause: Why.
          alone: It ran alone there.
          crashes: Deaths in a row at which it was running, this one included.
          others_died: A worker process of this node has died since the death before this one, so somebody kills
            processes here whatever they run.

        Returns:
          Seconds until it runs again; None: give it up.
        """
        if cause is Cause.ASKED:
            return PAUSES[0]
        if cause is Cause.OWN:
            self.own += alone
            return None if self.own >= ALONE_DEATHS else 0.0
        self.unknown += alone
        if self.unknown >= ALONE_DEATHS and crashes >= UNKNOWN_DEATHS and not others_died:
            return None
        self.pauses += 1
        return PAUSES[min(self.pauses, len(PAUSES)) - 1]
