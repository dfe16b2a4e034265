"""The proof that no message and no analysis is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from growbin_jobs.engine.central.conservation import COMPLETED, DEAD, IN_FLIGHT, fates, living_payloads
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.lost import SILENCE
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.models.analysis_ends import ends, unfinished
from growbin_jobs.operations.proofs.parts import MOST_NAMED, Kind, Part, Wrong, part

#: What changed so recently may have the rest of its rows on the way.
GRACE: Final = timedelta(minutes=2)

#: In flight for so long without a word: whether the broker still has it cannot be seen in the database.
SILENT: Final = timedelta(hours=1)


def prove_messages(database: Database, since: datetime, until: datetime, now: datetime, gaps: Sequence[str]) -> Part:
    """Prove: accepted = completed + dead + in flight.

    Parameters:
      since, until: When the messages were created.
      gaps: What is known to be missing in the database.

    Raises:
      Deferred: The database is away.
    """
    found = fates(database, since, until, settled=now - GRACE, heard=now - SILENT, limit=MOST_NAMED)
    counted = {fate: found.by_fate.get(fate, 0) for fate in (*COMPLETED, *DEAD, *IN_FLIGHT)}
    lost = found.accepted - sum(counted.values())
    unchecked = list(gaps)
    if found.overdue:
        unchecked.append(
            f"{found.overdue} messages in flight changed last more than an hour ago: whether the broker still has them "
            "was not checked; see `growbin-jobs queues list`."
        )
    holes = [Wrong(Kind.HOLE, task_id, why) for task_id, why in found.holes]
    doubles = [Wrong(Kind.DOUBLE, task_id, "completed, and an open dead letter too") for task_id in found.doubles]
    return part(
        "messages",
        "accepted = completed + dead + in flight; lost 0",
        counted={"accepted": found.accepted, **counted, "lost": lost},
        wrong=[*doubles, *holes],
        wrong_in_all=max(found.holes_in_all, lost) + found.doubles_in_all,
        unchecked=unchecked,
        sources=["tasks", "dead_letters", "task_attempts"],
    )


def prove_analyses(database: Database, since: datetime, until: datetime, now: datetime, gaps: Sequence[str]) -> Part:
    """Prove: each analysis has come to its end, or has a message in flight.

    Raises:
      Deferred: The database is away.
    """
    waiting = dict(unfinished(database, since, until))
    silent = set(waiting) - _named(database, set(waiting)) if waiting else set()
    # Some have come to their end, or to their next stage, while messages were read.
    again = dict(unfinished(database, since, until)) if silent else {}
    silent = {each for each in silent & set(again) if again[each] < now - GRACE}
    if silent:
        silent -= _named(database, silent)
    by_status = ends(database, since, until)
    return part(
        "analyses",
        "each analysis is completed, has failed with a reason, or has a message in flight",
        counted={
            "accepted": sum(by_status.values()), **by_status, "without a message": len(silent),
        },
        wrong=[Wrong(Kind.HOLE, each, "not at its end, and no message of it is in flight") for each in sorted(silent)],
        unchecked=gaps,
        sources=["waste_analysis", "tasks"],
    )  # fmt: skip


def gaps_of_nodes(database: Database, now: datetime) -> list[str]:
    """Return, one sentence each, the nodes whose journal may hold what nobody has copied.

    Raises:
      Deferred: The database is away.
    """
    by_node: dict[str, list[Any]] = {}
    for group in Workers(database).all():
        by_node.setdefault(group.node, []).append(group)
    found = []
    for node, groups in sorted(by_node.items()):
        seen = max(group.seen_at for group in groups)
        unsynced, owed = max(group.unsynced for group in groups), max(group.owed for group in groups)
        stopped = all(group.stopped_at is not None for group in groups)
        if not stopped and seen < now - SILENCE:
            found.append(
                f"Node {node} was heard of last at {seen.isoformat(timespec='seconds')}: its journal may hold what was "
                "not copied. Start it again, or run `growbin-jobs journal sync --path` on its file."
            )
        elif (stopped and (unsynced or owed)) or max(group.lag for group in groups) > GRACE.total_seconds():
            found.append(
                f"Node {node} has not copied {unsynced} rows and still has {owed} messages to send. Start it again, or "
                "run `growbin-jobs journal sync --path` on its file."
            )
    return found


def _named(database: Database, wanted: set[str]) -> set[str]:
    """Return those of some ids that an argument of a message in flight is, or contains."""
    found: set[str] = set()
    for payload in living_payloads(database):
        try:
            message = json.loads(payload)
        except ValueError:
            continue
        if isinstance(message, dict):
            found |= wanted.intersection(_texts([message.get("args"), message.get("kwargs")]))
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for each in value.values() for text in _texts(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in _texts(each))
