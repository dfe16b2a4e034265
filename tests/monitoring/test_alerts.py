"""Every alert fires when it should and stays silent when it should: monitoring/alert_tests.yaml through promtool."""

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

from growbin_jobs.operations.model_ends import ERROR_DAYS, WARN_DAYS

ROOT = Path(__file__).parents[2]
RULES = ROOT / "monitoring" / "rules" / "growbin.yaml"
CASES = yaml.safe_load((ROOT / "monitoring" / "alert_tests.yaml").read_text())


@cache
def rules():
    """All rules; read once, since yaml takes its time, so nobody may change them."""
    return tuple(rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"])


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def test_alerts_and_doctor_warn_of_a_models_end_on_the_same_day():
    thresholds = yaml.safe_load((ROOT / "monitoring" / "thresholds.yaml").read_text())

    assert (thresholds["model_warn_days"], thresholds["model_error_days"]) == (WARN_DAYS, ERROR_DAYS)


def promtool(*arguments):
    program = shutil.which("promtool")
    assert program, "promtool is not installed: as root, apt-get install prometheus"
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)


def as_promtool_has_it(name, case):
    """Ask for the alert's own series, so that a case need not repeat labels and texts."""
    outcome, words = next((each, case[each]) for each in ("fires", "silent") if each in case)
    times = case["at"] if isinstance(case["at"], list) else [case["at"]]
    query = f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) > bool 0'
    return {
        "name": f"{name} {outcome}: {words}",
        "interval": case.get("every", "1m"),
        "input_series": [{"series": series, "values": str(values)} for series, values in case["series"].items()],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": time,
                "exp_samples": [{"labels": "{}", "value": 1}] if outcome == "fires" else [],
            }
            for time in times
        ],
    }


def needed(name):
    """The alert, and the recorded series that its expression names: all rules for each case would take a minute."""
    alert = ALERTS[name]
    return [*(rule for rule in rules() if "record" in rule and rule["record"] in alert["expr"]), alert]


def tried(folder, cases):
    files = []
    for name, each in cases.items():
        rule_file = folder / f"{name}.rules.yaml"
        rule_file.write_text(json.dumps({"groups": [{"name": "tried", "rules": needed(name)}]}))  # is YAML, and quick
        for number, case in enumerate(each):
            files.append(folder / f"{name}-{number}.yaml")
            test = {
                "rule_files": [str(rule_file)],
                "evaluation_interval": case.get("every", "1m"),
                "tests": [as_promtool_has_it(name, case)],
            }
            files[-1].write_text(json.dumps(test))
    return promtool("test", "rules", *map(str, files))


def test_the_rules_are_valid():
    done = promtool("check", "rules", str(RULES))

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_that_fires_and_one_that_stays_silent():
    found = {name: {key for case in cases for key in case} for name, cases in CASES.items()}

    assert set(found) == set(ALERTS)
    assert [name for name, keys in found.items() if not {"fires", "silent"} <= keys] == []


def test_alerts_fire_and_stay_silent_as_they_should(tmp_path):
    done = tried(tmp_path, CASES)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_a_wrong_expectation_would_be_found(tmp_path):
    name, cases = next(iter(CASES.items()))
    loud = next(case for case in cases if "fires" in case)
    quiet = next(case for case in cases if "silent" in case)
    swapped = [
        {"silent": "planted", **{key: value for key, value in loud.items() if key != "fires"}},
        {"fires": "planted", **{key: value for key, value in quiet.items() if key != "silent"}},
    ]

    for case in swapped:
        assert tried(tmp_path, {name: [case]}).returncode != 0


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_tells_what_to_do(name):
    alert = ALERTS[name]
    annotations = alert["annotations"]

    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "«" not in str(alert), "a threshold without a number"
    page = ROOT / "docs" / "runbooks" / annotations["runbook_url"].rpartition("/")[2]
    assert page.is_file()
    text = page.read_text()
    assert name in text
    for heading in ("## What it means", "## Look", "## Do"):
        assert heading in text
    dashboard = annotations["dashboard_url"].rpartition("growbin-")[2]
    assert (ROOT / "monitoring" / "dashboards" / f"{dashboard}.json").is_file()


def test_no_runbook_is_left_of_an_alert_that_is_gone():
    pages = {path.name for path in (ROOT / "docs" / "runbooks").glob("growbin-*.md")}

    assert pages == {alert["annotations"]["runbook_url"].rpartition("/")[2] for alert in ALERTS.values()}


def test_names_of_alerts_and_pages_agree():
    for name, alert in ALERTS.items():
        page = alert["annotations"]["runbook_url"].rpartition("/")[2].removesuffix(".md")
        assert "".join(part.capitalize() for part in page.split("-")) == name
        assert re.fullmatch(r"(Growbin[A-Z][A-Za-z]+)", name)
