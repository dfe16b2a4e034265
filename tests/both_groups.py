"""Both of Growbin's groups under one supervisor with one keeper, as ``growbin-jobs up`` has them, in a test's numbers.

``growbin-jobs worker`` has a supervisor and a keeper for each group; to start those takes as long as a group's workers.
"""

from __future__ import annotations

import argparse
from typing import NoReturn

from growbin_jobs import settings
from growbin_jobs.cli.command_line import resized, scheduler_command
from growbin_jobs.cli.supervised import become_supervisor
from growbin_jobs.cli.workers import plan_of
from growbin_jobs.names import GROUPS
from growbin_jobs.wiring import engine_config


def main() -> NoReturn:
    """Become the supervisor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, help="of each group")
    parser.add_argument("--threads", type=int, help="of each process with threads")
    parser.add_argument("--greenlets", type=int, help="of each process with greenlets")
    parser.add_argument("--scheduler", action="store_true")
    given = parser.parse_args()
    groups = [
        resized(group, given.processes, given.greenlets if group.pool == "gevent" else given.threads)
        for group in GROUPS.values()
    ]
    scheduler = scheduler_command() if given.scheduler else None
    become_supervisor(plan_of(engine_config(settings.load()), groups, own=True, scheduler=scheduler))
