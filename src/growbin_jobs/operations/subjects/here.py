"""A node's part in erasures: its journal, its dead letters in the broker, and what it told the central database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.erasing import CentralMessages
from growbin_jobs.engine.control.instructions import Action, Target
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import erasing
from growbin_jobs.limits.subjects import SubjectUsage
from growbin_jobs.models.erasure_refs import Refs
from growbin_jobs.models.erasure_rows import note
from growbin_jobs.models.erasures import Erasures

#: How far back requests are looked at that a node may have noted late.
_LATE: Final = timedelta(days=7)

#: Deletes dead letters of the broker by their messages; returns how many.
ForgetLetters = Callable[[Callable[[bytes], bool]], int]


@dataclass(frozen=True, slots=True)
class EraseHere:
    """A periodic job of the keeper. It begins anew until it finds nothing, and says so then.

    Attributes:
      journal: Of this node.
      database: The central one.
      forget_letters: Of the broker.
      forget_files: Deletes all pictures that this node has fetched, since they are only a cache; returns how many.
    """

    journal: Journal
    database: Database
    forget_letters: ForgetLetters
    forget_files: Callable[[], int]

    def run_once(self) -> dict[str, int]:
        """Erase what erasures ask for, and return how many rows and letters; empty: there was nothing.

        Raises:
          Deferred, BrokerConnectionError: The database, the journal or the broker is away; the next run goes on.
        """
        erasures, node = Erasures(self.database), self.journal.node
        due = erasures.due_for(node)
        if not due:
            return {}
        refs = erasures.refs(list(due))
        here, central = erasing.find(self.journal, refs.belong), CentralMessages(self.database)
        told = central.find(refs.belong, node=node)
        # What another node has ended is over, whatever this journal saw last.
        live = (here.live | told.live) - told.ended
        stop(self.database, live)
        done = {
            "letters": self.forget_letters(refs.belong),
            "files": self.forget_files(),
            "journal": erasing.delete(self.journal, (here.ended | here.live) - live),
            "central": central.delete(told.ended, partial(_note_all, erasures_of=list(due))),
            "usage": _late_usage(self.database, refs),
        }
        erasures.forget_refs()
        if not live and not any(done.values()):
            erasures.found_empty(node, due)
        return {name: count for name, count in (done | {"live": len(live)}).items() if count}


def stop(database: Database, task_ids: set[str]) -> None:
    """Tell all nodes that these messages are not to run, nor to run on."""
    control = Control(database)
    for task_id in sorted(task_ids):
        if control.get(Target.MESSAGE, task_id) is None:
            control.give(Action.ABORT, Target.MESSAGE, task_id, by="erasure", reason="its user is erased")


def _late_usage(database: Database, refs: Refs) -> int:
    since = min(refs.hashes.values(), default=None)
    return 0 if since is None else SubjectUsage(database).erase_late(refs.cover, since=since - _LATE)


def _note_all(connection: object, table: str, rows: int, *, erasures_of: list[str]) -> None:
    note(connection, erasures_of[0], table, rows)
