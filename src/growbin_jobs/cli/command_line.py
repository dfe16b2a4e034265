"""How many processes and threads a group gets here, and its command line for plain ``dramatiq``."""

import dataclasses
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from growbin_jobs.engine.groups import Group
from growbin_jobs.engine.node.cores import usable_cores
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.settings import Settings

#: What to do where a worker cannot import its group.
INSTALL = "Install what the workers need: pip install 'growbin-jobs[storage,ai,offline]'."


def sized(group: Group, settings: Settings) -> Group:
    """Return a group with the numbers that it runs with here.

    The offline classifier computes instead of waiting: then one process with a thread for each core does all that the
    machine can, and one more waits for the text.

    Parameters:
      group: Which group.
      settings: Whether models are asked or computed.
    """
    if group.pool == "threads" and not settings.models_online:
        group = dataclasses.replace(group, processes=1, threads=usable_cores() + 1)
    return group


def resized(group: Group, processes: int | None, threads: int | None) -> Group:
    """Return a group with other numbers than its own where they are given."""
    return dataclasses.replace(group, processes=processes or group.processes, threads=threads or group.threads)


def dramatiq_command(group: Group, shutdown_timeout: float) -> list[str]:
    """Return what runs a group's workers by plain ``dramatiq``, with its own queues by name.

    Parameters:
      group: With the numbers that it runs with.
      shutdown_timeout: Seconds that running messages may take to finish.

    Raises:
      ConfigurationError: When Dramatiq's command is not installed.
    """
    return [
        _installed("dramatiq-gevent" if group.pool == "gevent" else "dramatiq"),
        group.module,
        "--processes", str(group.processes),
        "--threads", str(group.threads),
        "--queues", *group.queues,
        "--worker-shutdown-timeout", str(int(shutdown_timeout * 1000)),
    ]  # fmt: skip


def scheduler_command(engine: str | None = None) -> list[str]:
    """Return what runs a scheduler.

    Parameters:
      engine: Module of the engine whose schedule it is; None: Growbin's.
    """
    return [sys.executable, "-m", "growbin_jobs.scheduler", *([] if engine is None else [engine])]


def monitor_command(settings: Settings, engine: str | None = None) -> list[str] | None:
    """Return what runs a monitor beside the workers of this machine; None where it is not installed.

    Without credentials in the settings it prints a link for one sign-in.

    Parameters:
      settings: Of this process.
      engine: Module of another engine; None: Growbin's.
    """
    if find_spec("fastapi") is None:
        return None
    names = ("monitor_users", "monitor_users_file", "monitor_oidc_issuer", "monitor_proxy_header")
    link = [] if any(getattr(settings, name) for name in names) else ["--sign-in-link"]
    whose = [] if engine is None else ["--engine", engine]
    return [sys.executable, "-m", "growbin_jobs.monitor", "--any-port", *link, *whose]


def _installed(command: str) -> str:
    beside_python = Path(sys.executable).parent / command
    found = str(beside_python) if beside_python.exists() else shutil.which(command)
    if found is None:
        raise ConfigurationError(f"{command} is not installed. {INSTALL}")
    return found
