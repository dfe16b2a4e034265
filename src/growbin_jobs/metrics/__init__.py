"""Metrics and health over HTTP: what is counted in each process, folded by the node's keeper, and shown to Prometheus.

``catalogue`` is the one table of names. ``docs/metrics.md`` is written from it.
"""
