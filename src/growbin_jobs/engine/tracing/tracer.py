"""This process's tracer: the application's where it has set one up, else one that exports as the environment says."""

from __future__ import annotations

from typing import Any

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.tracing import names

_given: list[Any] = []


def use_provider(provider: Any) -> None:
    """Take another provider of tracers than OpenTelemetry's global one: for tests. None: the usual one again."""
    _given[:] = [] if provider is None else [provider]


def tracer(*, exports: bool = False) -> Any:
    """Return the tracer of this process.

    Parameters:
      exports: Where the application has set up no provider, make one: in workers, whose process is ours.
    """
    if _given:
        return _given[0].get_tracer("growbin_jobs", schema_url=names.SCHEMA_URL)
    from opentelemetry import trace

    if exports:
        _set_up()
    return trace.get_tracer("growbin_jobs", schema_url=names.SCHEMA_URL)


def require() -> None:
    """Look whether the extra is installed.

    Raises:
      ConfigurationError: With what to install.
    """
    try:
        import opentelemetry.sdk.trace  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Traces need the extra otel: pip install 'growbin-jobs[otel]'. Or unset the setting traces."
        ) from None


@once_a_process
def _set_up() -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({SERVICE_NAME: "growbin-jobs"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
