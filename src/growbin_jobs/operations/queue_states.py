"""What each queue holds and who takes from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from growbin_jobs.engine.broker.errors import AWAY
from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.errors import GrowbinError
from growbin_jobs.operations.worker_states import Presence, WorkerState


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """One queue; None where nobody can tell, which is not nothing.

    Attributes:
      ready: Messages that wait for a consumer.
      claimed: At a consumer and not settled.
      delayed: Not due yet.
      dead: Given up, as the broker counts them.
      consumers: Worker groups that take from it and are alive, as ``node/group``.
      unseen: Of the ready ones, at least so many have no task in the central database: another program sent them, and
        no worker has had them yet. None: nobody can tell, or every message has one (the embedded broker).
    """

    name: str
    ready: int | None
    claimed: int | None
    delayed: int | None
    dead: int | None
    consumers: list[str]
    unseen: int | None = None


@dataclass(frozen=True, slots=True)
class QueueStates:
    """All queues.

    Attributes:
      problem: Why the broker could not be asked; None: it was.
    """

    queues: list[QueueState]
    problem: str | None

    def with_unseen(self, waiting: Mapping[str, int]) -> QueueStates:
        """Return them with what no task is known of.

        Parameters:
          waiting: Tasks by queue that have not ended and do not run. Some of them are not in the queue now, but put off
            or on their way: so more messages may be unseen than are counted.
        """
        queues = [
            each if each.ready is None else replace(each, unseen=max(0, each.ready - waiting.get(each.name, 0)))
            for each in self.queues
        ]
        return replace(self, queues=queues)

    @property
    def unseen(self) -> int:
        """Return how many messages of all queues no task is known of, at least."""
        return sum(each.unseen or 0 for each in self.queues)


def queue_states(
    depths: Callable[[Iterable[str]], Mapping[str, Depth]], workers: Iterable[WorkerState], *, known: Iterable[str] = ()
) -> QueueStates:
    """Return the queues of the broker and those that workers take from.

    Parameters:
      depths: Asks the broker about queues by their names; it may know more of them.
      workers: Who is alive.
      known: Names of more queues, such as those of the table of groups.
    """
    taking: dict[str, list[str]] = {}
    for state in workers:
        for queue in state.group.queues if state.presence is Presence.WORKING else ():
            taking.setdefault(queue, []).append(f"{state.group.node}/{state.group.group_name}")
    named = {*taking, *known}
    problem, found = None, {}
    try:
        found = dict(depths(named))
    except (GrowbinError, AWAY, OSError) as error:
        problem = str(error) or type(error).__name__
    except Exception as error:  # a library's own: its text may hold an address with a password
        problem = type(error).__name__
    names = sorted({*found, *named})
    return QueueStates([_queue(name, found.get(name), taking.get(name, []), problem) for name in names], problem)


def _queue(name: str, depth: Depth | None, consumers: list[str], problem: str | None) -> QueueState:
    if depth is None:
        nothing = None if problem else 0
        return QueueState(name=name, ready=nothing, claimed=nothing, delayed=nothing, dead=nothing, consumers=consumers)
    return QueueState(
        name=name, ready=depth.ready, claimed=depth.claimed, delayed=depth.delayed, dead=depth.dead, consumers=consumers
    )
