"""Flower's REST API, for scripts that were written for it."""

from fastapi import APIRouter

from growbin_jobs.monitor.api.flower import datatable, dropping, figures, queues, refused, sending, tasks, workers

#: What the app includes.
routers: list[APIRouter] = [
    tasks.router, sending.router, dropping.router, workers.router, refused.router, queues.router, figures.router,
    datatable.router,
]  # fmt: skip
