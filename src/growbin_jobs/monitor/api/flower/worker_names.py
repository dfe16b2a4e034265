"""Names of workers as Flower writes them: ``group@node``, one for all processes of a group on a node."""

from __future__ import annotations

from collections.abc import Sequence

from growbin_jobs.engine.central.search.expressions import And, Expression, Not, Or, Term
from growbin_jobs.engine.groups import Group


def worker_name(node: str, group: str | None) -> str:
    """Return the name of a group's workers on a node; of the node alone where the group is not known."""
    return f"{group}@{node}" if group else node


def worker_of(node: str, queue: str, worker: str, groups: Sequence[Group]) -> str:
    """Return the name of the worker that has received a task.

    Parameters:
      node, queue, worker: Of the task's row; ``worker`` is ``node/group/pid``.
      groups: Of the engine.
    """
    parts = worker.rsplit("/", 2)
    group = next((group.name for group in groups if queue in group.queues), None)
    return worker_name(node, group or (parts[1] if len(parts) == 3 else None))


def pid_of(worker: str | None) -> int | None:
    """Return the process id of a row's worker; None where it says none."""
    pid = (worker or "").rpartition("/")[2]
    return int(pid) if pid.isascii() and pid.isdigit() and len(pid) < 11 else None


def on_worker(name: str, groups: Sequence[Group]) -> Expression:
    """Return the search for tasks that a worker has received.

    Parameters:
      name: As :func:`worker_name` has it, or a node alone.
      groups: Of the engine.
    """
    group, at, node = name.partition("@")
    taken = Not(Term("worker", "is", ""))
    known = next((each for each in groups if at and each.name == group), None)
    if not at:
        return And((taken, Term("node", "is", name)))
    if known is None:  # of another release of the engine: rows have node/group/pid
        return And((Term("node", "is", node), Term("worker", "is", f"*/{group}/*")))
    return And((taken, Term("node", "is", node), Or(tuple(Term("queue", "is", queue) for queue in known.queues))))
