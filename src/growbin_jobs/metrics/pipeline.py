"""Counts what the services tell: requests to models with their tokens and money, answers at hand, analyses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from growbin_jobs.metrics import counted
from growbin_jobs.metrics.counts import process_counts


def count_request(row: Mapping[str, Any]) -> None:
    """Count a request to a model server.

    Parameters:
      row: As it is written into ``llm_usage``; money in micro-dollars.
    """
    counts, model = process_counts(), str(row["model"])[:100]
    counts.inc(counted.MODEL_CALLS, model, row["purpose"], row["outcome"])
    if row.get("tier_asked") != "batch":  # for that nobody waited
        counts.observe(counted.MODEL_REQUEST_SECONDS, model, row["purpose"], value=row["latency_ms"] / 1000)
    for kind, column in _TOKENS.items():
        counts.inc(counted.MODEL_TOKENS, model, kind, by=row[column] or 0)
    if row["cost"] is not None:
        counts.inc(counted.MODEL_COST, model, by=row["cost"] / 1_000_000)
    elif row["billed"] != "no":
        counts.inc(counted.MODEL_UNPRICED, model)


_TOKENS = {"input": "tokens_in", "output": "tokens_out", "cached": "tokens_cached", "reasoning": "tokens_reasoning"}


def count_hit(model: str) -> None:
    """Count an answer that was not paid for, since it was at hand."""
    process_counts().inc(counted.MODEL_CACHE_HITS, model[:100])


def count_analysis(status: str, seconds: float | None) -> None:
    """Count an analysis that has come to an end.

    Parameters:
      status: ``completed`` or ``failed``.
      seconds: From its row to its end; None: not known.
    """
    counts = process_counts()
    counts.inc(counted.ANALYSES, status)
    if status == "completed" and seconds is not None:
        counts.observe(counted.ANALYSIS_SECONDS_TAKEN, value=seconds)
