"""The ``dramatiq`` command line of a group."""

import os
import shutil
import sys
from pathlib import Path

from growbin_jobs.engine.groups import Group
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.settings import Settings


def worker_command(
    group: Group, settings: Settings, *, processes: int | None = None, threads: int | None = None
) -> list[str]:
    """Return what runs a group's workers, each group with its own queues by name.

    Parameters:
      group: Which group.
      settings: For the shutdown timeout, and because the offline classifier computes instead of waiting: then one
        process with a thread for each core does all that the machine can.
      processes, threads: Instead of the group's own numbers.

    Raises:
      ConfigurationError: When Dramatiq's command is not installed.
    """
    offline_ai = group.pool == "threads" and not settings.models_online
    command = "dramatiq-gevent" if group.pool == "gevent" else "dramatiq"
    return [
        _installed(command),
        group.module,
        "--processes", str(processes or (1 if offline_ai else group.processes)),
        "--threads", str(threads or ((os.cpu_count() or 1) + 1 if offline_ai else group.threads)),
        "--queues", *group.queues,
        "--worker-shutdown-timeout", str(int(settings.shutdown_timeout * 1000)),
    ]  # fmt: skip


def _installed(command: str) -> str:
    beside_python = Path(sys.executable).parent / command
    found = str(beside_python) if beside_python.exists() else shutil.which(command)
    if found is None:
        raise ConfigurationError(f"{command} is not installed: pip install 'growbin-jobs[storage,ai]'")
    return found
