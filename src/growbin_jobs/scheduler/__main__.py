"""A scheduler as a process: ``python -m growbin_jobs.scheduler``.

Exit codes: 0 when it was told to stop, 70 when its timer has died, 78 when a setting is wrong.
"""

import logging
import os
import sys
from datetime import timedelta

from growbin_jobs import settings as _settings
from growbin_jobs.engine.crashpoints import arm
from growbin_jobs.engine.json_logs import install_json_logs
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.scheduler.exporter import show
from growbin_jobs.scheduler.service import Scheduler
from growbin_jobs.scheduler.table import ONCE
from growbin_jobs.wiring import engine_config

logger = logging.getLogger(__name__)


def main() -> int:
    """Serve, and return the exit code."""
    form = "[%(asctime)s] [PID %(process)d] [scheduler] [%(name)s] [%(levelname)s] %(message)s"
    logging.basicConfig(level=logging.INFO, format=form)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it logs every look
    try:
        settings = _settings.load()
        if settings.log_format == "json":
            install_json_logs(settings.node)
        arm(settings.crashpoint)
        url = settings.schedule_ping_url
        scheduler = Scheduler(
            engine_config(settings), ONCE, ping_url=url.get_secret_value() if url else None,
            keep=timedelta(days=settings.keep_ledger_days),
        )  # fmt: skip
        scheduler.listen()
        end = show(scheduler, settings)
        try:
            return scheduler.serve()
        finally:
            end()
    except ConfigurationError as error:
        logger.critical("%s", error)
        return os.EX_CONFIG


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread may still wait for a server; nothing that it does needs an end
