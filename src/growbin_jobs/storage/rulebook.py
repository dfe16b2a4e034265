"""Stage 3: finds the rule for an item."""

from collections.abc import Mapping

from growbin_jobs.messages import GENERAL_ITEM, Rule


class Rulebook:
    """All rules, in memory.

    An item comes from a model's answer. It selects one of the loaded rules and never becomes a path, so an item such as
    ``../../etc/passwd`` is just one more unknown item.

    Parameters:
      rules: By item; the general rule must be among them.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = {alias: rule for rule in rules.values() for alias in rule.aliases} | dict(rules)
        self._general = self._rules[GENERAL_ITEM]

    @property
    def items(self) -> frozenset[str]:
        """Every item that has a rule, by its own name or another one."""
        return frozenset(self._rules)

    def lookup(self, item: str) -> Rule:
        """Return the item's rule, or the general one."""
        return self._rules.get(item, self._general)
