"""Checks for ``growbin-jobs doctor``: tries each thing that the settings name."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from growbin_jobs import settings as _settings
from growbin_jobs.engine.addresses import without_password
from growbin_jobs.engine.data_folder import HOMELESS
from growbin_jobs.errors import ConfigurationError, GrowbinError
from growbin_jobs.model_catalog import AUTO, effort_for, find_model, temperature_for
from growbin_jobs.names import GROUPS
from growbin_jobs.settings import Settings

Status = Literal["ok", "warning", "failed"]

#: Least free disk in the data folder, in bytes, before a warning.
_LOW_DISK = 1_000_000_000

#: Seconds since the keeper of a node has told who works there; it tells so every ten seconds.
_SEEN_WITHIN = 60.0

#: Days before a model's announced end from which on it is an error, and a warning.
_ERROR_DAYS = 14
_WARN_DAYS = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried.

    Attributes:
      what: Such as ``broker``.
      status: ``failed`` means that workers cannot work.
      detail: What was found and, when it is not well, how to mend it.
    """

    what: str
    status: Status
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def run_checks() -> list[Finding]:
    """Try everything, one after the other; nothing that fails keeps the rest from being tried."""
    try:
        settings = _settings.load()
    except ConfigurationError as error:
        return [Finding("settings", "failed", str(error)), *_misspelt()]
    checks: list[tuple[str, Callable[[Settings], Iterator[Finding]]]] = [
        ("data folder", _data_folder),
        ("broker", _broker),
        ("database", _database),
        ("object store", _object_store),
        ("rules", _rules),
        ("models", _models),
        ("statistics", _statistics),
        ("workers", _workers),
    ]
    findings = [Finding("settings", "ok", f"{len(settings.model_fields_set)} set in the environment"), *_misspelt()]
    for what, check in checks:
        try:
            findings += check(settings)
        except GrowbinError as error:
            findings.append(Finding(what, "failed", str(error)))
        except Exception as error:  # its text is not ours: it may quote a password
            kind = type(error).__name__
            findings.append(Finding(what, "failed", f"The check itself failed ({kind}). Please report it as a fault."))
    return findings


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


def _broker(settings: Settings) -> Iterator[Finding]:
    from growbin_jobs.engine.opening import check_broker
    from growbin_jobs.wiring import engine_config

    yield Finding("broker", "ok", check_broker(engine_config(settings)))


def _database(settings: Settings) -> Iterator[Finding]:
    from growbin_jobs.engine.central.upgrade import check
    from growbin_jobs.models import SCHEMA
    from growbin_jobs.wiring import central_database

    database = central_database(settings)
    check(database, SCHEMA)
    yield Finding("database", "ok", database.address)


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
    yield Finding("rules", "ok", f"{len(load_rules(folder))} rules in {folder}")


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
        fresh = datetime.now(UTC) - timedelta(seconds=_SEEN_WITHIN)
        running |= {
            group.group_name
            for group in Workers(central_database(settings)).all()
            if group.stopped_at is None and group.seen_at > fresh
        }
    missing = [name for name in GROUPS if name not in running]
    if not missing:
        yield Finding("workers", "ok", f"running: {', '.join(GROUPS)}")
    elif len(missing) == len(GROUPS):
        yield Finding("workers", "warning", "No worker runs. Start all groups: growbin-jobs up")
    else:
        commands = ", ".join(f"growbin-jobs worker {name}" for name in missing)
        yield Finding("workers", "warning", f"No worker of group {', '.join(missing)} runs. Start it: {commands}")


def _models(settings: Settings) -> Iterator[Finding]:
    if not settings.models_online:
        from growbin_jobs.ai.offline.classifier import OfflineClassifier

        name = OfflineClassifier.load(settings.offline_runtime).name
        yield Finding("models", "ok", f"no key: {name} and the rules' own sentences answer")
        return
    from growbin_jobs.adapters.llm.client import ModelClient

    key = settings.openai_api_key
    client = ModelClient(api_key=key.get_secret_value() if key else None, base_url=settings.openai_base_url)
    offered = client.models(timeout=10.0)
    for model in dict.fromkeys((settings.vision_model, settings.text_model)):
        if offered and model not in offered:
            yield Finding(
                "models",
                "failed",
                f"{model} is not offered by the server. Check GROWBIN_VISION_MODEL and GROWBIN_TEXT_MODEL.",
            )
        else:
            yield _end_of(model, offered.get(model), datetime.now(UTC).date())
    yield from _not_sent(settings)


def _not_sent(settings: Settings) -> Iterator[Finding]:
    """Name what the settings ask for and the chosen model is known to refuse."""
    for purpose in ("vision", "text"):
        model, effort, temperature = (
            getattr(settings, f"{purpose}_{part}") for part in ("model", "reasoning_effort", "temperature")
        )
        if effort not in (None, AUTO) and (sent := effort_for(model, effort)) != effort:
            name = _settings.Settings.variable(f"{purpose}_reasoning_effort")
            yield Finding("models", "warning", f"{model} does not know {name}={effort}: sends {sent or 'none at all'}")
        if temperature_for(model, temperature) != temperature:
            name = _settings.Settings.variable(f"{purpose}_temperature")
            yield Finding("models", "warning", f"{model} refuses a temperature: {name} is not sent")


def _end_of(model: str, announced: date | None, today: date) -> Finding:
    """Judge the day on which a model leaves the API: as the server announces it, else as the catalogue knows it."""
    known = find_model(model)
    end = announced or (known.shutdown if known else None)
    if end is None:
        return Finding("models", "ok", model)
    named = " or ".join(known.successors) if known and known.successors else "on the provider's deprecations page"
    remedy = f"Its successor: {named}. Set GROWBIN_VISION_MODEL and GROWBIN_TEXT_MODEL."
    days = (end - today).days
    if days < 0:
        return Finding("models", "failed", f"{model} left the API on {end}. {remedy}")
    if days <= _WARN_DAYS:
        status: Status = "failed" if days <= _ERROR_DAYS else "warning"
        return Finding("models", status, f"{model} leaves the API on {end}, in {days} days. {remedy}")
    return Finding("models", "ok", f"{model}, until {end}")
