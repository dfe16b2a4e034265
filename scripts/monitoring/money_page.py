"""The dashboard of paid calls: what they cost, how they end, what limits them."""

from monitoring.dashboard import Dashboard, Panel, Row

PAGE = Dashboard(
    "money",
    "Growbin · money and models",
    (
        Row("Money", (
            Panel(
                "Cost today", "Cost of requests since midnight, of models with a price.", "currencyUSD",
                (("sum(max by (model) (growbin_llm_cost_today_dollars))", "today"),), "stat", 6, 5,
            ),
            Panel(
                "Budgets spent", "Share of each budget of today that is spent or reserved.", "percentunit",
                (("max by (budget) (growbin_budget_spent_dollars) / max by (budget) (growbin_budget_cap_dollars)",
                  "{{budget}}"),), "stat", 6, 5, ((None, "green"), (0.8, "orange"), (1.0, "red")),
            ),
            Panel(
                "Answers not paid for, 1 h", "Vision answers that were at hand: the same picture came again.", "short",
                (("sum(increase(gpt_cache_hits_total[1h]))", "hits"),), "stat", 6, 5,
            ),
            Panel(
                "Requests without a price, 1 h", "They are in no sum of money and in no budget.", "short",
                (("sum(increase(growbin_llm_unpriced_requests_total[1h]))", "requests"),), "stat", 6, 5,
                ((None, "green"), (1.0, "red")),
            ),
            Panel(
                "Cost an hour", "At the rate of each moment, by model.", "currencyUSD",
                (("sum by (model) (rate(growbin_llm_cost_dollars_total[$__rate_interval])) * 3600", "{{model}}"),),
                stacked=True,
            ),
            Panel(
                "Tokens", "Tokens a second. Cached ones are part of the input, reasoning of the output.", "short",
                (("sum by (model, type) (rate(growbin_llm_tokens_total[$__rate_interval]))", "{{model}} {{type}}"),),
            ),
        )),
        Row("Model servers", (
            Panel(
                "Models end in", "Days until a model in use leaves its server's API, where that is known.", "d",
                (("min by (model) (growbin_model_days_left)", "{{model}}"),), "stat", 6, 5,
                ((None, "red"), (15.0, "orange"), (61.0, "green")),
            ),
            Panel(
                "Requests", "Requests to model servers, by how they end.", "reqps",
                (("sum by (purpose, status) (rate(gpt_api_calls_total[$__rate_interval]))", "{{purpose}} {{status}}"),),
                stacked=True,
            ),
            Panel(
                "Duration", "Of requests, failures included.", "s",
                tuple(
                    (
                        f"histogram_quantile({share}, sum by (le, purpose) "
                        "(rate(growbin_llm_request_duration_seconds_bucket[$__rate_interval])))",
                        f"{{{{purpose}}}} {share:.0%}",
                    )
                    for share in (0.5, 0.95)
                ),
            ),
            Panel(
                "Calls in flight", "Mean number of requests that run at the same time.", "short",
                (("sum by (purpose) (rate(growbin_llm_request_duration_seconds_sum[$__rate_interval]))",
                  "{{purpose}}"),),
            ),
            Panel(
                "Breakers", "1 for the state that a breaker is in, where it is not closed.", "short",
                (('max by (breaker, state) (growbin_breaker_state{state!="closed"}) > 0', "{{breaker}} {{state}}"),),
            ),
        )),
        Row("Limits", (
            Panel(
                "Used of limits", "Share that the last minute used. At 100 % analyses wait.", "percentunit",
                (("max by (limit) (growbin_limit_used_last_minute) / "
                  "(max by (limit) (growbin_limit_units * 60 / growbin_limit_window_seconds) > 0)", "{{limit}}"),),
                width=8, steps=((None, "green"), (0.95, "orange")),
            ),
            Panel(
                "Analyses at a limit", "They wait for it, or are being answered.", "short",
                (("max by (limit) (growbin_limit_waiting_analyses)", "{{limit}}"),), width=8,
            ),
            Panel(
                "Next turn in", "Seconds until the next unit is free, and for which a server asked to wait.", "s",
                (("max by (limit) (growbin_limit_line_seconds)", "{{limit}} line"),
                 ("max by (limit) (growbin_limit_held_seconds)", "{{limit}} held")), width=8,
            ),
        )),
    ),
    workers=False,
)  # fmt: skip
