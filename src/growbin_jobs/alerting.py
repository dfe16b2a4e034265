"""Adds the watch over alert rules, and their webhooks, to the keeper's jobs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.opening import open_central
from growbin_jobs.engine.periodic.timetable import Every, PeriodicJob
from growbin_jobs.settings import Settings


def periodic_alerts(settings: Settings) -> Callable[[EngineConfig], PeriodicJob]:
    """Return what makes the keeper's job, for ``EngineConfig.periodic_jobs``.

    Parameters:
      settings: Of this process.
    """
    return partial(_alerts, settings)


def _alerts(settings: Settings, config: EngineConfig) -> PeriodicJob:
    from growbin_jobs.adapters.probing.probe import Prober
    from growbin_jobs.adapters.probing.public import networks
    from growbin_jobs.alerts.findings import measures
    from growbin_jobs.alerts.job import Alerts
    from growbin_jobs.alerts.sending import SendWebhooks
    from growbin_jobs.alerts.telling import Sender
    from growbin_jobs.alerts.watching import Watch

    database, worker = open_central(config), f"{config.node}/{os.getpid()}"
    sender = Sender(settings.monitor_environment, settings.monitor_public_url or "")
    prober = Prober(allowed=networks(settings.webhook_networks))
    watch = Watch(database, worker, measures(database, ZoneInfo(settings.timezone)), sender)
    changes = database.changes()
    job = Alerts(watch, SendWebhooks(database, worker, prober, settings.webhook_secret), changes=changes)
    return PeriodicJob("alerts", job, Every(2), level=logging.INFO, changes=changes)
