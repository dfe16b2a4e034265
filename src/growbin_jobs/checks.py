"""Does everything that the settings name work? For ``growbin-jobs doctor``."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from growbin_jobs import settings as _settings
from growbin_jobs.errors import ConfigurationError, GrowbinError
from growbin_jobs.model_catalog import AUTO, effort_for, find_model, temperature_for
from growbin_jobs.settings import Settings

Status = Literal["ok", "warning", "failed"]

#: Least free disk in the data folder, in bytes, before a warning.
_LOW_DISK = 1_000_000_000

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
        return [Finding("settings", "failed", str(error))]
    checks: list[tuple[str, Callable[[Settings], Iterator[Finding]]]] = [
        ("data folder", _data_folder),
        ("broker", _broker),
        ("database", _database),
        ("object store", _object_store),
        ("rules", _rules),
        ("models", _models),
    ]
    findings = [Finding("settings", "ok", f"{len(settings.model_fields_set)} set in the environment")]
    for what, check in checks:
        try:
            findings += check(settings)
        except GrowbinError as error:
            findings.append(Finding(what, "failed", str(error)))
    return findings


def _data_folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made ({error.strerror}). Set GROWBIN_DATA_DIR.") from None
    if not os.access(folder, os.W_OK):
        raise ConfigurationError(
            f"{folder} is not writable. Give this user the right to write, or set GROWBIN_DATA_DIR."
        )
    free = shutil.disk_usage(folder).free
    low = free < _LOW_DISK
    yield Finding("data folder", "warning" if low else "ok", f"{folder}, {free / 1e9:.1f} GB free")


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

    url = settings.object_store_url
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
