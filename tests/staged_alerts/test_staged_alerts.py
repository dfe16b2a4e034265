"""A real Prometheus fires the right alerts in staged failures; that there is a play for every alert of the project."""

from collections import Counter
from pathlib import Path

import pytest

from staged_alerts.__main__ import PLAYS
from staged_alerts.faster import faster
from staged_alerts.play import FACTOR, run
from staged_alerts.prometheus import alert_names, rules
from staged_alerts.work import BAD_DAY


@pytest.mark.before_release
@pytest.mark.timeout(300)
def test_the_failures_of_a_bad_day_fire_their_alerts_and_no_other(tmp_path: Path) -> None:
    seen = run(BAD_DAY, tmp_path)

    assert [each.stage for each in seen] == list(BAD_DAY.stages)


def test_there_is_a_play_for_every_alert() -> None:
    assert frozenset().union(*(play.fires for play in PLAYS)) == alert_names()
    assert max(Counter(play.name for play in PLAYS).values()) == 1


def test_faster_rules_differ_in_times_only() -> None:
    group = {
        "name": "g",
        "rules": [
            {"record": "r", "expr": 'rate(a{b="c"}[5m]) > 300 unless a offset 1h'},
            {"alert": "A", "expr": "predict_linear(a[6h], 24 * 3600) < 0 and min_over_time(b[10m]) > 50", "for": "10m"},
            {"alert": "B", "expr": "c > 0", "for": "0m"},
        ],
    }

    [found] = faster([group], 60)

    assert [rule["expr"] for rule in found["rules"]] == [
        'rate(a{b="c"}[5000ms]) > 300 unless a offset 60000ms',
        "predict_linear(a[360000ms], (24 * 3600) / 60) < 0 and min_over_time(b[10000ms]) > 50",
        "c > 0",
    ]
    assert [rule.get("for") for rule in found["rules"]] == [None, "10000ms", "0ms"]
    assert [len(group["rules"]) for group in faster(rules(), FACTOR)] == [len(group["rules"]) for group in rules()]
