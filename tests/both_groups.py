"""Growbin's groups under one supervisor with one keeper, as ``growbin-jobs up`` has both of them, in a test's numbers.

``growbin-jobs worker`` has a supervisor and a keeper for each group; to start those takes as long as a group's workers.

The supervisor goes on in this process, which was forked from one that has loaded the libraries, and its loader is
forked from it. Two interpreters that start, of which one imports the engine, compute longer than most tests' workers.
They start as they do for users in the tests of ``worker``, ``up`` and ``demo``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, replace

from tests import forked_loader

from growbin_jobs.cli import supervised
from growbin_jobs.limits import breaker_failures
from growbin_jobs.names import GROUPS


def main() -> None:
    """Be the supervisor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, help="of each group")
    parser.add_argument("--threads", type=int, help="of each process with threads")
    parser.add_argument("--greenlets", type=int, help="of each process with greenlets")
    parser.add_argument("--scheduler", action="store_true")
    parser.add_argument("--pool", help="of all groups; default: its own of each")
    parser.add_argument("--operator-pause", type=float, help="seconds between two probes while an operator is needed")
    parser.add_argument("groups", nargs="*", default=[*GROUPS], help="default: both")
    given = parser.parse_args()
    plan = os.memfd_create("plan")
    if os.fork() == 0:
        _write_plan(plan, given)
        os._exit(0)
    os.wait()
    forked_loader.install()
    if given.operator_pause:
        vars(breaker_failures)["OPERATOR_PAUSE"] = given.operator_pause
    sys.argv[1:] = [str(plan)]
    supervised.main()


def _write_plan(file: int, given: argparse.Namespace) -> None:
    """Make the plan, in a child: the supervisor, and what is forked from it, read no setting before they should."""
    from growbin_jobs import settings
    from growbin_jobs.cli.command_line import resized, scheduler_command
    from growbin_jobs.cli.workers import plan_of
    from growbin_jobs.engine.supervision.commands import KEEPER
    from growbin_jobs.wiring import engine_config

    groups = [
        resized(group, given.processes, given.greenlets if group.pool == "gevent" else given.threads)
        for group in (replace(GROUPS[name], pool=given.pool or GROUPS[name].pool) for name in given.groups)
    ]
    scheduler = scheduler_command() if given.scheduler else None
    plan = plan_of(engine_config(settings.load()), groups, own=True, scheduler=scheduler)
    keeper = plan.commands[KEEPER]
    keeper[keeper.index("--master") + 1] = str(os.getppid())
    # A single process with greenlets needs no interpreter of a loader beside its own.
    greenlets = plan.loaded_with_greenlets if given.processes and given.processes > 1 else []
    words = {
        "plan": asdict(plan) | {"loaded_with_greenlets": greenlets},
        "notice": None,
        "hangup_stops": True,
        "again": [],
    }
    os.write(file, json.dumps(words).encode())
