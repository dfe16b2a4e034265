"""Operations that empty a journal: copy its rows to the central database, send its outbox to the broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.forwarding.relay import AWAY
from growbin_jobs.engine.journal.file.quarantine import quarantined
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import copied_again
from growbin_jobs.engine.keeper.send_outbox import SendOutbox
from growbin_jobs.engine.node.election import keeper_pid
from growbin_jobs.engine.node.presence import present
from growbin_jobs.errors import ConfigurationError, Deferred
from growbin_jobs.operations.journal_files import JournalDamaged, check_readable

#: A broker's ``forward``: for each message None, or why it was not taken.
Forward = Callable[[Sequence[OutboxMessage]], Sequence[Exception | None]]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied to the central database.

    Attributes:
      copied, refused, left: Rows that it has now, that it refused, that it has not got.
      problem: Why not all were copied; None where nothing stood in the way.
    """

    copied: int
    refused: int
    left: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent to the broker.

    Attributes:
      sent, owed: Messages that it has confirmed, and that it has not got.
      problem: Why not all were sent; None where nothing stood in the way.
    """

    sent: int
    owed: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of a journal whose node is gone: see :class:`Copied` and :class:`Sent`.

    Attributes:
      quarantined: Names of files that were found to be damaged and put aside.
      problems: What stood in the way.
    """

    copied: int
    refused: int
    left: int
    sent: int
    owed: int
    quarantined: list[str]
    problems: list[str]

    @property
    def complete(self) -> bool:
        """True when nothing is left behind."""
        return not (self.left or self.owed or self.quarantined)


def forget_copied(journal: Journal, since: datetime) -> int:
    """Note that the central database lacks what it was given since a moment: it was restored to that moment.

    What the journal has deleted meanwhile (``GROWBIN_KEEP_TASKS_DAYS``) cannot be copied again, nor who sent what.

    Returns:
      How many rows :func:`copy` will copy once more, beside those that were not copied yet.
    """
    rows = 0
    for table, column in copied_again.TABLES:
        after: int | None = 0
        while after is not None:
            unmark = partial(copied_again.unmark, table=table, column=column, since=since.timestamp(), after=after)
            found, after = journal.write(unmark)
            rows += found
    return rows


def copy(journal: Journal, tasks: Tasks, *, batch: int) -> Copied:
    """Copy everything that the central database lacks.

    Parameters:
      tasks: Of the central database.
      batch: Rows of one transaction.
    """
    copied = refused = 0
    problem = None
    sync = Sync(journal, tasks, batch=batch)
    try:
        done = sync.sweep()
        copied, refused = done.rows, done.refused
        while done.behind:
            done = sync.run_once()
            copied, refused = copied + done.rows, refused + done.refused
    except Deferred as error:
        problem = str(error)
    return Copied(copied, refused, sync.backlog().rows, problem)


def send(journal: Journal, forward: Forward) -> Sent:
    """Send the whole outbox of the journal to the broker.

    Parameters:
      forward: Of the broker.
    """
    relay = SendOutbox(journal, forward, 0.0)
    before = relay.waiting()
    problem = None
    try:
        relay.run_once()
    except AWAY as error:
        problem = str(error)
    left = relay.waiting()
    return Sent(before - left, left, problem)


def drain(
    file: Path, *, open_journal: Callable[[], Journal], tasks: Callable[[], Tasks], forward: Forward, batch: int
) -> Drained:
    """Empty the journal of a node that is gone: copy its rows, send its outbox. Twice does nothing twice.

    A damaged file is put aside, and what can be read of its messages is sent. The central database is told what is
    left, as the node's own keeper would: else the node counts as one that has left rows for ever.

    Parameters:
      open_journal: Opens ``file`` under the name of its node; closed here.
      tasks: Returns the table of the central database.
      forward, batch: As for :func:`send` and :func:`copy`.

    Raises:
      ConfigurationError: If a living node works with it.
      NotFound: If it is no journal.
      GrowbinError: If it cannot be read for now.
    """
    with suppress(JournalDamaged):
        check_readable(file)
    _check_unused(file)
    before = set(quarantined(file))
    with closing(open_journal()) as journal:
        central = tasks()
        copied = copy(journal, central, batch=batch)
        sent = send(journal, forward)
        with suppress(Deferred):  # the copy has met it too, and has said so
            Workers(central.database).report(
                journal.node, [], unsynced=copied.left, owed=sent.owed, at=datetime.now(UTC)
            )
    aside = [name for name in quarantined(file) if name not in before]
    problems = [problem for problem in (copied.problem, sent.problem) if problem]
    return Drained(copied.copied, copied.refused, copied.left, sent.sent, sent.owed, aside, problems)


def report(done: Copied | Sent | Drained) -> dict[str, int | list[str]]:
    """Return the counts of a transfer for JSON: all but the sentences about problems, which people read."""
    return {
        field.name: getattr(done, field.name) for field in fields(done) if field.name not in ("problem", "problems")
    }


def _check_unused(file: Path) -> None:
    keeper, workers = keeper_pid(file.parent), present(file.parent)
    if keeper or workers:
        who = f"keeper {keeper}" if keeper else f"{len(workers)} worker processes"
        raise ConfigurationError(
            f"{file} is in use ({who}). A living node sends and copies by itself; `journal sync` copies at once."
        )
