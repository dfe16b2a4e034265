"""Checks of the machine on which ``growbin-jobs doctor`` runs: its packages, journal and clock, and its monitor."""

import os
import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.text import count_of
from growbin_jobs.errors import GrowbinError
from growbin_jobs.names import SPOOL_USER
from growbin_jobs.operations.finding import Finding
from growbin_jobs.settings import Settings

#: Seconds by which this machine's clock may differ from the database's: leases and minutes are reckoned in both.
_CLOCK: Final = 5.0

#: Seconds after which messages in a journal that nobody writes are looked at: they are forwarded within seconds.
_RESTED: Final = 60.0

#: What each part imports that comes with an extra of its own, and that extra.
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "storage": ("apsw", "dramatiq", "peewee", "apscheduler", "prometheus_client", "PIL", "gevent"),
    "ai": ("apsw", "dramatiq", "peewee", "apscheduler", "prometheus_client", "PIL", "httpx2", "openai"),
}


def check_packages(settings: Settings) -> Iterator[Finding]:
    """Look for what the worker groups import here; a machine that only hands in messages needs none of it."""
    missing = {
        extra: lacking
        for extra, names in _NEEDED.items()
        if (lacking := [name for name in names if not _is_here(name)])
    }
    if not settings.models_online and not _is_here("numpy"):
        missing["offline"] = ["numpy"]
    if not missing:
        yield Finding("packages", "ok", "all that storage and ai need")
        return
    names = ", ".join(dict.fromkeys(name for each in missing.values() for name in each))
    yield Finding(
        "packages",
        "warning",
        f"No worker can run here: {names} not installed. Run: pip install 'growbin-jobs[{','.join(missing)}]'",
    )


def check_folders(settings: Settings) -> Iterator[Finding]:
    """Look for the folders and files that settings name and that are read much later."""
    for name in ("llm_keys_dir", "webhook_secrets_dir", "prices_file"):
        path = getattr(settings, name)
        if path is not None and not os.access(path, os.R_OK):
            detail = f"{path} is not there, or this user may not read it. Correct {settings.variable(name)}."
            yield Finding("settings", "failed", detail)
    if settings.crashpoint is not None:
        detail = "GROWBIN_CRASHPOINT kills processes on purpose: it is for tests only. Unset it."
        yield Finding("settings", "warning", detail)
    for path in settings.spool_dirs:
        above_users = Path(str(path).partition(SPOOL_USER)[0])  # which of them have a folder is not known
        if not above_users.is_dir():
            yield Finding("settings", "warning", f"{above_users} is no folder. Make it, or correct GROWBIN_SPOOL_DIRS.")


def _is_here(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def check_journal(config: EngineConfig) -> Iterator[Finding]:
    """Read this node's journal, in bounded time, where there is one."""
    from growbin_jobs.engine.journal.file.opening import check
    from growbin_jobs.engine.journal.file.quarantine import quarantined
    from growbin_jobs.operations.journal_files import our_errors, reading

    path = config.journal_path
    if not path.is_file():
        return
    try:
        with our_errors(path), reading(path) as connection:
            check(connection)
    except GrowbinError as error:
        yield Finding("journal", "failed", str(error))
        return
    if aside := quarantined(path):
        detail = f"Damaged files were put aside: {', '.join(aside)}. Look at the disk; delete them when they are known."
        yield Finding("journal", "warning", detail)
    else:
        yield Finding("journal", "ok", str(path))


def check_left_journals(config: EngineConfig) -> Iterator[Finding]:
    """Look for what another node in this folder has not sent: perhaps this machine had another name before."""
    from growbin_jobs.engine.journal.tables.reader import holds_messages

    for path in sorted(config.data_dir.glob(f"*/{config.journal_path.name}")):
        if path != config.journal_path and _has_rested(path) and holds_messages(path):
            detail = (
                f"{path} holds messages that have not been sent. Where no process runs as node {path.parent.name} any "
                f"more, run: growbin-jobs journal drain --path {shlex.quote(str(path))}"
            )
            yield Finding("journal", "warning", detail)


def _has_rested(path: Path) -> bool:
    """Return whether nobody has written a journal for a while."""
    try:
        written = max(each.stat().st_mtime for each in (path, Path(f"{path}-wal")) if each.exists())
    except (OSError, ValueError):  # it goes away in this moment
        return False
    return time.time() - written > _RESTED


def check_clock(database: Database) -> Iterator[Finding]:
    """Compare this machine's clock with that of PostgreSQL."""
    if database.dialect != "postgresql":
        return

    def ask(connection: Any) -> float:
        began = datetime.now(UTC)
        there: datetime = connection.execute_sql("SELECT clock_timestamp()").fetchone()[0]
        return (began + (datetime.now(UTC) - began) / 2 - there).total_seconds()

    ahead = database.run(ask)
    if abs(ahead) > _CLOCK:
        way = "ahead of" if ahead > 0 else "behind"
        detail = f"This machine's clock is {abs(ahead):.0f} s {way} the database's. Set the clocks by NTP."
        yield Finding("database", "warning", detail)


def check_monitor(settings: Settings) -> Iterator[Finding]:
    """Read the monitor's settings as the monitor does, where any of them is set."""
    set_here = sorted(name for name in settings.model_fields_set if name.startswith("monitor_"))
    if not set_here:
        return
    if not _is_here("fastapi"):
        yield Finding("monitor", "warning", "It is not installed. Run: pip install 'growbin-jobs[monitor]'")
        return
    from growbin_jobs.monitor.bootstrap import make_config

    # Where nobody is named who could sign in, `growbin-jobs up` prints a link.
    config = make_config(settings, sign_in_links=True)
    yield Finding(
        "monitor",
        "ok",
        f"{count_of(len(config.users), 'user')} with passwords, {count_of(len(config.allow.entries), 'rule')}",
    )
