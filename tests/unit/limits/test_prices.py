import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.usage import Usage
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.model_catalog import default_model

DAY = date(2026, 11, 28)
M = 1_000_000


@pytest.mark.parametrize(
    ("model", "usage", "options", "micro_dollars"),
    [
        ("gpt-6-luna", Usage(M, 0, 0, 0), {}, 2 * 100_000),  # above 272,000 all of it costs twice
        ("gpt-6-luna", Usage(100_000, 0, 0, 0), {}, 10_000),
        ("gpt-6-luna", Usage(272_000, 0, 0, 0), {}, 27_200),
        ("gpt-6-luna", Usage(272_001, 0, 0, 0), {}, 54_401),
        ("gpt-6-luna", Usage(300_000, 0, 1000, 0), {}, 60_000 + 750),
        ("gpt-6-luna", Usage(100_000, 100_000, 0, 0), {}, 1_000),
        ("gpt-6-luna", Usage(100_000, 0, 0, 0, cache_written=100_000), {}, 12_500),
        ("gpt-6-luna", Usage(100_000, 40_000, 0, 0, cache_written=40_000), {}, 2_000 + 400 + 5_000),
        ("gpt-6-luna", Usage(0, 0, 1000, 900), {}, 500),  # reasoning is part of the completion
        ("gpt-6-luna", Usage(2768, 0, 40, 0), {}, 297),
        ("gpt-6-luna", Usage(1, 0, 0, 0), {}, 1),  # rounded up
        ("gpt-6-luna", Usage(0, 0, 0, 0), {}, 0),
        ("gpt-6-luna", Usage(100_000, 0, 0, 0), {"tier": "flex"}, 5_000),
        ("gpt-6-luna", Usage(100_000, 0, 0, 0), {"tier": "batch"}, 5_000),
        ("gpt-6-luna", Usage(100_000, 0, 0, 0), {"tier": "priority"}, 20_000),
        ("gpt-6-luna", Usage(100_000, 0, 0, 0), {"tier": "default"}, 10_000),
        ("gpt-6-luna", Usage(100_000, 0, 0, 0), {"regional": True}, 11_000),
        ("gpt-6-luna-2026-09-22", Usage(100_000, 0, 0, 0), {}, 10_000),
        ("openai/gpt-5-2025-08-07", Usage(1000, 1000, 100, 0), {}, 125 + 1000),
        ("gpt-4o-mini", Usage(1000, 0, 100, 0), {}, 150 + 60),
        ("gpt-4o-mini", Usage(10, 50, 0, 0, cache_written=50), {}, 1),  # odd counts never make it negative
        ("gpt-6-luna", Usage(1000, 0, 0, 0), {"tier": "platinum"}, None),
        ("llava", Usage(1000, 0, 0, 0), {}, None),
    ],
)
def test_what_a_request_costs(model, usage, options, micro_dollars):
    cost = load_prices().cost(model, usage, DAY, **options)

    assert (cost and cost.micro_dollars) == micro_dollars if micro_dollars is not None else cost is None


def test_the_default_models_have_prices():
    for purpose in ("vision", "text"):
        assert load_prices().cost(default_model(purpose), Usage(1, 0, 1, 0), DAY) is not None


COUNTS = st.integers(0, 10**7)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_no_count_of_a_server_makes_it_negative_or_cheaper_than_all_cached(prompt, cached, completion, written):
    cost = load_prices().cost("gpt-6-luna", Usage(prompt, cached, completion, 0, written), DAY)

    assert cost.micro_dollars >= prompt * 0.01 + completion * 0.5 - 1e-6


def written(folder, **changes):
    model = [
        {"from": "2026-01-01", "input": "1", "output": "2"},
        {"from": "2026-07-01", "input": "3", "output": "4"},
    ]
    document = {"unit": "USD per 1,000,000 tokens", "tiers": {"default": "1"}, "models": {"m": model}} | changes
    path = folder / "prices.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("day", "micro_dollars", "version"),
    [
        (date(2026, 1, 1), 100, "m@2026-01-01"),
        (date(2026, 6, 30), 100, "m@2026-01-01"),
        (date(2026, 7, 1), 300, "m@2026-07-01"),
        (date(2030, 1, 1), 300, "m@2026-07-01"),
    ],
)
def test_a_price_holds_from_its_day_on_and_the_past_keeps_its_own(tmp_path, day, micro_dollars, version):
    assert load_prices(written(tmp_path)).cost("m", Usage(100, 0, 0, 0), day) == (micro_dollars, version)


def test_before_the_first_price_there_is_none(tmp_path):
    assert load_prices(written(tmp_path)).cost("m", Usage(100, 0, 0, 0), date(2025, 12, 31)) is None


def price(**changes):
    return {"models": {"m": [{"from": "2026-01-01", "input": "1", "output": "2"} | changes]}}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (price(input="0.0000001"), "no price in USD"),  # dollars for one token
        (price(output="100000"), "no price in USD"),
        (price(input="-1"), "models.m.0.input"),
        (price(cahced="1"), "cahced"),
        (price(**{"from": "soon"}), "models.m.0.from"),
        ({"unit": "USD per token"}, "unit"),
        ({"models": {"m": [price()["models"]["m"][0]] * 2}}, "two prices from the same day"),
        ({"tiers": {"default": "0"}}, "tiers.default"),
        ({"tiers": {"flex": "0.5"}}, "tiers lacks 'default'"),
        ({"models": {"m": []}}, "m has no price"),
        ({"models": {"": []}}, "at least 1 character"),
        ({"models": {"m": [{"from": "2026-01-01", "input": "1", "output": "1", "long_above": 0}]}}, "long_above"),
    ],
)
def test_a_wrong_price_file_is_refused_and_says_where(tmp_path, wrong, named):
    with pytest.raises(ConfigurationError, match=named):
        load_prices(written(tmp_path, **wrong))


def test_a_free_model_costs_nothing_which_is_not_unknown(tmp_path):
    prices = load_prices(written(tmp_path, **price(input="0", output="0")))

    assert prices.cost("m", Usage(100, 0, 100, 0), DAY).micro_dollars == 0


def test_a_missing_file_is_a_wrong_configuration(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_prices(tmp_path / "none.json")


def test_a_model_that_is_named_twice_is_refused_as_its_first_prices_would_be_gone(tmp_path):
    row = '[{"from": "2026-01-01", "input": "1", "output": "1"}]'
    path = tmp_path / "prices.json"
    tiers = '"tiers": {"default": "1"}'
    path.write_text(f'{{"unit": "USD per 1,000,000 tokens", {tiers}, "models": {{"m": {row}, "m": {row}}}}}')

    with pytest.raises(ConfigurationError, match=r"are wrong\. m is there twice"):
        load_prices(path)
