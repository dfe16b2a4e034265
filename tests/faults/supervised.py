"""``python -m faults.supervised``: the crash actors under the product's supervisor. Its loader is forked from it."""

from __future__ import annotations

import argparse
import signal
import sys

import forked_loader
from growbin_jobs.engine.groups import Group
from growbin_jobs.engine.supervision.commands import KEEPER, shared_modules, supervised_commands
from growbin_jobs.engine.supervision.supervisor import Supervisor
from growbin_jobs.wiring import engine_config


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pool", choices=("threads", "gevent"), default="threads")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=8)
    given = parser.parse_args()
    group = Group(
        name="crashes",
        queues=("crashes",),
        module="faults.crash_actors",
        pool=given.pool,
        processes=given.processes,
        threads=given.threads,
    )
    forked_loader.install()
    config = engine_config()
    commands, loaded = supervised_commands(config, [group]), shared_modules(config)
    greenlets = shared_modules(config, greenlets=True)
    said = lambda words: print(words, file=sys.stderr, flush=True)  # noqa: E731
    with Supervisor(
        commands, grace=40.0, companions=[KEEPER], say=said, loaded=loaded, loaded_with_greenlets=greenlets
    ) as supervisor:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: supervisor.request_stop())
        return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
