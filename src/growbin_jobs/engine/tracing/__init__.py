"""Spans of OpenTelemetry, behind the extra ``otel``: each run of a message is one, in the trace of what sent it.

Off, nothing here but this line is loaded, and no hook is called.
"""
