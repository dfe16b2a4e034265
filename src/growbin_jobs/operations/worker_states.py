"""Who works, who has fallen silent, and what those who are gone have left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from growbin_jobs.engine.central.workers import WorkerGroup, Workers


class Presence(StrEnum):
    """Whether a group works."""

    WORKING = "working"
    SILENT = "silent"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One group on one node.

    Attributes:
      free: Threads or greenlets that run nothing.
      left: Rows of its journal and messages that it still owes: what it left behind, where it is gone.
    """

    group: WorkerGroup
    presence: Presence
    free: int
    left: int


@dataclass(frozen=True, slots=True)
class WorkerStates:
    """All groups: those that work or are silent in full, the gone ones folded.

    Attributes:
      left_by_gone: Rows and messages that nodes left which are gone.
    """

    present: list[WorkerState]
    gone: list[WorkerState]
    left_by_gone: int


def worker_states(workers: Workers, *, now: datetime | None = None) -> WorkerStates:
    """Return all groups that were seen and not forgotten.

    Parameters:
      workers: The central table.
      now: Aware; None: by this machine's clock.

    Raises:
      Deferred: The database is away.
    """
    moment = now or datetime.now(UTC)
    states = [_state(group, moment) for group in workers.all()]
    gone = [state for state in states if state.presence is Presence.GONE]
    left = {state.group.node: state.left for state in gone}
    present = [state for state in states if state.presence is not Presence.GONE]
    return WorkerStates(present, gone, sum(left.values()))


def present_workers(workers: Workers, *, now: datetime | None = None) -> list[WorkerState]:
    """Return the groups that have not stopped.

    Parameters:
      workers, now: As for :func:`worker_states`.

    Raises:
      Deferred: The database is away.
    """
    moment = now or datetime.now(UTC)
    return [_state(group, moment) for group in workers.present()]


def _state(group: WorkerGroup, now: datetime) -> WorkerState:
    presence = Presence.WORKING
    if group.stopped_at is not None:
        presence = Presence.GONE
    elif not group.lives(now):
        presence = Presence.SILENT
    return WorkerState(group, presence, max(0, group.threads - group.running), group.unsynced + group.owed)
