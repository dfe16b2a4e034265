"""What commands that act on tasks stand on: the actors' functions, choosing dead letters of all nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from growbin_jobs.engine.central.database import Database


def function_of(actor: str) -> Callable[..., Any] | None:
    """Return the function of an actor of the engine that this command works for; None: it has none of that name."""
    from growbin_jobs.cli import target
    from growbin_jobs.operating import function_of as ours

    its = target.another()
    if its is None:
        return ours(actor)
    found = its.broker.actors.get(actor)
    return None if found is None else found.fn


def letter_ids(
    database: Database, ids: list[str] | None, *, queue: str | None, actor: str | None, code: str | None,
    hours: float | None,
) -> list[str]:  # fmt: skip
    """Return the open dead letters of all nodes that were named, by their ids or their tasks', or that fit.

    Raises:
      NotFound, Conflict: One that was named is not there, or nobody needs to decide about it.
    """
    from datetime import UTC, datetime, timedelta

    from growbin_jobs.engine.central.dead_letters import DeadLetters
    from growbin_jobs.errors import NotFound
    from growbin_jobs.operations.letter_verbs import letter_of_task

    letters, found = DeadLetters(database), []
    for each in ids or ():
        try:
            found.append(letters.get(each).id)
        except NotFound:
            found.append(letter_of_task(database, each).id)
    if ids:
        return found
    since = None if hours is None else datetime.now(UTC) - timedelta(hours=hours)
    return [
        each.id for each in letters.list(queue=queue, actor=actor, code=code, since=since, limit=100_000)
    ]  # fmt: skip
