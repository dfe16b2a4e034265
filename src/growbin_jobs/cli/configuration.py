"""``growbin-jobs settings``, ``rules check`` and ``db upgrade``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from growbin_jobs.cli import target
from growbin_jobs.cli.console import out, print_json, print_line, say
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.target import EngineName
from growbin_jobs.engine.text import count_of

if TYPE_CHECKING:
    from growbin_jobs.engine.config import EngineConfig

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def settings(json: Json = False, _engine: EngineName = None) -> None:
    """Show every setting, its value, where the value comes from, and what it is for. Secrets are masked.

    \b
    Examples:
      growbin-jobs settings
      growbin-jobs settings --engine orders.jobs
      growbin-jobs settings --json | jq -r '.[] | select(.origin != "default") | .variable'
    """
    from rich.padding import Padding
    from rich.text import Text

    another = target.another()
    rows = _settings_rows() if another is None else _rows_of(another.config)
    if json:
        print_json(rows)
        return
    for row in rows:
        mine = row["origin"] != "default"
        value = (str(row["value"]), "bold green" if mine else "") if row["value"] not in ("", []) else ("unset", "dim")
        out.print(
            Text.assemble((row["variable"], "bold"), " = ", value, (f"  ({row['origin']})" if mine else "", "green"))
        )
        out.print(Padding(Text(row["help"], style="dim"), (0, 0, 0, 4)))
    number = sum(row["origin"] != "default" for row in rows)
    say(spoken("{number} of {all} are set.", number=number, all=len(rows)))


def _settings_rows() -> list[dict[str, Any]]:
    from pydantic import SecretStr

    from growbin_jobs import settings as _settings

    loaded = _settings.load()
    rows = []
    for name, field in _settings.Settings.model_fields.items():
        value = getattr(loaded, name)
        if isinstance(value, SecretStr):
            value = _mask(value.get_secret_value())
        rows.append(_row(_settings.Settings.variable(name), value, loaded.origin(name), field.description))
    return rows


def _rows_of(config: "EngineConfig") -> list[dict[str, Any]]:
    """Return the settings of an engine of somebody's own; what its module says wins over the environment."""
    from growbin_jobs.engine.settings import EngineSettings

    rows = []
    for name, variable in config.variables.items():
        if name == "secrets_dir":  # what lay there is in the others
            continue
        value = getattr(config, "group" if name == "worker_type" else name)
        origin = "environment" if variable in config.environment else "default"
        rows.append(_row(variable, value, origin, EngineSettings.model_fields[name].description))
    return rows


def _row(variable: str, value: Any, origin: str, help_: str | None) -> dict[str, Any]:
    if isinstance(value, str) and "://" in value:
        value = _mask(value)
    elif isinstance(value, Path):
        value = str(value)
    shown = [str(part) for part in value] if isinstance(value, list) else "" if value is None else value
    return {"variable": variable, "value": shown, "origin": origin, "help": help_}


def _mask(secret: str) -> str:
    """Keep of an address what is needed to recognise it; of a key nothing."""
    if "://" not in secret:
        return "********"
    from growbin_jobs.engine.addresses import without_passwords

    return without_passwords(secret)


def check_rules(json: Json = False) -> None:
    """Check the rules: form, names, and that there is one for everything the offline classifier can say.

    \b
    Examples:
      growbin-jobs rules check
      GROWBIN_RULES_DIR=./my-rules growbin-jobs rules check --json
    """
    from rich.table import Table

    from growbin_jobs import settings as _settings
    from growbin_jobs.adapters.rulefiles import load_rules, rules_folder
    from growbin_jobs.ai.offline.labels import OFFLINE_ITEMS
    from growbin_jobs.errors import ConfigurationError
    from growbin_jobs.storage.rulebook import Rulebook

    folder = rules_folder(_settings.load().rules_dir)
    rules = load_rules(folder)
    known = Rulebook(rules).items
    missing = sorted(set(OFFLINE_ITEMS) - known)
    if missing:
        raise ConfigurationError(f"No rule in {folder} for what the offline classifier can say: {', '.join(missing)}")
    if json:
        print_json([rule.model_dump() for rule in rules.values()])
        return
    table = Table(title=f"{count_of(len(rules), 'rule')} in {folder}")
    for column in ("item", "한국어", "English", "category", "steps"):
        table.add_column(column, no_wrap=column == "item", overflow="fold")
    for rule in rules.values():
        table.add_row(rule.item, rule.name.ko, rule.name.en, rule.category, str(len(rule.rules)))
    out.print(table)


def upgrade_database(_engine: EngineName = None) -> None:
    """Bring the central database to the current schema. Safe to run from many places at once.

    \b
    Examples:
      DATABASE_URL=postgresql://growbin@db/growbin growbin-jobs db upgrade
      growbin-jobs db upgrade --engine orders.jobs
    """
    from growbin_jobs.engine.central.upgrade import upgrade

    applied = upgrade(target.central(upgraded=False), target.config().schema)
    for name in applied:
        print_line(spoken("applied {name}", name=name))
    if not applied:
        say(spoken("The database is up to date."))
