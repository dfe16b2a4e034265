"""One trace over all stages and their attempts, and lines of JSON beside it; no data of anybody in either.

A real worker on the embedded broker, with OpenTelemetry's own exporter into memory.
"""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.engine.json_logs import JsonFormatter
from growbin_jobs.engine.tracing.model_spans import trace_request
from growbin_jobs.engine.tracing.tracer import use_provider

SECRET = "sk-planted-secret-0123456789"
PATIENCE = 30.0


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    use_provider(provider)
    yield memory
    use_provider(None)


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the log says, as JSON."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    handler = Keep()
    handler.setFormatter(JsonFormatter("n1", lambda message: message.args[0]))
    logging.root.addHandler(handler)
    before, logging.root.level = logging.root.level, logging.INFO
    yield said
    logging.root.removeHandler(handler)
    logging.root.level = before


def run_chain(folder: Path, *, traced_sender: bool) -> None:
    """Run four stages; the second one fails once, and the third asks a model."""
    config = EngineConfig(
        data_dir=folder, node="n1", traces=True, log_format="json", journal_free_floor=1,
        subject=lambda message: message.args[0],
    )  # fmt: skip
    engine, done, failed = Engine(config), threading.Event(), []

    @engine.actor(queue_name="one")
    def first(subject: str, secret: str) -> str:
        second.send(subject, secret)
        return secret

    @engine.actor(queue_name="two", max_retries=3, min_backoff=1, max_backoff=2)
    def second(subject: str, secret: str) -> None:
        if not failed:
            failed.append(1)
            raise ValueError(secret)
        third.send(subject, secret)

    @engine.actor(queue_name="three")
    def third(subject: str, secret: str) -> None:
        trace_request({
            "sent_at": datetime.now(UTC), "model": "gpt-x", "served_model": None, "tokens_in": 5, "tokens_out": None,
            "purpose": "vision", "outcome": "answered", "latency_ms": 12, "user_id": secret,
        })  # fmt: skip
        fourth.send(subject, secret)

    @engine.actor(queue_name="four")
    def fourth(subject: str, secret: str) -> None:
        done.set()

    if traced_sender:
        first.send("analysis-1", SECRET)
    else:  # a producer that knows nothing of traces
        producer = Engine(replace(config, traces=False))
        dramatiq.actor(lambda *_: None, actor_name="first", queue_name="one", broker=producer.broker).send(
            "analysis-1", SECRET
        )
        producer.broker.close()
    worker = dramatiq.Worker(engine.broker, worker_timeout=50, worker_threads=2)
    worker.start()
    try:
        assert done.wait(PATIENCE)
        for queue in ("one", "two", "three", "four"):
            engine.broker.join(queue, timeout=20_000)
    finally:
        worker.stop()
        engine.broker.close()
        engine.journal.close()


@pytest.mark.parametrize("traced_sender", [True, False])
def test_an_analysis_is_one_trace(
    tmp_path: Path, exporter: InMemorySpanExporter, lines: list[str], traced_sender: bool
) -> None:
    run_chain(tmp_path, traced_sender=traced_sender)

    spans: list[Any] = list(exporter.get_finished_spans())
    assert len({span.context.trace_id for span in spans}) == 1
    runs = [span for span in spans if span.name.startswith("process ")]
    found = sorted((span.name, span.attributes["growbin.attempt"], span.attributes["growbin.outcome"]) for span in runs)
    assert found == [
        ("process four", 1, "completed"),
        ("process one", 1, "completed"),
        ("process three", 1, "completed"),
        ("process two", 1, "failed"),
        ("process two", 2, "completed"),
    ]
    by_id = {span.context.span_id: span for span in spans}
    parents = {
        span.name: by_id[span.parent.span_id].name for span in spans if span.parent and span.parent.span_id in by_id
    }
    sending = {"process one": "send one"} if traced_sender else {}
    assert parents == sending | {
        "send two": "process one", "process two": "send two", "send three": "process two",
        "process three": "send three", "chat gpt-x": "process three", "send four": "process three",
        "process four": "send four",
    }  # fmt: skip
    assert {span.attributes["growbin.subject"] for span in runs} == {"analysis-1"}
    [model] = [span for span in spans if span.name == "chat gpt-x"]
    assert model.attributes["gen_ai.provider.name"] == "openai"
    assert model.attributes["gen_ai.usage.input_tokens"] == 5

    assert SECRET not in "".join(span.to_json() for span in spans)
    assert SECRET not in "".join(lines)
    ended = [line for line in map(json.loads, lines) if line["event"] == "message.ended"]
    assert len(ended) == 5
    assert {line["subject"] for line in ended} == {"analysis-1"}
    assert {line["trace_id"] for line in ended} == {f"{spans[0].context.trace_id:032x}"}
    assert all(line["duration_ms"] >= 0 and line["node"] == "n1" and line["level"] == "info" for line in ended)
    [retry] = [line for line in map(json.loads, lines) if line["event"] == "message.retry"]
    assert (retry["actor"], retry["queue"], retry["attempt"]) == ("second", "two", 1)


def test_off_loads_nothing() -> None:
    code = (
        "import sys; from growbin_jobs.app import engine; from growbin_jobs import storage;"
        "print([name for name in sys.modules if name.startswith('opentelemetry')],"
        "[type(each).__name__ for each in engine.broker.middleware if type(each).__name__ in ('Tracing', 'RunLog')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[] []"
