"""Refuses a limit of open files under which no worker can work."""

from __future__ import annotations

import resource

from growbin_jobs.engine.errors import ConfigurationError

#: Fewer are not enough for a worker: its databases, locks, wakeups and connections, and what its actors open.
LEAST = 64


def require_enough_files() -> None:
    """Refuse to work where a process may open too few files: each message would fail, or none would come.

    Raises:
      ConfigurationError: With what to do.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # a worker raises its soft limit itself
    if hard != resource.RLIM_INFINITY and hard < LEAST:
        raise ConfigurationError(
            f"A process may have {hard} files open at once here, and a worker needs {LEAST} at least. Raise the limit: "
            "`ulimit -n 1024` in a shell, LimitNOFILE= of systemd, --ulimit nofile= of Docker."
        )
