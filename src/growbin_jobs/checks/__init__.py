"""Checks for ``growbin-jobs doctor``: tries each thing that the settings name."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from growbin_jobs import settings as _settings
from growbin_jobs.checks.batches import check_batches
from growbin_jobs.checks.changed_secrets import check_changed_secrets
from growbin_jobs.checks.engine import (
    check_broker,
    check_data_folder,
    check_database,
    check_metrics_address,
    check_queues,
    check_workers,
)
from growbin_jobs.checks.holding import check_holding
from growbin_jobs.checks.models import check_budgets, check_models
from growbin_jobs.checks.places import check_folders, check_journal, check_left_journals, check_monitor, check_packages
from growbin_jobs.checks.processes import check_processes
from growbin_jobs.checks.restored import check_restored
from growbin_jobs.checks.schedule import check_schedule
from growbin_jobs.engine.addresses import without_password
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.engine import Engine
from growbin_jobs.engine.opening import upgrade_command
from growbin_jobs.engine.text import count_of
from growbin_jobs.errors import ConfigurationError, GrowbinError
from growbin_jobs.names import GROUPS
from growbin_jobs.operations.finding import Finding
from growbin_jobs.scheduler.schedule import schedule_of
from growbin_jobs.scheduler.table import ONCE
from growbin_jobs.settings import Settings

#: What is tried, and how.
Check = tuple[str, Callable[[], Iterable[Finding]]]

#: What asks the database, wherever it is.
_OF_DATABASE: Final = frozenset({"budgets", "batches", "pauses", "statistics", "schedule"})


def run_checks() -> list[Finding]:
    """Try everything, one after the other; nothing that fails keeps the rest from being tried."""
    try:
        settings = _settings.load()
    except ConfigurationError as error:
        return [Finding("settings", "failed", _one_line(str(error))), *_misspelt()]
    from growbin_jobs.wiring import engine_config

    config = engine_config(settings)
    checks: list[Check] = [
        ("settings", partial(check_folders, settings)),
        ("settings", partial(check_changed_secrets, settings, config.node_dir)),
        ("packages", partial(check_packages, settings)),
        *_of_engine(config),
        ("object store", partial(_object_store, settings)),
        ("rules", partial(_rules, settings)),
        ("models", partial(check_models, settings)),
        ("budgets", partial(check_budgets, settings)),
        ("batches", partial(check_batches, settings)),
        ("pauses", partial(check_holding, settings)),
        ("statistics", partial(_statistics, settings)),
        ("queues", partial(check_queues, config, [queue for group in GROUPS.values() for queue in group.queues])),
        ("workers", partial(check_workers, config, list(GROUPS), "growbin-jobs up", "growbin-jobs worker")),
        ("schedule", partial(check_schedule, config, ONCE)),
        ("monitor", partial(check_monitor, settings)),
    ]
    stored = ["object store"] if settings.object_store_url is None else []
    said = [Finding("settings", "ok", f"{len(settings.model_fields_set)} set in the environment"), *_misspelt()]
    return _run(checks, said, {*_in_the_folder(config), *stored})


def run_engine_checks(engine: Engine, config: EngineConfig, module: str) -> list[Finding]:
    """Try everything that an engine of somebody's own stands on.

    Parameters:
      engine: The engine.
      config: Its configuration, with the tables that its commands need.
      module: Its name on the command line.
    """
    names = [group.name for group in engine.groups]
    up, worker = f"growbin-jobs up {module}", f"growbin-jobs worker {module} --group"
    config = replace(config, source=module)
    served = engine.broker.get_declared_queues().union(*(group.queues for group in engine.groups))
    checks: list[Check] = [
        *_of_engine(config),
        ("queues", partial(check_queues, config, served)),
        ("workers", partial(check_workers, config, names, up, worker)),
    ]
    if schedule := schedule_of(engine):
        checks.append(("schedule", partial(check_schedule, config, schedule.jobs, module)))
    return _run(checks, [], _in_the_folder(config))


def _of_engine(config: EngineConfig) -> list[Check]:
    return [
        ("data folder", partial(check_data_folder, config)),
        ("journal", partial(check_journal, config)),
        ("journal", partial(check_left_journals, config)),
        ("processes", partial(check_processes, config)),
        ("metrics", partial(check_metrics_address, config)),
        ("broker", partial(check_broker, config)),
        ("database", partial(check_database, config, upgrade_command(config))),
        ("restored", partial(check_restored, config)),
    ]


def _in_the_folder(config: EngineConfig) -> set[str]:
    """Return what lies in the data folder: where that cannot be used, nothing more needs to be said of these."""
    addresses = {"broker": config.broker_url, "database": config.database_url}
    within = {what for what, address in addresses.items() if address is None}
    within |= {"journal", "restored", "processes", "queues", "workers"}
    return within | (_OF_DATABASE if "database" in within else set())


def _run(checks: Sequence[Check], findings: list[Finding], homeless: Container[str]) -> list[Finding]:
    for what, check in checks:
        failed = {one.what for one in findings if one.status == "failed"}
        if (what in homeless and "data folder" in failed) or (what == "queues" and "broker" in failed):
            continue  # it would lie in that folder, or is at that broker: said before
        try:
            findings += check()
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
