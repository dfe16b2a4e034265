"""Reads the rules, one file ``rules/{item}.json`` for each item, and checks them all at start."""

from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from growbin_jobs.errors import ConfigurationError
from growbin_jobs.messages import GENERAL_ITEM, Rule


def rules_folder(configured: Path | None) -> Path:
    """Return the folder of the rules: the configured one, or the one that is installed with the program.

    Raises:
      ConfigurationError: When there are no rules in it.
    """
    # In the source tree this is a link to the top-level folder.
    folder = configured or Path(str(files("growbin_jobs"))) / "rules"
    if (folder / f"{GENERAL_ITEM}.json").is_file():
        return folder
    raise ConfigurationError(f"No rules in {folder}: it must hold {GENERAL_ITEM}.json. Check GROWBIN_RULES_DIR.")


def load_rules(folder: Path) -> dict[str, Rule]:
    """Return every rule of a folder, by item.

    Raises:
      ConfigurationError: With one line for each thing that is wrong in a file.
    """
    rules: dict[str, Rule] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            rule = Rule.model_validate_json(path.read_bytes())
        except ValidationError as error:
            problems += [f"{path.name}: {_place(part['loc'])}: {part['msg']}" for part in error.errors()]
            continue
        if rule.item != path.stem:
            problems.append(f"{path.name}: item: is {rule.item!r}, must be the file's name, {path.stem!r}")
        rules[path.stem] = rule
    problems += _ambiguous(rules)
    if GENERAL_ITEM not in rules and not problems:
        problems.append(f"{GENERAL_ITEM}.json: missing; it serves every item that has no rule of its own")
    if problems:
        raise ConfigurationError(f"Wrong rules in {folder}.\n  " + "\n  ".join(problems))
    return rules


def _ambiguous(rules: dict[str, Rule]) -> list[str]:
    owner: dict[str, str] = dict.fromkeys(rules, "")
    problems = []
    for item, rule in rules.items():
        for alias in rule.aliases:
            if alias in owner:
                problems.append(f"{item}.json: aliases: {alias!r} already means {owner[alias] or alias}.json")
            owner[alias] = item
    return problems


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "file"
