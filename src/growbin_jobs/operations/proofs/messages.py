"""The proof that no message and no analysis is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from growbin_jobs.engine.central.conservation import COMPLETED, DEAD, IN_FLIGHT, fates, living_payloads
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.nodes_behind import nodes_behind
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.workers import SILENCE
from growbin_jobs.models.analysis_ends import ends, unfinished
from growbin_jobs.operations.proofs.parts import MOST_NAMED, Kind, Part, Wrong, part
from growbin_jobs.states import AnalysisStatus

#: What changed so recently may have the rest of its rows on the way.
GRACE: Final = timedelta(minutes=2)

#: Analyses that a sentence names.
_FEW: Final = 20

#: Seconds between two looks for what nobody has any more.
APART: Final = 5.0

#: Why a message is a hole that waits in the database and nowhere else.
VANISHED: Final = (
    "its queue is empty, and no worker has it: the queue was deleted or emptied; "
    "growbin-jobs tasks run-again {task} sends it anew"
)

#: In flight for so long without a word: whether the broker still has it cannot be seen in the database.
SILENT: Final = timedelta(hours=1)


def prove_messages(
    database: Database, since: datetime, until: datetime, now: datetime, gaps: Sequence[str], *, embedded: bool = True
) -> Part:
    """Prove: accepted = completed + dead + in flight.

    Parameters:
      since, until: When the messages were created.
      gaps: What is known to be missing in the database.
      embedded: The broker is the embedded one, whose file tells of each of its messages.

    Raises:
      Deferred: The database is away.
    """
    gone = _gone(Lost(database, embedded=embedded), database, since, until, now)
    found = fates(database, since, until, settled=now - GRACE, heard=now - SILENT, limit=MOST_NAMED)
    counted = {fate: found.by_fate.get(fate, 0) for fate in (*COMPLETED, *DEAD, *IN_FLIGHT)}
    for state in gone.values():
        counted[state] = max(0, counted[state] - 1)
    lost = found.accepted - sum(counted.values())
    unchecked = list(gaps)
    if found.overdue:
        unchecked.append(
            f"{found.overdue} messages in flight changed last more than an hour ago: whether the broker still has them "
            "was not checked; see `growbin-jobs queues list`."
        )
    if found.fresh:
        unchecked.append(
            f"{found.fresh} messages ended in the last two minutes, and their dead letters are not in the database "
            "yet. Make the proof again later."
        )
    holes = [Wrong(Kind.HOLE, task_id, why) for task_id, why in found.holes]
    holes += [Wrong(Kind.HOLE, task_id, VANISHED.format(task=task_id)) for task_id in gone]
    doubles = [Wrong(Kind.DOUBLE, task_id, "completed, and an open dead letter too") for task_id in found.doubles]
    return part(
        "messages",
        "accepted = completed + dead + in flight; lost 0",
        counted={"accepted": found.accepted, **counted, "lost": lost},
        wrong=[*doubles, *holes][:MOST_NAMED],
        wrong_in_all=max(found.holes_in_all, lost) + found.doubles_in_all,
        unchecked=unchecked,
        sources=["tasks", "dead_letters", "task_attempts"],
    )


def _gone(lost: Lost, database: Database, since: datetime, until: datetime, now: datetime) -> dict[str, str]:
    """Return the messages of a span that nobody has any more, each with the state that its task shows."""
    first = {each.task_id for each in lost.vanished(now)}
    if not first:
        return {}
    time.sleep(APART)  # what has just begun to run is told within seconds
    still = [each.task_id for each in lost.vanished(now, task_ids=sorted(first))]
    row = TaskRow
    query = row.select(row.task_id, row.status).where(
        row.task_id.in_(still) & (row.created_at >= since) & (row.created_at < until)
    )
    return {each["task_id"]: each["status"] for each in database.rows(query.order_by(row.task_id))}


def prove_analyses(
    database: Database,
    since: datetime,
    until: datetime,
    now: datetime,
    gaps: Sequence[str],
    *,
    in_broker: Callable[[], int | str],
) -> Part:
    """Prove: each analysis has come to its end, or has a message in flight.

    What a producer has sent and no worker has begun is in the broker only. Whether it has as many messages as there are
    such analyses can be counted; which message belongs to which cannot.

    Parameters:
      in_broker: Returns how many messages the queue of stage 1 has, or why nobody can tell.

    Raises:
      Deferred: The database is away.
    """
    broker_has = in_broker()  # asked first: what leaves the queue afterwards has a later status, or a task
    left = _without_message(database, since, until)
    settled = {each: status for each, (status, changed) in left.items() if changed < now - GRACE}
    first = sorted(each for each, status in settled.items() if status == AnalysisStatus.PENDING)
    begun = sorted(set(settled) - set(first))
    unchecked, wrong, missing = list(gaps), list[Wrong](), 0
    if len(left) > len(settled):
        unchecked.append(
            f"{len(left) - len(settled)} analyses changed in the last two minutes, and no message of them is in the "
            "database yet: it may be on the way. Make the proof again later."
        )
    if begun and gaps:
        unchecked.append(
            f"{len(begun)} analyses have no message in the database; the journals that were not copied may have it: "
            f"{', '.join(begun[:_FEW])}"
        )
    else:
        wrong += [Wrong(Kind.HOLE, each, "not at its end, and no message of it is in flight") for each in begun]
    if first and isinstance(broker_has, int) and broker_has < len(first):
        missing = len(first) - broker_has
        why = f"not begun; for {len(first)} such analyses the broker has {broker_has} messages"
        wrong += [Wrong(Kind.HOLE, each, why) for each in first]
    elif first:
        has = f"not known ({broker_has})" if isinstance(broker_has, str) else f"{broker_has}"
        unchecked.append(
            f"{len(first)} analyses have not begun. Their messages are in the broker only. How many it has in the "
            f"queue of stage 1: {has}; which of them belongs to which analysis was not checked."
        )
    by_status = ends(database, since, until)
    counted = {"accepted": sum(by_status.values()), **by_status, "without a message": len(begun) + missing}
    return part(
        "analyses",
        "each analysis is completed, has failed with a reason, or has a message in flight",
        counted=counted,
        wrong=wrong[:MOST_NAMED],
        wrong_in_all=(0 if gaps else len(begun)) + missing,
        unchecked=unchecked,
        sources=["waste_analysis", "tasks", "broker"],
    )


def _without_message(database: Database, since: datetime, until: datetime) -> dict[str, tuple[str, datetime]]:
    """Return the analyses that are not at their end and of which the database knows no message in flight."""
    waiting = unfinished(database, since, until)
    silent = set(waiting) - _named(database, set(waiting)) if waiting else set()
    if not silent:
        return {}
    # Some have come to their end, or to their next stage, while messages were read.
    again = unfinished(database, since, until)
    silent &= set(again)
    return {each: again[each] for each in silent - _named(database, silent)}


def gaps_of_nodes(database: Database, now: datetime) -> list[str]:
    """Return, one sentence each, the nodes whose journal may hold what nobody has copied.

    Raises:
      Deferred: The database is away.
    """
    found = []
    behind = nodes_behind(database, heard=now - SILENCE, lag=GRACE.total_seconds())
    for node, seen, unsynced, owed, stopped in behind:
        if not stopped and seen < now - SILENCE:
            found.append(
                f"Node {node} was heard of last at {seen.isoformat(timespec='seconds')}: its journal may hold what was "
                "not copied. Start it again, or run `growbin-jobs journal sync --path` on its file."
            )
        else:
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
