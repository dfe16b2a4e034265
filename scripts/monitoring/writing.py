"""Writes the files that Prometheus, its operator and Grafana read."""

import json
import sys
from typing import Any

import yaml

from monitoring import models, nodes, objectives, work
from monitoring.alert import Alert
from monitoring.dashboards import dashboards
from monitoring.thresholds import ROOT, thresholds

_HEAD = "# Written by scripts/write_monitoring from scripts/monitoring and monitoring/thresholds.yaml; edit those.\n"


def all_alerts() -> list[Alert]:
    """Return every alert, those on objectives first."""
    return [*objectives.alerts(thresholds()), *work.ALERTS, *nodes.ALERTS, *models.ALERTS]


def groups() -> list[dict[str, Any]]:
    """Return the groups of rules."""
    numbers = thresholds()
    tables = (
        ("growbin-objectives", objectives.recording_rules(numbers), objectives.alerts(numbers)),
        ("growbin-work", work.recording_rules(numbers), work.ALERTS),
        ("growbin-nodes", [], nodes.ALERTS),
        ("growbin-models", [], models.ALERTS),
    )
    return [
        {"name": name, "rules": [*recorded, *(alert.rule(numbers) for alert in alerts)]}
        for name, recorded, alerts in tables
    ]


def files() -> dict[str, str]:
    """Return every file's text by its path from the project's root."""
    rules = groups()
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "growbin-jobs", "labels": {"app.kubernetes.io/name": "growbin-jobs"}},
        "spec": {"groups": rules},
    }
    written = {
        "monitoring/rules/growbin.yaml": _HEAD + _yaml({"groups": rules}),
        "monitoring/prometheusrule.yaml": _HEAD + _yaml(resource),
    }
    for name, dashboard in dashboards().items():
        written[f"monitoring/dashboards/{name}.json"] = json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n"
    return written


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=120, allow_unicode=True)


def main(arguments: list[str]) -> int:
    """Write what has changed, or with ``--check`` say so; return the exit code."""
    if set(arguments) - {"--check"}:
        print("Usage: scripts/write_monitoring [--check]", file=sys.stderr)
        return 64
    stale = 0
    for name, text in files().items():
        path = ROOT / name
        same = path.exists() and path.read_text() == text
        stale += not same
        print(f"{'same   ' if same else 'stale  ' if arguments else 'written'} {name}")
        if not same and not arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if arguments and stale else 0
