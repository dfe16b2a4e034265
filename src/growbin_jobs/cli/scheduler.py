"""``growbin-jobs scheduler``: fires the periodic jobs."""

from growbin_jobs.cli.target import EngineName


def scheduler(_engine: EngineName = None) -> None:
    """Fire the periodic jobs. Any number may run: each due time has its effect once. Ctrl-C stops.

    \b
    Examples:
      growbin-jobs scheduler
      growbin-jobs scheduler --engine orders.jobs
      GROWBIN_SCHEDULE_PING_URL=https://hc-ping.example/… growbin-jobs scheduler
    """
    import os
    import sys

    from growbin_jobs.cli.command_line import scheduler_command

    command = scheduler_command(_engine)
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 ourselves
