"""Names of workers as Flower writes them: ``group@node``, one for all processes of a group on a node."""

from __future__ import annotations

from growbin_jobs.engine.central.search.expressions import And, Expression, Not, Or, Term
from growbin_jobs.names import GROUPS


def worker_name(node: str, group: str | None) -> str:
    """Return the name of a group's workers on a node; of the node alone where the group is not known."""
    return f"{group}@{node}" if group else node


def group_of(queue: str) -> str | None:
    """Return the group that consumes a queue; None: it is none of ours."""
    return next((group.name for group in GROUPS.values() if queue in group.queues), None)


def on_worker(name: str) -> Expression:
    """Return the search for tasks that a worker has received.

    Parameters:
      name: As :func:`worker_name` has it, or a node alone.
    """
    group, at, node = name.partition("@")
    taken = Not(Term("worker", "is", ""))
    known = GROUPS.get(group) if at else None
    if known is None:
        return And((taken, Term("node", "is", node if at else name)))
    return And((taken, Term("node", "is", node), Or(tuple(Term("queue", "is", queue) for queue in known.queues))))
