"""What a scheduler's process does, :mod:`growbin_jobs.scheduler.__main__`."""

import logging
import os
from dataclasses import replace
from datetime import timedelta

from growbin_jobs import settings as _settings
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.crashpoints import arm
from growbin_jobs.engine.engine import find_engine
from growbin_jobs.engine.json_logs import install_json_logs
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.metrics.observing import Metrics
from growbin_jobs.scheduler.exporter import show
from growbin_jobs.scheduler.jobs import ScheduledJob
from growbin_jobs.scheduler.schedule import schedule_of
from growbin_jobs.scheduler.service import Scheduler
from growbin_jobs.scheduler.table import JOBS, ONCE
from growbin_jobs.wiring import engine_config

logger = logging.getLogger(__name__)


def main(engine: str | None = None) -> int:
    """Serve, and return the exit code.

    Parameters:
      engine: Module of the engine whose schedule it is; None: Growbin's.
    """
    form = "[%(asctime)s] [PID %(process)d] [scheduler] [%(name)s] [%(levelname)s] %(message)s"
    logging.basicConfig(level=logging.INFO, format=form)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it logs every look
    try:
        settings = _settings.load()
        config, jobs = (engine_config(settings), ONCE) if engine is None else _of_another(engine)
        if config.log_format == "json":
            install_json_logs(config.node)
        arm(config.crashpoint)
        url = settings.schedule_ping_url
        scheduler = Scheduler(
            config, jobs, ping_url=url.get_secret_value() if url else None,
            keep=timedelta(days=settings.keep_ledger_days),
        )  # fmt: skip
        scheduler.listen()
        end = _nothing
        if engine is None:
            end = show(scheduler, JOBS, paid=True)
        elif any(isinstance(each, Metrics) for each in config.observers):
            end = show(scheduler, jobs, paid=False)
        try:
            return scheduler.serve()
        finally:
            end()
    except ConfigurationError as error:
        logger.critical("%s", error)
        return os.EX_CONFIG


def _of_another(engine: str) -> tuple[EngineConfig, tuple[ScheduledJob, ...]]:
    found = find_engine(engine)
    schedule = schedule_of(found)
    if schedule is None:
        raise ConfigurationError(
            f"{engine} has no schedule. Make one beside its engine: schedule = Schedule(engine), and declare its jobs."
        )
    return replace(schedule.config, source=found.source), schedule.jobs


def _nothing() -> None:
    """End what the scheduler of an engine without metrics does not show."""
