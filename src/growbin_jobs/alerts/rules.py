"""The rules that can be watched, as a table, and how thresholds are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from growbin_jobs.errors import ConfigurationError

#: The rule of messages that somebody sends to try a webhook.
TEST: Final = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule.

    Attributes:
      name: Its word.
      threshold: Where none is said; None: it has none.
      unit: Of the threshold.
      grows: What was told is told again once it is twice as much.
      lasts: It is over some day, and that is told too.
    """

    name: str
    threshold: float | None
    unit: str = ""
    grows: bool = False
    lasts: bool = True


RULES: Final[dict[str, Rule]] = {
    rule.name: rule
    for rule in (
        Rule(name="new_error_group", threshold=None, lasts=False),
        Rule(name="dead_letters", threshold=10, unit="open dead letters", grows=True),
        Rule(name="queue_wait", threshold=300, unit="s", grows=True),
        Rule(name="budget", threshold=80, unit="%"),
        Rule(name="late_job", threshold=300, unit="s"),
    )
}


def thresholds(wanted: Iterable[str]) -> dict[str, float | None]:
    """Return rules with their thresholds from texts such as ``queue_wait=300`` or ``new_error_group``; none: all.

    Raises:
      ConfigurationError: There is no such rule, or the threshold is none.
    """
    return checked({name: text for name, _, text in (each.partition("=") for each in wanted)} or dict.fromkeys(RULES))


def checked(wanted: Mapping[str, float | str | None]) -> dict[str, float | None]:
    """Return thresholds by rule; an empty one is the rule's own.

    Raises:
      ConfigurationError: There is no such rule, or the threshold is none.
    """
    found: dict[str, float | None] = {}
    for name, given in wanted.items():
        rule = RULES.get(name.strip())
        if rule is None:
            raise ConfigurationError(f"There is no rule {name.strip()!r}. There are: {', '.join(RULES)}.")
        found[rule.name] = _threshold(rule, given)
    if not found:
        raise ConfigurationError("A webhook needs a rule.")
    return found


def _threshold(rule: Rule, given: float | str | None) -> float | None:
    if given is None or (isinstance(given, str) and not given.strip()):
        return rule.threshold
    if rule.threshold is None:
        raise ConfigurationError(f"{rule.name} has no threshold.")
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1e9:  # nan too
        raise ConfigurationError(f"The threshold of {rule.name} is a number above 0 ({rule.unit}).")
    return value
