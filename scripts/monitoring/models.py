"""Causes that lie in paid calls: model servers, limits, breakers, money."""

from monitoring.alert import Alert
from monitoring.risen import risen

_CALLS = "sum by (model, purpose) (rate(gpt_api_calls_total[10m]))"
_ENOUGH = "sum by (model, purpose) (increase(gpt_api_calls_total[10m])) >= «model_least_calls_in_10m»"
_DENIED = 'gpt_api_calls_total{status=~"denied|no_quota"}'

ALERTS = [
    Alert(
        "GrowbinModelFails", "warning", "5m",
        'sum by (model, purpose) (rate(gpt_api_calls_total{status=~"unusable|failed|timeout|unreachable"}[10m])) / '
        f"{_CALLS} > «model_error_share» and {_ENOUGH}",
        "{{ $value | humanizePercentage }} of {{ $labels.purpose }} calls to {{ $labels.model }} fail.",
        "The model's server has trouble, or it no longer answers in the form that is asked for.",
        "money",
    ),
    Alert(
        "GrowbinModelRateLimited", "warning", "10m",
        'sum by (model, purpose) (rate(gpt_api_calls_total{status="rate_limited"}[10m])) / '
        f"{_CALLS} > «model_rate_limited_share» and {_ENOUGH}",
        "{{ $labels.model }} refuses {{ $value | humanizePercentage }} of {{ $labels.purpose }} calls: too many.",
        "Our own limits are above the server's, or somebody else uses the same account.",
        "money",
    ),
    Alert(
        "GrowbinModelDenied", "critical", "0m",
        f"sum by (model, status) {risen(_DENIED, '10m')} > 0",
        "{{ $labels.model }} refuses us: {{ $labels.status }}.",
        "The key is wrong, or the account has no money. Work waits and loses nothing; a person has to act.",
        "money",
    ),
    Alert(
        "GrowbinBreakerOpen", "warning", "10m",
        'max by (breaker) (growbin_breaker_state{state="open"}) == 1',
        "The breaker {{ $labels.breaker }} is open: nothing is asked there.",
        "It tries by itself whether the server is well again.",
        "money",
    ),
    Alert(
        "GrowbinBreakerNeedsPerson", "critical", "1m",
        'max by (breaker) (growbin_breaker_state{state="operator"}) == 1',
        "The breaker {{ $labels.breaker }} waits for a person.",
        "Something has to be mended that no retry mends: a key, an account, a model that is gone.",
        "money",
    ),
    Alert(
        "GrowbinBudgetNearlySpent", "warning", "0m",
        "max by (budget) (growbin_budget_spent_dollars) / max by (budget) (growbin_budget_cap_dollars) "
        "> «budget_warn_share»",
        "{{ $value | humanizePercentage }} of the budget {{ $labels.budget }} of today is spent.",
        "When it is spent, paid work waits for tomorrow or is given up, as GROWBIN_BUDGET_SPENT says.",
        "money",
    ),
    Alert(
        "GrowbinBudgetSpent", "critical", "1m",
        "max by (budget) (growbin_budget_spent_dollars) / max by (budget) (growbin_budget_cap_dollars) >= 1",
        "The budget {{ $labels.budget }} of today is spent.",
        "Paid work waits until midnight, or until somebody raises the cap.",
        "money",
    ),
    Alert(
        "GrowbinPriceUnknown", "warning", "0m",
        f"sum by (model) {risen('growbin_llm_unpriced_requests_total', '1h')} > 0",
        "{{ $value | humanize }} requests to {{ $labels.model }} have no price.",
        "They are in no budget and in no sum of money.",
        "money",
    ),
    Alert(
        "GrowbinModelEndsSoon", "warning", "1h",
        "min by (model) (growbin_model_days_left) <= «model_warn_days» "
        "and min by (model) (growbin_model_days_left) > «model_error_days»",
        "{{ $labels.model }} leaves its server's API in {{ $value }} days.",
        "Its successor has to be tried and set before; the catalogue names it.",
        "money",
    ),
    Alert(
        "GrowbinModelEnds", "critical", "1h",
        "min by (model) (growbin_model_days_left) <= «model_error_days»",
        "{{ $labels.model }} leaves its server's API in {{ $value }} days, or has left it.",
        "From that day on all work of the model waits, unless a successor is set.",
        "money",
    ),
    Alert(
        "GrowbinLimitSaturated", "warning", "30m",
        "max by (limit) (growbin_limit_used_last_minute) / "
        "(max by (limit) (growbin_limit_units * 60 / growbin_limit_window_seconds) > 0) >= «limit_saturated»",
        "The limit {{ $labels.limit }} has been used up for half an hour.",
        "Analyses wait for it; more pods do not help. Raise the limit if the server allows more.",
        "money",
    ),
]  # fmt: skip
