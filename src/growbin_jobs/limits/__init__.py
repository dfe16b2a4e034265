"""Limits of paid calls for the whole cluster: so many requests, tokens or money in any window.

A :class:`~growbin_jobs.limits.port.LimitStore` grants several named limits at once, all or nothing, on one clock; a
:class:`~growbin_jobs.limits.tickets.Gate` turns a grant into a ticket for one HTTP request. ``docs/limits.md`` explains
the promise.
"""
