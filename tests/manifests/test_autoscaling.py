"""Autoscalers have the numbers of the requirements, agree with each other, and when played do what is asked."""

import sys
from itertools import pairwise

import pytest
import yaml
from tests.manifests.conftest import ROOT, named
from tests.monitoring.test_alerts import promtool, rules

from growbin_jobs.names import AI, GROUPS, STORAGE

sys.path.insert(0, str(ROOT / "scripts"))

from autoscaling.command import groups
from autoscaling.simulation import external_target, play, scaler

both = pytest.mark.parametrize("group", GROUPS)


def slots(name):
    return GROUPS[name].processes * GROUPS[name].threads


# --- numbers


@both
def test_the_numbers_are_those_of_the_requirements(group):
    spec = scaler(f"growbin-{group}")

    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 10)
    cpu = next(metric["resource"] for metric in spec["metrics"] if metric["type"] == "Resource")
    assert (cpu["name"], cpu["target"]["averageUtilization"]) == ("cpu", 70)
    up, down = spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"]
    assert up["stabilizationWindowSeconds"] == 60
    assert {"type": "Percent", "value": 50, "periodSeconds": 60} in up["policies"]
    assert down["stabilizationWindowSeconds"] == 300
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


@both
def test_a_pod_s_share_is_part_of_its_slots(group):
    share = yaml.safe_load((ROOT / "monitoring" / "thresholds.yaml").read_text())["busy_share"]

    assert external_target(scaler(f"growbin-{group}")) == pytest.approx(share * slots(group), rel=0.01)


@both
def test_keda_has_the_same_numbers(rendered, group):
    mine = scaler(f"growbin-{group}")
    other = named(rendered("keda"), "ScaledObject", f"growbin-{group}")["spec"]

    assert (other["minReplicaCount"], other["maxReplicaCount"]) == (mine["minReplicas"], mine["maxReplicas"])
    assert other["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == mine["behavior"]
    triggers = {trigger["type"]: trigger for trigger in other["triggers"]}
    assert triggers["cpu"]["metadata"]["value"] == "70"
    prometheus = triggers["prometheus"]
    assert float(prometheus["metadata"]["threshold"]) == external_target(mine)
    assert prometheus["metricType"] == "AverageValue", "fallback works with no other"
    assert prometheus["metadata"]["ignoreNullValues"] == "false", "what is missing is not 0"
    assert other["fallback"]["behavior"] == "currentReplicasIfHigher"
    assert other["minReplicaCount"] >= 1


def test_the_metric_that_is_asked_for_is_recorded(rendered):
    recorded = {(rule["record"], rule["labels"]["group"]) for rule in rules() if "group" in rule.get("labels", {})}
    adapter = named(rendered("prometheus-operator"), "ConfigMap", "growbin-prometheus-adapter-rules")
    rule = yaml.safe_load(adapter["data"]["config.yaml"])["externalRules"][0]

    for group in GROUPS:
        external = next(m["external"] for m in scaler(f"growbin-{group}")["metrics"] if m["type"] == "External")
        assert external["metric"]["name"] == rule["name"]["as"]
        assert (rule["seriesQuery"], external["metric"]["selector"]["matchLabels"]["group"]) in recorded
        query = named(rendered("keda"), "ScaledObject", f"growbin-{group}")["spec"]["triggers"][1]["metadata"]["query"]
        assert query == f'{rule["seriesQuery"]}{{group="{group}"}}'


# --- played


def played(group, times, *, load=1.0, limit=None, signal="slots", minutes=15, pods=2):
    """A quarter of an hour's burst of so many times the steady load, after ten minutes; 90 minutes in all."""
    made = groups(group, limit)
    steady = load * made.capacity
    end = 600 + 60 * minutes
    moments = play(
        made,
        scaler(f"growbin-{group}"),
        lambda now: steady * (times if 600 <= now < end else 1),
        5400,
        signal,
        pods,
    )
    return made, moments, end


@both
@pytest.mark.parametrize("load", [0.1, 1.0, 1.2])
def test_a_steady_load_of_one_pod_stays_at_two(group, load):
    _, moments, _ = played(group, 1, load=load)

    assert {moment.pods for moment in moments} == {2}


@both
def test_a_burst_brings_all_pods_within_three_minutes_and_they_go_again(group):
    made, moments, end = played(group, 10)
    most = next(moment.at for moment in moments if moment.pods == 10)
    first_down = next(each.at for before, each in pairwise(moments) if each.pods < before.pods)
    back = next(moment.at for moment in moments if moment.at > end and moment.pods == 2)

    assert most - 600 <= 180
    assert first_down >= end, "nothing is taken away while the burst lasts"
    assert back - first_down <= 600
    assert max(moment.pods for moment in moments) == 10
    assert {moment.pods for moment in moments if moment.at > back} == {2}, "no swinging"
    assert made.ready == pytest.approx(0, abs=1)


@both
def test_prefetched_messages_ask_for_no_pods(group):
    """Two pods that hold all that they may, with 60 % of their capacity arriving."""
    made = groups(group)
    made.queue.append([0.0, 2.0 * made.prefetch])
    moments = play(made, scaler(f"growbin-{group}"), lambda _now: 1.2 * made.capacity, 1800)

    assert {moment.pods for moment in moments} == {2}


def test_a_queue_s_length_with_100_a_pod_would_run_away():
    _, moments, _ = played("storage", 1, signal="length")

    assert moments[-1].pods == 10, "so the test above proves something"


def test_no_pod_is_added_for_work_that_a_limit_of_paid_calls_holds():
    _, moments, _ = played("ai", 10, load=0.3, limit=100)

    assert max(moment.ready for moment in moments) > 1000
    assert {moment.pods for moment in moments} == {2}


def test_the_prefetch_is_that_of_the_code():
    assert groups("storage").prefetch == STORAGE.processes * STORAGE.threads * STORAGE.prefetch_factor == 2000
    assert groups("ai").prefetch == AI.processes * AI.threads * AI.prefetch_factor == 84


# --- the rule


RULE_CASES = [
    ("busy slots and what waits", {
        'growbin_worker_slots{worker="a",group="storage",state="busy"}': 600,
        'growbin_worker_slots{worker="b",group="storage",state="busy"}': 500,
        'growbin_worker_slots{worker="b",group="storage",state="free"}': 500,
        'growbin_queue_messages{queue="user_input",state="ready"}': 50,
        'growbin_queue_messages{queue="vision_analysis",state="ready"}': 7000,
    }, "storage", 1150),
    ("two exporters for a moment", {
        'growbin_worker_slots{worker="a",group="storage",state="busy"}': 100,
        'growbin_queue_messages{queue="user_input",state="ready",instance="x"}': 50,
        'growbin_queue_messages{queue="user_input",state="ready",instance="y"}': 40,
    }, "storage", 150),
    ("queues are not known: missing, not 0", {
        'growbin_worker_slots{worker="a",group="storage",state="busy"}': 100,
    }, "storage", None),
    ("no limit holds the calls", {
        'growbin_worker_slots{worker="a",group="ai",state="busy"}': 80,
        'growbin_queue_messages{queue="vision_analysis",state="ready"}': 300,
        'growbin_limit_used_last_minute{limit="vision"}': 60,
        'growbin_limit_units{limit="vision"}': 100,
        'growbin_limit_window_seconds{limit="vision"}': 60,
        'growbin_llm_request_duration_seconds_sum{model="m",purpose="vision"}': "0+3000x20",
    }, "ai", 380),
    ("a limit holds the calls: what really runs", {
        'growbin_worker_slots{worker="a",group="ai",state="busy"}': 168,
        'growbin_queue_messages{queue="vision_analysis",state="ready"}': 3000,
        'growbin_limit_used_last_minute{limit="vision"}': 100,
        'growbin_limit_units{limit="vision"}': 100,
        'growbin_limit_window_seconds{limit="vision"}': 60,
        'growbin_llm_request_duration_seconds_sum{model="m",purpose="vision"}': "0+3000x20",
    }, "ai", 50),
    ("limits are off", {
        'growbin_worker_slots{worker="a",group="ai",state="busy"}': 80,
        'growbin_queue_messages{queue="vision_analysis",state="ready"}': 300,
        'growbin_limit_used_last_minute{limit="vision"}': 900,
        'growbin_limit_units{limit="vision"}': 0,
        'growbin_limit_window_seconds{limit="vision"}': 60,
    }, "ai", 380),
]  # fmt: skip


def test_the_recorded_metric_is_what_the_work_needs(tmp_path):
    file = tmp_path / "rules.yaml"
    wanted = [rule for rule in rules() if rule.get("record") == "growbin:work_slots:sum"]
    file.write_text(yaml.safe_dump({"groups": [{"name": "tried", "rules": wanted}]}))
    tests = [
        {
            "name": words,
            "interval": "1m",
            "input_series": [
                {"series": series, "values": value if isinstance(value, str) else f"{value}x20"}
                for series, value in values.items()
            ],
            "promql_expr_test": [
                {
                    "expr": f'growbin:work_slots:sum{{group="{group}"}}',
                    "eval_time": "15m",
                    "exp_samples": []
                    if expected is None
                    else [{"labels": f'growbin:work_slots:sum{{group="{group}"}}', "value": expected}],
                }
            ],
        }
        for words, values, group, expected in RULE_CASES
    ]
    cases = tmp_path / "tests.yaml"
    cases.write_text(yaml.safe_dump({"rule_files": [str(file)], "evaluation_interval": "1m", "tests": tests}))
    done = promtool("test", "rules", str(cases))

    assert done.returncode == 0, done.stdout + done.stderr
