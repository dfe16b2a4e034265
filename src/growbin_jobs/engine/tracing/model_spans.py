"""Makes a span of a request to a model server when it has ended, inside of the run that sent it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import SpanKind, StatusCode

from growbin_jobs.engine.tracing import names
from growbin_jobs.engine.tracing.tracer import tracer


def trace_request(row: Mapping[str, Any]) -> None:
    """Make the span of a request.

    Parameters:
      row: As it is written into ``llm_usage``; only names, numbers and outcomes of it are shown.
    """
    began = int(row["sent_at"].timestamp() * 1e9)
    span = tracer(exports=True).start_span(f"{names.CHAT} {row['model']}", kind=SpanKind.CLIENT, start_time=began)
    shown = {
        names.GEN_AI_OPERATION: names.CHAT,
        names.GEN_AI_PROVIDER: names.OPENAI,
        names.GEN_AI_MODEL: row["model"],
        names.GEN_AI_SERVED_MODEL: row["served_model"],
        names.GEN_AI_TOKENS_IN: row["tokens_in"],
        names.GEN_AI_TOKENS_OUT: row["tokens_out"],
        names.PURPOSE: row["purpose"],
        names.OUTCOME: row["outcome"],
    }
    span.set_attributes({key: value for key, value in shown.items() if value is not None})
    if row["outcome"] != "answered":
        span.set_attribute(names.ERROR_TYPE, row["outcome"])
        span.set_status(StatusCode.ERROR)
    span.end(end_time=began + row["latency_ms"] * 1_000_000)
