"""Who sent which task, as far as a node's journal has not told it to the central database yet.

The table ``sent`` of the journal has a row for each message that the broker has taken over. Where its task's own row is
copied in the same run, that row takes the sender along; the others become pending rows. Those that were sent a moment
ago wait for that: a pending row would be written, and then written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import peewee

from growbin_jobs.engine.central import sent_copy
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.task_copy import Family
from growbin_jobs.engine.errors import Permanent
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import sent
from growbin_jobs.engine.journal.tables.sent import SentMessage

#: Messages of one run.
PAGE = 20_000

#: Messages of one transaction.
BATCH = 2000

#: Chains that were told in pieces are put together in so many steps at most: somebody may have made a circle.
MOST_STEPS = 10

#: Tasks whose first ancestor is remembered, at least: what they send needs no look into the database.
REMEMBERED = 50_000


class Senders:
    """The messages of one run of the copy.

    Parameters:
      journal: Where they are.
      database: Where they go.
      refused: Told of a message that the database never takes: its id and why.
      clock: Seconds since 1970, UTC.
      patience: Seconds for which a message waits for its task's own row.
    """

    def __init__(
        self,
        journal: Journal,
        database: Database,
        refused: Callable[[str, Exception], object],
        clock: Callable[[], float],
        patience: float,
    ) -> None:
        self._journal = journal
        self._database = database
        self._refused = refused
        self._clock = clock
        self._patience = patience
        self._messages: list[SentMessage] = []
        self._families: dict[str, Family] = {}
        self._attached: set[str] = set()
        self._roots: dict[str, str] = {}
        self._older_roots: dict[str, str] = {}

    def begin(self, messages: list[SentMessage]) -> bool:
        """Begin with what the journal has; return whether it may have more than one run takes.

        Parameters:
          messages: The first :data:`PAGE` of the table ``sent``.

        Raises:
          Deferred: The database is away.
        """
        self._attached.clear()
        self._messages, self._families = messages, {}
        if not messages:
            return False
        parents = {each.message_id: each.parent_id for each in self._messages if each.parent_id is not None}
        known = self._known_roots(set(parents.values()) - parents.keys())
        for child, parent in parents.items():  # nearly always a parent is before what it has sent
            sent_before = self._families.get(parent)
            root = sent_before.root_id if sent_before else _first(parent, parents, known)
            self._families[child] = Family(parent, root)
        self._remember()
        return len(self._messages) == PAGE

    def families(self, task_ids: Iterable[str]) -> dict[str, Family]:
        """Return who sent those of some tasks whose messages are among them."""
        known = self._families
        return {task_id: known[task_id] for task_id in task_ids if task_id in known} if known else {}

    def attached(self, task_ids: Iterable[str]) -> None:
        """Note tasks whose rows have taken their senders along."""
        self._attached.update(task_ids)

    def write(self, *, everything: bool = False) -> int:
        """Bring to the database what no page has taken along, and forget it; return how many wait for the next run.

        Call it when all pages of the run are committed.

        Parameters:
          everything: None is to wait.

        Raises:
          Deferred: The journal or the database is away.
        """
        messages, self._messages = self._messages, []
        due = messages if everything or len(messages) == PAGE else self._due(messages)
        for start in range(0, len(due), BATCH):
            batch = due[start : start + BATCH]
            self._write(batch)
            self._journal.write(lambda connection, batch=batch: sent.forget(connection, batch))  # type: ignore[misc]
        return len(messages) - len(due)

    def _due(self, messages: list[SentMessage]) -> list[SentMessage]:
        """Return those that were taken along or have waited long enough, all by a clock that was set back."""
        now, attached, patience = self._clock(), self._attached, self._patience
        return [each for each in messages if each.message_id in attached or not 0 <= now - each.created_at < patience]

    def _write(self, batch: list[SentMessage]) -> None:
        try:
            self._absorb(batch)
        except (Permanent, ValueError, OverflowError) as error:
            if len(batch) == 1:
                self._refused(batch[0].message_id, error)
                return
            middle = len(batch) // 2
            self._write(batch[:middle])
            self._write(batch[middle:])

    def _absorb(self, batch: list[SentMessage]) -> None:
        dialect, now = self._database.dialect, datetime.fromtimestamp(self._clock(), UTC)
        rest = [each for each in batch if each.message_id not in self._attached]
        families = {each.message_id: self._families[each.message_id] for each in batch if each.parent_id is not None}

        def work(connection: peewee.Database) -> None:
            sent_copy.by_index(connection, dialect)
            if rest:
                sent_copy.absorb(connection, dialect, rest, families, node=self._journal.node, at=now)
            if families:
                sent_copy.repair(connection, dialect, {child: family.root_id for child, family in families.items()})
                self._lead_on(connection, {family.root_id for family in families.values()})

        self._database.transaction(work)

    def _lead_on(self, connection: peewee.Database, roots: set[str]) -> None:
        """Where another node has told meanwhile who sent what we take for the first of a chain, lead to its first."""
        dialect = self._database.dialect
        for _ in range(MOST_STEPS):
            found = sent_copy.roots(connection, dialect, roots)
            farther = {root: first for root, first in found.items() if root != first}
            if not farther:
                return
            sent_copy.repair(connection, dialect, farther)
            roots = set(farther.values())

    def _known_roots(self, tasks: set[str]) -> dict[str, str]:
        known = {task: root for task in tasks if (root := self._roots.get(task) or self._older_roots.get(task))}
        unknown = tasks - known.keys()
        if unknown:
            dialect = self._database.dialect
            known |= self._database.run(lambda connection: sent_copy.roots(connection, dialect, unknown))
        return known

    def _remember(self) -> None:
        if len(self._roots) > REMEMBERED:  # one by one, a dict forgets its oldest the slower the more it has forgotten
            self._older_roots, self._roots = self._roots, {}
        self._roots |= {child: family.root_id for child, family in self._families.items()}


def _first(task_id: str, parents: dict[str, str], known: dict[str, str]) -> str:
    """Return the first task of a chain; where somebody has closed it to a circle, any task of that."""
    seen = {task_id}
    while task_id in parents:
        task_id = parents[task_id]
        if task_id in seen:
            return task_id
        seen.add(task_id)
    return known.get(task_id, task_id)
