"""From settings to the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from growbin_jobs.settings import Settings

if TYPE_CHECKING:
    from growbin_jobs.engine.journal.journal import Journal


def open_journal(settings: Settings, worker: str | None = None) -> Journal:
    """Return the journal that the settings name; each process opens the file when it first uses it.

    Imported here, since producers need it only while the broker is away.

    Parameters:
      worker: Name of this process's kind in rows; default: the worker group of the settings.

    Raises:
      ConfigurationError: If SQLite is too old for several writers.
    """
    from growbin_jobs.engine.journal.journal import Journal

    return Journal(
        settings.journal_path,
        node=settings.node,
        worker=worker or settings.worker_type or "process",
        free_floor=settings.journal_free_floor,
    )
