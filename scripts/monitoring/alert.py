"""What an alert is, and how it becomes a rule of Prometheus."""

import re
from dataclasses import dataclass
from typing import Any, Literal

#: Words that the expression and the texts may hold as «name»: numbers of monitoring/thresholds.yaml.
_NAMED = re.compile(r"«(\w+)»")


@dataclass(frozen=True)
class Alert:
    """One row of the tables.

    Attributes:
      name: CamelCase with ``Growbin`` before it; its runbook has the same name with dashes.
      severity: ``critical`` wakes somebody, ``warning`` waits for the morning.
      lasts: For how long the expression has to hold.
      expr: PromQL; «name» stands for a threshold.
      summary: One sentence, with ``{{ $labels.… }}``.
      meaning: What it means for users, and what to do first; the runbook has the rest.
      dashboard: Which one shows more.
    """

    name: str
    severity: Literal["critical", "warning"]
    lasts: str
    expr: str
    summary: str
    meaning: str
    dashboard: Literal["overview", "pipeline", "money", "schedule"]

    @property
    def page(self) -> str:
        """The name of its runbook, without ending."""
        return "growbin-" + re.sub(r"(?<=[a-z])(?=[A-Z])", "-", self.name.removeprefix("Growbin")).lower()

    def rule(self, numbers: dict[str, Any]) -> dict[str, Any]:
        """Return it as a rule.

        Parameters:
          numbers: Thresholds by name.
        """

        def filled(text: str) -> str:
            return _NAMED.sub(lambda found: str(numbers[found[1]]), text)

        return {
            "alert": self.name,
            "expr": " ".join(filled(self.expr).split()),
            "for": self.lasts,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": filled(self.summary),
                "description": filled(self.meaning),
                "runbook_url": f"{numbers['runbooks']}/{self.page}.md",
                "dashboard_url": f"{numbers['dashboards']}/growbin-{self.dashboard}",
            },
        }
