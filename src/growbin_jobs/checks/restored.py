"""Looks whether the central database still has what this node has copied there: one that was restored has not."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.text import count_of
from growbin_jobs.errors import GrowbinError
from growbin_jobs.operations.finding import Finding

#: The latest rows that are looked for, and how old a copy may be: what is older may have been deleted there.
_ROWS: Final = 10_000
_DAY: Final = 86_400.0

#: Rows asked for at a time.
_CHUNK: Final = 1000


def check_restored(config: EngineConfig) -> Iterator[Finding]:
    """Look for tasks that this node has copied to the central database and that are not there any more."""
    from growbin_jobs.engine.central.tasks import Tasks
    from growbin_jobs.engine.journal.tables.copied_again import latest_copied
    from growbin_jobs.engine.opening import open_central
    from growbin_jobs.operations.journal_files import reading

    if not config.journal_path.is_file():
        return
    with suppress(GrowbinError):  # said before: of the journal, or of the database
        with reading(config.journal_path) as connection:
            since = datetime.now(UTC).timestamp() - _DAY
            copied = latest_copied(connection, since=since, limit=_ROWS)
        tasks, ids = Tasks(open_central(config)), list(copied)
        for start in range(0, len(ids), _CHUNK):
            for task in tasks.get_many(ids[start : start + _CHUNK]):
                del copied[task.task_id]
        if copied:
            yield Finding(
                "database", "warning", _lacks(copied, "" if config.upgrade_command else f" --engine {config.source}")
            )


def _lacks(copied: dict[str, float], engine: str) -> str:
    since = datetime.fromtimestamp(min(copied.values()), UTC) - timedelta(minutes=5)
    return (
        f"It lacks {count_of(len(copied), 'task')} that this node has copied there: it was restored to an earlier "
        f"moment. On each node run: growbin-jobs journal sync{engine} --again-since {since:%Y-%m-%dT%H:%M+00:00}; "
        "docs/deploy.md says what else is gone (analyses that ended, money spent, decisions)."
    )
