"""What the services tell is counted: requests, money, answers at hand, analyses."""

from collections.abc import Iterator
from typing import Any

import pytest

from growbin_jobs.metrics import counted, pipeline
from growbin_jobs.metrics.counts import Counts

ROW = {
    "model": "gpt-x", "purpose": "vision", "outcome": "answered", "billed": "yes", "latency_ms": 1500, "cost": 250_000,
    "tokens_in": 100, "tokens_cached": 40, "tokens_out": 20, "tokens_reasoning": None,
}  # fmt: skip


@pytest.fixture
def counts(monkeypatch) -> Iterator[Counts]:
    made = Counts()
    monkeypatch.setattr(pipeline, "process_counts", lambda: made)
    return made


def test_a_request_counts_its_tokens_and_its_money(counts: Counts) -> None:
    pipeline.count_request(ROW)

    assert counts.values[counted.MODEL_CALLS.name] == {("gpt-x", "vision", "answered"): [1.0]}
    assert counts.values[counted.MODEL_COST.name] == {("gpt-x",): [0.25]}
    found = {labels[1]: numbers[0] for labels, numbers in counts.values[counted.MODEL_TOKENS.name].items()}
    assert found == {"input": 100, "output": 20, "cached": 40}
    assert counts.values[counted.MODEL_REQUEST_SECONDS.name]["gpt-x", "vision"][-1] == 1.5
    assert counted.MODEL_UNPRICED.name not in counts.values


@pytest.mark.parametrize(("billed", "unpriced"), [("yes", 1), ("unknown", 1), ("no", 0)])
def test_what_has_no_price_is_counted_apart(counts: Counts, billed: str, unpriced: int) -> None:
    row: dict[str, Any] = ROW | {"cost": None, "billed": billed, "tokens_in": None, "tokens_out": None}
    pipeline.count_request(row)

    assert counts.values.get(counted.MODEL_UNPRICED.name, {}).get(("gpt-x",), [0])[0] == unpriced
    assert counted.MODEL_COST.name not in counts.values


def test_answers_at_hand_and_ends_of_analyses(counts: Counts) -> None:
    pipeline.count_hit("gpt-x")
    pipeline.count_analysis("completed", 12.0)
    pipeline.count_analysis("failed", None)

    assert counts.values[counted.MODEL_CACHE_HITS.name] == {("gpt-x",): [1.0]}
    assert counts.values[counted.ANALYSES.name] == {("completed",): [1.0], ("failed",): [1.0]}
    assert sum(counts.values[counted.ANALYSIS_SECONDS_TAKEN.name][()][:-1]) == 1
