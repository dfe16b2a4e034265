"""A proof over a span of time: nothing lost, each due time once, each limit kept, each answer paid for once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from growbin_jobs import __version__
from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.operations.proofs.messages import gaps_of_nodes, prove_analyses, prove_messages
from growbin_jobs.operations.proofs.parts import Proof, worst
from growbin_jobs.operations.proofs.promises import prove_limits, prove_paid_answers, prove_schedule
from growbin_jobs.scheduler.registry import Clock
from growbin_jobs.scheduler.rows import database_time

#: What no proof from these tables can show.
LOST_WITH_A_DISK: Final = "What a node accepted and lost with its disk before its keeper reported it is in no table."
LIMITS_OF_PROOF: Final = [
    LOST_WITH_A_DISK,
    "What a producer has sent and no worker has begun is in the broker only: analyses are compared with it by number. "
    "That the other messages in flight are still in the broker is not checked.",
    "Jobs that the keeper of every node runs for itself have no ledger.",
    "The ledger of requests lacks what a node could not write to it yet. Its rows from before migration 0032 have no "
    "digest of their question: there the same picture in two analyses counts as two.",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long rows are kept, and answers: older ones cannot be proven.

    Attributes:
      tasks: After their end.
      dead_letters: After their death.
      usage: Single requests to model servers.
      due_times: Of the schedule.
      answers: How long an answer is kept.
    """

    tasks: timedelta
    dead_letters: timedelta
    usage: timedelta
    due_times: timedelta
    answers: timedelta


def prove(
    database: Database,
    since: datetime,
    until: datetime,
    *,
    now: datetime,
    node: str,
    zone: ZoneInfo,
    kept: Kept,
    in_broker: Callable[[], int | str],
    embedded: bool = True,
    clock: Clock = database_time,
) -> Proof:
    """Recompute everything from the tables of now; nothing is remembered from an earlier proof.

    Parameters:
      since, until: The span, aware; its end is not part of it. An end that lies ahead becomes now.
      now: Aware.
      node: Where this is computed.
      zone: Of the days of budgets.
      kept: How long rows are kept.
      in_broker: Returns how many messages the queue of stage 1 has, or why nobody can tell.
      embedded: The broker is the embedded one.
      clock: Returns the time of the schedule.

    Raises:
      ConfigurationError: The span is empty.
      Deferred: The database is away.
    """
    until = _end(since, until, now)
    nodes = gaps_of_nodes(database, now)
    messages = [*nodes, *_too_old("tasks", since, now, min(kept.tasks, kept.dead_letters))]
    usage = _too_old("requests to model servers", since, now, kept.usage)
    parts = [
        prove_messages(database, since, until, now, messages, embedded=embedded),
        prove_analyses(database, since, until, now, nodes, in_broker=in_broker),
        prove_schedule(database, since, until, _too_old("due times", since, now, kept.due_times), clock=clock),
        prove_limits(database, since, until, now, usage, zone=zone),
        prove_paid_answers(database, since, until, usage, lifetime=kept.answers),
    ]
    return Proof(
        since=since, until=until, made_at=now, node=node, version=__version__, verdict=worst(parts), parts=parts,
        limits_of_proof=LIMITS_OF_PROOF,
    )  # fmt: skip


def prove_engine(
    database: Database, since: datetime, until: datetime, *, now: datetime, node: str, kept: timedelta, embedded: bool
) -> Proof:
    """Recompute what can be proven of an engine that is not Growbin's: that none of its messages is lost.

    Parameters:
      since, until, now, node, embedded: As for :func:`prove`.
      kept: How long dead letters are kept; tasks are until somebody deletes them.

    Raises:
      ConfigurationError: The span is empty.
      Deferred: The database is away.
    """
    until = _end(since, until, now)
    gaps = [*gaps_of_nodes(database, now), *_too_old("dead letters", since, now, kept)]
    parts = [prove_messages(database, since, until, now, gaps, embedded=embedded)]
    return Proof(
        since=since, until=until, made_at=now, node=node, version=__version__, verdict=worst(parts), parts=parts,
        limits_of_proof=[LOST_WITH_A_DISK],
    )  # fmt: skip


def _end(since: datetime, until: datetime, now: datetime) -> datetime:
    until = min(until, now)
    if since >= until:
        raise ConfigurationError("The span is empty: --from must be before --to, and before now.")
    return until


def _too_old(what: str, since: datetime, now: datetime, keep: timedelta) -> list[str]:
    if since >= now - keep:
        return []
    return [f"Rows of {what} are kept for {keep.total_seconds() / 86400:g} days; what is older may be gone."]
