"""Checks for ``growbin-jobs doctor``: tries each thing that the settings name."""

import os
import pwd
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from growbin_jobs import settings as _settings
from growbin_jobs.checks.batches import check_batches
from growbin_jobs.checks.holding import check_holding
from growbin_jobs.checks.models import check_budgets, check_models
from growbin_jobs.checks.places import check_clock, check_folders, check_journal, check_monitor, check_packages
from growbin_jobs.checks.processes import check_processes
from growbin_jobs.checks.schedule import check_schedule
from growbin_jobs.engine.addresses import without_password
from growbin_jobs.engine.data_folder import HOMELESS
from growbin_jobs.engine.text import count_of
from growbin_jobs.errors import ConfigurationError, GrowbinError
from growbin_jobs.names import GROUPS
from growbin_jobs.operations.finding import Finding
from growbin_jobs.settings import Settings

#: Least free disk in the data folder, in bytes, before a warning.
_LOW_DISK = 1_000_000_000


def run_checks() -> list[Finding]:
    """Try everything, one after the other; nothing that fails keeps the rest from being tried."""
    try:
        settings = _settings.load()
    except ConfigurationError as error:
        return [Finding("settings", "failed", _one_line(str(error))), *_misspelt()]
    checks: list[tuple[str, Callable[[Settings], Iterator[Finding]]]] = [
        ("settings", check_folders),
        ("packages", check_packages),
        ("data folder", _data_folder),
        ("journal", check_journal),
        ("processes", check_processes),
        ("broker", _broker),
        ("database", _database),
        ("object store", _object_store),
        ("rules", _rules),
        ("models", check_models),
        ("budgets", check_budgets),
        ("batches", check_batches),
        ("pauses", check_holding),
        ("statistics", _statistics),
        ("workers", _workers),
        ("schedule", check_schedule),
        ("monitor", check_monitor),
    ]
    own = {"broker": settings.broker_url, "database": settings.database_url, "object store": settings.object_store_url}
    homeless = {what for what, address in own.items() if address is None} | {"journal", "processes"}
    findings = [Finding("settings", "ok", f"{len(settings.model_fields_set)} set in the environment"), *_misspelt()]
    for what, check in checks:
        if what in homeless and any((one.what, one.status) == ("data folder", "failed") for one in findings):
            continue  # it would lie in that folder: said before
        try:
            findings += check(settings)
        except GrowbinError as error:
            if str(error) not in [one.detail for one in findings]:  # what is wrong with one part stops others, too
                findings.append(Finding(what, "failed", str(error)))
        except Exception as error:  # its text is not ours: it may quote a password
            kind = type(error).__name__
            findings.append(Finding(what, "failed", f"The check itself failed ({kind}). Please report it as a fault."))
    return [replace(found, detail=_one_line(found.detail)) for found in findings]


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "".join(line + (" " if line.endswith((".", ":")) else "; ") for line in lines[:-1]) + "".join(lines[-1:])


def _misspelt() -> list[Finding]:
    return [
        Finding("settings", "warning", f"{name} is no setting." + (f" Did you mean {meant}?" if meant else ""))
        for name, meant in _settings.Settings.unknown_variables()
    ]


def _data_folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    if folder.is_symlink() and not folder.exists():
        raise ConfigurationError(
            f"{folder} is a link to {os.readlink(folder)}, which does not exist. Make that folder, or set "
            "GROWBIN_DATA_DIR."
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made ({error.strerror}). Set GROWBIN_DATA_DIR.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"{folder} is not writable. Give this user the right to write, or set GROWBIN_DATA_DIR."
        )
    if foreign := next((path for path in _databases(folder) if not os.access(path, os.R_OK | os.W_OK)), None):
        raise ConfigurationError(
            f"{foreign} is not writable for this user: another one made it, or its mode forbids it. Let an "
            f"administrator run: chown -R {_user()} {folder}"
        )
    free, floor = shutil.disk_usage(folder).free, settings.journal_free_floor
    found = f"{folder}, {free / 1e9:.1f} GB free"
    remedy = "Free some space, or set GROWBIN_DATA_DIR to a folder on a larger disk."
    if free < floor:
        raise ConfigurationError(
            f"{found}: workers take no new messages with less than {floor / 1e9:.2f} GB (GROWBIN_JOURNAL_FREE_FLOOR). "
            f"{remedy}"
        )
    if free < _LOW_DISK:
        yield Finding("data folder", "warning", f"{found}. {remedy}")
    elif folder.parent == HOMELESS:
        yield Finding(
            "data folder", "warning", f"{found}. This user has no home: set GROWBIN_DATA_DIR to a lasting one."
        )
    else:
        yield Finding("data folder", "ok", found)


def _databases(folder: Path) -> Iterator[Path]:
    """Yield the files of databases in the data folder and in those of the nodes, with what belongs to them."""
    for pattern in ("*.db*", "*/*.db*"):
        yield from sorted(folder.glob(pattern))


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _broker(settings: Settings) -> Iterator[Finding]:
    from growbin_jobs.engine.opening import check_broker
    from growbin_jobs.wiring import engine_config

    checked = check_broker(engine_config(settings))
    yield Finding("broker", "ok", checked.where)
    for status, caveat in checked.caveats:
        yield Finding("broker", status, caveat)


def _database(settings: Settings) -> Iterator[Finding]:
    from growbin_jobs.engine.central.upgrade import check
    from growbin_jobs.models import SCHEMA
    from growbin_jobs.wiring import central_database

    database = central_database(settings)
    check(database, SCHEMA)
    yield Finding("database", "ok", database.address)
    yield from check_clock(database)


def _object_store(settings: Settings) -> Iterator[Finding]:
    from growbin_jobs.wiring import object_store

    url = settings.object_store_url and without_password(settings.object_store_url)
    try:
        object_store(settings).check()
    except ConfigurationError as error:
        named = f"GROWBIN_OBJECT_STORE_URL is {url}" if url else f"GROWBIN_DATA_DIR is {settings.data_dir}"
        raise ConfigurationError(f"{error} ({named})") from None
    yield Finding("object store", "ok", url or f"a folder in {settings.data_dir}")


def _rules(settings: Settings) -> Iterator[Finding]:
    from growbin_jobs.adapters.rulefiles import load_rules, rules_folder

    folder = rules_folder(settings.rules_dir)
    yield Finding("rules", "ok", f"{count_of(len(load_rules(folder)), 'rule')} in {folder}")


def _statistics(settings: Settings) -> Iterator[Finding]:
    from zoneinfo import ZoneInfo

    from growbin_jobs.platform.measures.periods import period_at
    from growbin_jobs.platform.tables.partitions import Partitions
    from growbin_jobs.wiring import central_database

    day = period_at("daily", datetime.now(UTC), ZoneInfo(settings.timezone))
    with suppress(GrowbinError):  # said before
        for table, rows in Partitions(central_database(settings)).strays().items():
            yield Finding(
                "statistics", "warning", f"{rows} rows of {table} have times that lie in no month's partition."
            )
    yield Finding("statistics", "ok", f"days of {day.zone}, now {day.label}")


def _workers(settings: Settings) -> Iterator[Finding]:
    from growbin_jobs.engine.central.workers import Workers
    from growbin_jobs.engine.node.presence import present
    from growbin_jobs.wiring import central_database

    running = {process.group for process in present(settings.node_dir).values() if process}
    with suppress(GrowbinError):  # said before; what runs here is known all the same
        now = datetime.now(UTC)
        running |= {group.group_name for group in Workers(central_database(settings)).all() if group.lives(now)}
    missing = [name for name in GROUPS if name not in running]
    if not missing:
        yield Finding("workers", "ok", f"running: {', '.join(GROUPS)}")
    elif len(missing) == len(GROUPS):
        yield Finding("workers", "warning", "No worker runs. Start all groups: growbin-jobs up")
    else:
        commands = ", ".join(f"growbin-jobs worker {name}" for name in missing)
        yield Finding("workers", "warning", f"No worker of group {', '.join(missing)} runs. Start it: {commands}")
