"""Dashboards and rules use what is shown, and nothing else; they are current, and complete as Grafana's linter asks."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.monitoring.test_alerts import ROOT, promtool, rules

from growbin_jobs.metrics.catalogue import CATALOGUE
from growbin_jobs.names import GROUPS

FOLDER = ROOT / "monitoring" / "dashboards"
NAMES = ("overview", "pipeline", "money", "schedule")
DASHBOARDS = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in NAMES}

#: Prometheus's own.
FOREIGN = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate"}}

#: Functions and words of PromQL that stand where a metric could.
WORDS = {
    "sum", "max", "min", "count", "by", "on", "ignoring", "or", "and", "unless", "without", "bool", "offset", "rate",
    "increase", "absent", "histogram_quantile", "vector", "time", "min_over_time", "sum_over_time", "count_over_time",
    "group_left", "predict_linear", "label_values",
}  # fmt: skip

panels = pytest.mark.parametrize(
    "panel",
    [panel for page in DASHBOARDS.values() for panel in page["panels"] if panel["type"] != "row"],
    ids=lambda panel: panel["title"],
)


def recorded():
    return {rule["record"] for rule in rules() if "record" in rule}


def shown():
    """Every series that is shown, with the labels of its samples."""
    found = dict(FOREIGN)
    for name, metric in CATALOGUE.items():
        labels = {*metric.shown_labels, "instance", "job"}
        if metric.kind == "histogram":
            found |= {f"{name}_bucket": {*labels, "le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[name] = labels
    return found | {name: {"group"} for name in recorded()}


def without_variables(expr):
    return expr.replace("$__rate_interval", "5m").replace("$worker", ".*")


def faults_of(expr):
    """Names that nobody shows, and labels or values that they do not have."""
    expr = without_variables(expr)
    known = shown()
    found = []
    for name, selector in re.findall(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}", expr):
        for label, operator, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', selector):
            if label not in known.get(name, {label}):
                found.append(f"{name} has no label {label}")
            closed = (CATALOGUE[name].values or {}).get(label) if name in CATALOGUE else None
            if closed and operator in ("=", "!="):
                found += [f"{name}: {label} is never {value}"] * (value not in closed)
            if closed and operator in ("=~", "!~"):
                found += [f"{name}: {label} is never {part}" for part in value.split("|") if part not in closed]
            if label == "queue":
                queues = {queue for group in GROUPS.values() for queue in group.queues}
                found += [f"no queue {part}" for part in value.split("|") if part not in queues]
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", expr)
    grouped = re.findall(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)", bare)
    bare = re.sub(r"\b(by|on|ignoring|without)\s*\([^)]*\)", "", bare)
    used = set(re.findall(r"(?<![\d.])\b[a-zA-Z_:][\w:]*", bare)) - WORDS
    found += [f"{name} is not shown" for name in used if name not in known]
    labels = {label for name in used for label in known.get(name, ())}
    found += [
        f"no label {part.strip()}"
        for group in grouped
        for part in group.split(",")
        if part.strip() not in labels | {""}
    ]
    return found


def test_the_files_are_current():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "write_monitoring"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_and_the_operator_have_the_same_rules():
    resource = yaml.safe_load((ROOT / "monitoring" / "prometheusrule.yaml").read_text())
    plain = yaml.safe_load((ROOT / "monitoring" / "rules" / "growbin.yaml").read_text())

    assert resource["spec"] == plain


def test_rules_name_only_what_is_shown():
    found = {rule.get("alert") or rule["record"]: faults_of(rule["expr"]) for rule in rules()}

    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize(
    "expr",
    [
        "rate(growbin_taks_total[5m])",
        'growbin_tasks_total{statu="failed"}',
        'growbin_tasks_total{status="exploded"}',
        'growbin_queue_messages{queue="storage"}',
        "sum by (nowhere) (growbin_tasks_total)",
    ],
)
def test_a_planted_wrong_name_is_found(expr):
    assert faults_of(expr)


def test_every_expression_is_promql(tmp_path):
    exprs = [
        without_variables(target["expr"])
        for page in DASHBOARDS.values()
        for panel in page["panels"]
        for target in panel.get("targets", [])
    ] + [without_variables(row["expr"]) for page in DASHBOARDS.values() for row in page["annotations"]["list"]]
    file = tmp_path / "exprs.yaml"

    def checked(texts):
        each = [{"record": f"tried:{number}", "expr": text} for number, text in enumerate(texts)]
        file.write_text(yaml.safe_dump({"groups": [{"name": "tried", "rules": each}]}))
        return promtool("check", "rules", "--lint=none", str(file))

    assert len(exprs) > 50
    done = checked(exprs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checked(["sum(rate(growbin_tasks_total[5m])"]).returncode != 0


@panels
def test_a_panel_names_only_what_is_shown(panel):
    assert [fault for target in panel["targets"] for fault in faults_of(target["expr"])] == []


@panels
def test_a_panel_is_complete(panel):
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["legendFormat"]
        assert target["datasource"]["uid"] == "${datasource}"
        # A fixed window would hide what happens between two points, or show nothing on a coarse scale.
        if panel["type"] == "timeseries":
            assert set(re.findall(r"\[([^\]]+)\]", target["expr"])) <= {"$__rate_interval"}


@panels
def test_counters_are_asked_for_their_rate(panel):
    for target in panel["targets"]:
        for name in re.findall(r"[a-z_]+(?:_total|_bucket|_sum|_count)\b", target["expr"]):
            if (
                name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") in CATALOGUE
                or name in CATALOGUE
            ):
                assert re.search(rf"(rate|increase)\({name}\b", target["expr"]), name


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_is_found_and_fits(name):
    page = DASHBOARDS[name]

    assert page["uid"] == f"growbin-{name}"
    assert page["editable"] is False
    assert {link["url"] for link in page["links"]} == {f"/d/growbin-{other}" for other in NAMES if other != name}
    used = {place for panel in page["panels"] for target in panel.get("targets", []) for place in [target["expr"]]}
    variables = {row["name"] for row in page["templating"]["list"]}
    assert ("worker" in variables) == any("$worker" in expr for expr in used)
    assert len({panel["id"] for panel in page["panels"]}) == len(page["panels"])
    taken = set()
    for panel in page["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        columns, rows = (range(place[at], place[at] + place[size]) for at, size in (("x", "w"), ("y", "h")))
        cells = {(x, y) for x in columns for y in rows}
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells


def test_kustomize_ships_every_dashboard():
    text = Path(ROOT / "monitoring" / "kustomization.yaml").read_text()

    assert {f"dashboards/{name}.json" for name in NAMES} == set(re.findall(r"dashboards/\w+\.json", text))
    assert {path.stem for path in FOLDER.glob("*.json")} == set(NAMES)
