"""A proof of this installation: from its settings to what :mod:`growbin_jobs.operations.proofs.whole` needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.names import UPLOAD_IMAGE
from growbin_jobs.operations.proofs.parts import Proof
from growbin_jobs.operations.proofs.whole import Kept, prove, prove_engine
from growbin_jobs.operations.queue_states import queue_states
from growbin_jobs.settings import Settings


def proof_of(
    settings: Settings,
    database: Database,
    depths: Callable[[Iterable[str]], Mapping[str, Depth]],
    since: datetime,
    until: datetime,
) -> Proof:
    """Return the proof for a span, computed now.

    Parameters:
      settings: Of this process.
      database: The central one.
      depths: Asks the broker what queues hold.
      since, until: The span, aware; its end is not part of it.

    Raises:
      ConfigurationError: The span is empty.
      Deferred: The database is away.
    """
    kept = Kept(
        tasks=timedelta(days=settings.keep_central_tasks_days),
        dead_letters=timedelta(days=settings.keep_dead_letters_days),
        usage=timedelta(days=settings.usage_days),
        due_times=timedelta(days=settings.keep_ledger_days),
        answers=timedelta(seconds=settings.answer_ttl),
    )
    zone = ZoneInfo(settings.timezone)
    return prove(
        database, since, until, now=datetime.now(UTC), node=settings.node, zone=zone, kept=kept,
        in_broker=lambda: first_messages(depths, embedded=settings.broker_url is None),
        embedded=settings.broker_url is None,
    )  # fmt: skip


def proof_of_engine(config: EngineConfig, database: Database, since: datetime, until: datetime) -> Proof:
    """Return the proof for a span of an engine that is not Growbin's, computed now.

    Parameters:
      config: Of the engine.
      database: Its central one.
      since, until: As for :func:`proof_of`.

    Raises:
      ConfigurationError: The span is empty.
      Deferred: The database is away.
    """
    kept = timedelta(days=config.keep_dead_letters_days)
    embedded = config.broker_url is None
    return prove_engine(database, since, until, now=datetime.now(UTC), node=config.node, kept=kept, embedded=embedded)


def first_messages(depths: Callable[[Iterable[str]], Mapping[str, Depth]], *, embedded: bool) -> int | str:
    """Return how many messages the queue of stage 1 has, or why nobody can tell.

    RabbitMQ does not tell how many are at workers, and while it was away they went into journals of their senders.

    Parameters:
      depths: Asks the broker about queues.
      embedded: The broker is the embedded one.
    """
    queue = queue_states(depths, [], known=[UPLOAD_IMAGE.queue])
    [found] = [each for each in queue.queues if each.name == UPLOAD_IMAGE.queue]
    if queue.problem is not None:
        return queue.problem
    if not embedded:
        return f"{found.ready} wait there, and RabbitMQ does not tell how many workers have"
    return sum(number or 0 for number in (found.ready, found.claimed, found.delayed))
