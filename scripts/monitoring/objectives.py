"""What users are promised, and alerts on how fast the promise is being used up.

The windows and factors are those of Google's SRE workbook, chapter 5 ("Alerting on SLOs"): a page when 2 % of a month's
errors are spent in an hour or 5 % in six, a ticket when 10 % are spent in a day or three. The short window makes an
alert end soon after the trouble has.
"""

from typing import Any

from monitoring.alert import Alert

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

#: Severity, then long window, short window, factor.
_PAGES = (("1h", "5m", 14.4), ("6h", "30m", 6))
_TICKETS = (("1d", "2h", 3), ("3d", "6h", 1))


def recording_rules(numbers: dict[str, Any]) -> list[dict[str, str]]:
    """Return the shares of bad analyses in each window, which alerts and dashboards use."""
    bound = numbers["fast_seconds"]
    rules = []
    for window in WINDOWS:
        failed = f'(sum(rate(growbin_analyses_total{{status="failed"}}[{window}])) or vector(0))'
        rules.append(
            {
                "record": f"growbin:analyses_failed:ratio_rate{window}",
                "expr": f"{failed} / sum(rate(growbin_analyses_total[{window}]))",
            }
        )
        # `60` or `60.0`: generations of exporters write it differently.
        fast = f'sum(rate(growbin_analysis_duration_seconds_bucket{{le=~"{bound}([.]0)?"}}[{window}]))'
        rules.append(
            {
                "record": f"growbin:analyses_slow:ratio_rate{window}",
                "expr": f"1 - {fast} / sum(rate(growbin_analysis_duration_seconds_count[{window}]))",
            }
        )
    return rules


def alerts(numbers: dict[str, Any]) -> list[Alert]:
    """Return the alerts on both objectives."""
    failures = 'increase(growbin_analyses_total{{status="failed"}}[{long}])'
    lates = (
        "increase(growbin_analysis_duration_seconds_count[{long}]) - ignoring (le) "
        'increase(growbin_analysis_duration_seconds_bucket{{le=~"'
        + str(numbers["fast_seconds"])
        + '([.]0)?"}}[{long}])'
    )
    failing = (round(1 - numbers["success"], 6), "growbin:analyses_failed:ratio_rate", failures)
    slow = (round(1 - numbers["fast"], 6), "growbin:analyses_slow:ratio_rate", lates)
    return [
        Alert(
            "GrowbinAnalysesFail", "critical", "2m", _burning(*failing, _PAGES, numbers),
            "{{ $value | humanizePercentage }} of analyses fail: a month's share is spent within days.",
            "People get no advice. The dead letters' reasons tell which stage fails and why.",
            "overview",
        ),
        Alert(
            "GrowbinAnalysesFailSlowly", "warning", "15m", _burning(*failing, _TICKETS, numbers),
            "{{ $value | humanizePercentage }} of analyses fail: the month will not keep its objective.",
            "More than «success» of analyses are to succeed in «days» days. Look at the dead letters' reasons.",
            "overview",
        ),
        Alert(
            "GrowbinAnalysesSlow", "critical", "2m", _burning(*slow, _PAGES, numbers),
            "{{ $value | humanizePercentage }} of analyses take longer than «fast_seconds» s.",
            "People wait. The pipeline's dashboard tells which stage waits or runs for long.",
            "pipeline",
        ),
        Alert(
            "GrowbinAnalysesSlowSlowly", "warning", "15m", _burning(*slow, _TICKETS, numbers),
            "{{ $value | humanizePercentage }} of analyses take longer than «fast_seconds» s: the month will not keep "
            "its objective.",
            "«fast» of analyses are to have their advice within «fast_seconds» s. Look at waits and runs by stage.",
            "pipeline",
        ),
    ]  # fmt: skip


def _burning(
    budget: float, record: str, bad: str, windows: tuple[tuple[str, str, float], ...], numbers: dict[str, Any]
) -> str:
    """The expression: any pair of windows in which the budget is spent so many times too fast, with enough bad ones."""
    parts = [
        f"({record}{long} > {round(factor * budget, 6)} and {record}{short} > {round(factor * budget, 6)} "
        f"and on () sum({bad.format(long=long)}) >= {numbers['least_bad']})"
        for long, short, factor in windows
    ]
    return " or ".join(parts)
