"""What a dashboard is, and how it becomes Grafana's JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

#: Columns of Grafana's grid.
_WIDTH = 24

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
      title: What it shows.
      help: What it means and when to worry; behind the (i).
      unit: Grafana's name of the unit: ``s``, ``reqps``, ``short``, ``percentunit``, ``bytes``, ``currencyUSD``, …
      queries: PromQL and legend, each.
      kind: ``timeseries`` over time, ``stat`` for one number now, ``table`` for a list now.
      width: Of 24 columns.
      height: In rows of 30 pixels.
      steps: Value and colour from which on it is that colour; the first value is None.
      stacked: Whether the series lie on each other.
    """

    title: str
    help: str
    unit: str
    queries: Sequence[tuple[str, str]]
    kind: Literal["timeseries", "stat", "table"] = "timeseries"
    width: int = 12
    height: int = 8
    steps: Sequence[tuple[float | None, str]] = ((None, "green"),)
    stacked: bool = False

    def json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return it as Grafana has it, at a place of the grid."""
        defaults: dict[str, Any] = {
            "unit": self.unit,
            "thresholds": {
                "mode": "absolute",
                "steps": [{"color": colour, "value": value} for value, colour in self.steps],
            },
        }
        if self.kind == "timeseries":
            defaults["custom"] = {
                "fillOpacity": 25 if self.stacked else 8,
                "showPoints": "never",
                "spanNulls": False,  # missing is not 0
                "stacking": {"mode": "normal" if self.stacked else "none"},
                "thresholdsStyle": {"mode": "line" if len(self.steps) > 1 else "off"},
            }
            defaults["min"] = 0
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.help,
            "datasource": _SOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": _OPTIONS[self.kind],
            "targets": [
                {
                    "refId": chr(ord("A") + at),
                    "datasource": _SOURCE,
                    "expr": " ".join(expr.split()),
                    "legendFormat": legend,
                    "instant": self.kind != "timeseries",
                    "range": self.kind == "timeseries",
                    **({"format": "table"} if self.kind == "table" else {}),
                }
                for at, (expr, legend) in enumerate(self.queries)
            ],
        }


_OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "auto",
    },
    "table": {"showHeader": True, "cellHeight": "sm"},
}


@dataclass(frozen=True)
class Row:
    """Panels beside each other, under a heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Dashboard:
    """One page.

    Attributes:
      name: Of its file and, after ``growbin-``, of its address.
      title: What people see.
      rows: From top to bottom.
      workers: Whether it can be narrowed to some nodes.
    """

    name: str
    title: str
    rows: Sequence[Row]
    workers: bool = True
    links: Sequence[str] = field(default=("overview", "pipeline", "money", "schedule"))

    def json(self) -> dict[str, Any]:
        """Return it as Grafana has it."""
        panels: list[dict[str, Any]] = []
        y = 0
        for row in self.rows:
            panels.append(
                {
                    "id": len(panels) + 1, "type": "row", "title": row.title, "collapsed": False, "panels": [],
                    "gridPos": {"h": 1, "w": _WIDTH, "x": 0, "y": y},
                }
            )  # fmt: skip
            y += 1
            x = tallest = 0
            for panel in row.panels:
                if x + panel.width > _WIDTH:
                    x, y, tallest = 0, y + tallest, 0
                panels.append(panel.json(len(panels) + 1, x, y))
                x, tallest = x + panel.width, max(tallest, panel.height)
            y += tallest
        return {
            "uid": f"growbin-{self.name}",
            "title": self.title,
            "tags": ["growbin"],
            "editable": False,
            "schemaVersion": 39,
            "version": 1,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timezone": "browser",
            "graphTooltip": 1,
            "templating": {"list": [_DATASOURCE, *([_WORKER] if self.workers else [])]},
            "annotations": {"list": [_DEPLOYS]},
            "links": [
                {"type": "link", "title": name, "url": f"/d/growbin-{name}", "keepTime": True, "icon": "dashboard"}
                for name in self.links
                if name != self.name
            ],
            "panels": panels,
        }


_DATASOURCE = {
    "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0,
    "current": {}, "regex": "", "refresh": 1,
}  # fmt: skip
_WORKER = {
    "name": "worker", "label": "Node", "type": "query", "datasource": _SOURCE, "hide": 0, "refresh": 2, "sort": 1,
    "query": {"query": "label_values(growbin_build_info, worker)", "refId": "worker"},
    "includeAll": True, "allValue": ".*", "multi": True, "current": {"text": "All", "value": "$__all"},
}  # fmt: skip
#: A line where a version begins to run.
_DEPLOYS = {
    "name": "Versions", "enable": True, "datasource": _SOURCE, "iconColor": "purple", "titleFormat": "{{version}}",
    "expr": "count by (version) (growbin_build_info) unless count by (version) (growbin_build_info offset 1m)",
    "step": "60s",
}  # fmt: skip
