"""The routers of the pages that show what the cluster does; the first page is in ``overview``."""

from growbin_jobs.monitor.pages import analyses, audit, batches, errors, money, platform, proof, schedule, state, tasks

routers = [
    tasks.router, errors.router, analyses.router, state.router, schedule.router, money.router, batches.router,
    platform.router, proof.router, audit.router,
]  # fmt: skip
