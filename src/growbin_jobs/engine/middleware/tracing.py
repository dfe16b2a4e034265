"""Makes a span of each run and of each sending, and hands the trace on in the messages' options.

The option ``traceparent`` (W3C Trace Context) travels in the message: through outbox, retries, deferrals, the journal
and the forwarder, and no header of a broker. All attempts of a message are children of its sending, so an analysis is
one trace over all stages. A message whose sender traces nothing has a trace that is made from its id: its attempts are
still together. Spans hold names, ids and outcomes, never arguments, results or texts of errors.
"""

from __future__ import annotations

import hashlib
from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.foreign_errors import is_a, name
from growbin_jobs.engine.json_logs import Subject, describe_message
from growbin_jobs.engine.processes import is_worker_process
from growbin_jobs.engine.tracing import names
from growbin_jobs.engine.tracing.tracer import tracer

_W3C = TraceContextTextMapPropagator()
OPTION = "traceparent"


class Tracing(Middleware):
    """See the module.

    Parameters:
      system: Name of the broker, as the conventions have it.
      subject: Returns what a message is about.
    """

    def __init__(self, system: str, subject: Subject | None = None) -> None:
        self._system = system
        self._subject = subject

    def before_enqueue(self, broker: Broker, message: Any, delay: int | None) -> None:
        if OPTION in message.options:  # a retry, a deferral: another attempt of what was sent before
            return
        span = tracer(exports=is_worker_process()).start_span(
            f"{names.SEND} {message.queue_name}", kind=SpanKind.PRODUCER, attributes=self._said(message, names.SEND)
        )
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(span))
        span.end()
        if OPTION in carrier:  # else nobody has set up OpenTelemetry here
            message.options[OPTION] = carrier[OPTION]

    def before_process_message(self, broker: Broker, message: Any) -> None:
        parent = _W3C.extract({OPTION: str(message.options.get(OPTION, ""))}, otel_context.Context())
        if not trace.get_current_span(parent).get_span_context().is_valid:
            parent = trace.set_span_in_context(NonRecordingSpan(_made_from(message.message_id)))
        span = tracer(exports=True).start_span(
            f"{names.PROCESS} {message.queue_name}",
            context=parent,
            kind=SpanKind.CONSUMER,
            attributes=self._said(message, names.PROCESS),
        )
        message.trace_id = f"{span.get_span_context().trace_id:032x}"
        message.tracing = span, otel_context.attach(trace.set_span_in_context(span))

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if exception is None:
            self._end(message, "dead" if message.failed else "completed", None)
        elif message.failed:
            self._end(message, "dead", exception)
        else:
            self._end(message, "deferred" if is_a(exception, (Deferred,)) else "failed", exception)

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        self._end(message, "skipped", None)

    def _end(self, message: Any, outcome: str, exception: BaseException | None) -> None:
        begun = getattr(message, "tracing", None)
        if begun is None:
            return
        span, token = begun
        message.tracing = None
        span.set_attribute(names.OUTCOME, outcome)
        if exception is not None and outcome != "deferred":
            span.set_attribute(names.ERROR_TYPE, name(exception))
            span.set_status(StatusCode.ERROR)
        span.end()
        otel_context.detach(token)

    def _said(self, message: Any, operation: str) -> dict[str, str | int]:
        known = describe_message(message, self._subject)
        said = {
            names.SYSTEM: self._system,
            names.OPERATION_NAME: operation,
            names.OPERATION_TYPE: operation,
            names.DESTINATION: message.queue_name,
            names.MESSAGE_ID: message.message_id,
            names.ACTOR: message.actor_name,
            names.ATTEMPT: known["attempt"],
        }
        return said | ({names.SUBJECT: known["subject"]} if "subject" in known else {})


def _made_from(message_id: str) -> SpanContext:
    digest = hashlib.sha256(message_id.encode("utf-8", "replace")).digest()
    return SpanContext(
        trace_id=int.from_bytes(digest[:16]),
        span_id=int.from_bytes(digest[16:24]),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
