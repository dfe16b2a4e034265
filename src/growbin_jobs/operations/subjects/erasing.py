"""Erases everything about one user. Each step can be done again: where a process is killed, the next one goes on.

::

    analyses: nobody's from now on, and no stage writes into them any more
      -> their messages are stopped -> rows, requests, facts, archives -> pictures
      -> nodes look through their journals -> once nothing runs and all nodes have: all of it once more -> done
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from growbin_jobs.adapters.objects import ObjectStore
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.erasing import CentralMessages
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.models.audit import Audit, AuditEntry
from growbin_jobs.models.erasure_refs import Refs
from growbin_jobs.models.erasure_rows import leave_object, note
from growbin_jobs.models.erasures import Erasure, Erasures
from growbin_jobs.operations.subjects.here import stop
from growbin_jobs.operations.subjects.person import Person
from growbin_jobs.platform.retention.archive_subjects import ArchiveSubjects
from growbin_jobs.reasons import Language

#: Writes down, with a connection, how many rows of a table were erased.
Noted = Callable[..., None]

#: Seconds between two looks at what still runs.
_LOOK: Final = 0.5


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an erasure waits for: messages that have not ended, and nodes whose journals were not looked through."""

    messages: int
    nodes: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.messages or self.nodes)


@dataclass(frozen=True, slots=True)
class Erased:
    """What one run did: the record, and what it waits for. Where it waits for something, run it again later."""

    erasure: Erasure
    waits: Waiting


class Erasing:
    """Erases users.

    Parameters:
      database: The central one.
      objects: With pictures and archives.
      language: Of the sentence that unfinished analyses get.
      here: Looks through the journal of this machine; None: there is none.
    """

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        *,
        language: Language,
        here: Callable[[], object] | None = None,
    ) -> None:
        self._database, self._objects, self._language = database, objects, language
        self._erasures = Erasures(database)
        self._here = here

    def erase(self, user_id: str, *, by: str, reason: str, seconds: float) -> Erased:
        """Erase a user; an erasure that is not done is gone on with.

        Parameters:
          by, reason: For the record and the audit.
          seconds: To wait for messages that run and for nodes.

        Raises:
          Deferred: The database or the object store is away. Run it again.
          Permanent: ``archive_damaged``. The rest is erased; run it again once that is mended.
        """
        erasure = self._erasures.begin(user_id, by=by, reason=reason)
        entry = AuditEntry(who=by, role="cli", address="cli", action="subject.erased", target=erasure.id, reason=reason)
        Audit(self._database).append(entry)
        person, end = Person(self._database, self._objects, user_id), time.monotonic() + seconds
        self._pass(person, erasure)
        while (waits := self._waits(erasure)) and time.monotonic() < end:
            time.sleep(_LOOK)
        self._pass(person, erasure)  # what came while messages ran
        if not waits and not (waits := self._waits(erasure)):
            self._erasures.finish(erasure.id)
        found = self._erasures.get(erasure.id)
        assert found is not None
        return Erased(found, waits)

    def _waits(self, erasure: Erasure) -> Waiting:
        if self._here is not None:
            self._here()
        refs = self._erasures.refs([erasure.id])
        live = CentralMessages(self._database).find(refs.belong).live
        stop(self._database, live)
        nodes = {group.node for group in Workers(self._database).all()}
        return Waiting(len(live), tuple(self._erasures.nodes_left(erasure.id, nodes)))

    def _pass(self, person: Person, erasure: Erasure) -> None:
        """Erase all that is there now."""
        now = datetime.now(UTC)
        person.analyses.block(person.user_id, sorted(person.analyses_of_messages()), erasure.id, at=now)
        while person.analyses.erase(person.user_id, erasure.id, at=now, language=self._language):
            crashpoint("erase.analyses")
        refs, noted = self._erasures.refs([erasure.id]), partial(_noted, erasure_id=erasure.id)
        found = person.messages.find(refs.belong)
        stop(self._database, found.live)
        person.messages.delete(found.ended, noted)
        crashpoint("erase.messages")
        pseudonym = erasure.pseudonym or "erased"
        for batch in (
            partial(person.batches.erase, user_id=person.user_id),
            partial(person.usage.erase_batch, user_id=person.user_id),
            partial(person.facts.erase_batch, user_id=person.user_id, pseudonym=pseudonym),
        ):
            while self._database.transaction(partial(_batch, of=batch, noted=noted)):
                crashpoint("erase.batch")
        person.usage.erase_late(refs.cover, since=datetime.fromtimestamp(0, UTC))
        self._erase_objects(person, erasure, refs, noted)

    def _erase_objects(self, person: Person, erasure: Erasure, refs: Refs, noted: Noted) -> None:
        archives = person.archives(lambda connection, key: leave_object(connection, erasure.id, key))
        self._forget_orphans(erasure, archives)
        for source, rows in archives.erase(person.user_id, erasure.pseudonym or "erased"):
            self._database.transaction(partial(noted, table=f"archived {source}", rows=rows))
            crashpoint("erase.archive")
        self._forget_orphans(erasure, archives)
        for key in [each.key for each in person.pictures(refs)]:
            self._objects.delete(key)
            self._database.transaction(partial(noted, table="pictures", rows=1))
            crashpoint("erase.picture")

    def _forget_orphans(self, erasure: Erasure, archives: ArchiveSubjects) -> None:
        for key in self._erasures.orphans(erasure.id):
            archives.forget_object(key)
            self._erasures.orphan_gone(erasure.id, key)


def _batch(connection: Any, *, of: Callable[[Any], dict[str, int]], noted: Callable[[Any, str, int], None]) -> bool:
    done = of(connection)
    for table, rows in done.items():
        noted(connection, table, rows)
    return bool(done)


def _noted(connection: Any, table: str, rows: int, *, erasure_id: str) -> None:
    note(connection, erasure_id, table, rows)
