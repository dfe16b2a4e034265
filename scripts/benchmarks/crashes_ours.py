"""What the product's workers run for ``scripts/bench crashes``: two stages that wait, as calls to models do."""

import os
import sys

import dramatiq

from benchmarks.crashes_job import QUEUES, wait
from growbin_jobs.app import broker
from growbin_jobs.engine.groups import Group


@dramatiq.actor(broker=broker, actor_name="vision", queue_name=QUEUES[0], max_retries=10)
def vision(job: int) -> None:
    """Look at a picture."""
    wait("vision", job)
    text.send(job)


@dramatiq.actor(broker=broker, actor_name="text", queue_name=QUEUES[1], max_retries=10)
def text(job: int) -> None:
    """Write the answer."""
    wait("text", job)


def supervise() -> int:
    """Run the worker processes under the product's supervisor, as ``growbin-jobs worker`` does."""
    import signal

    from growbin_jobs.engine.supervision.commands import KEEPER, shared_modules, supervised_commands
    from growbin_jobs.engine.supervision.supervisor import Supervisor
    from growbin_jobs.wiring import engine_config

    group = Group(
        name="bench",
        queues=QUEUES,
        module="benchmarks.crashes_ours",
        processes=int(os.environ["BENCH_PROCESSES"]),
        threads=int(os.environ["BENCH_THREADS"]),
        prefetch_factor=1,
    )
    config = engine_config()
    commands, loaded = supervised_commands(config, [group]), shared_modules(config)
    with Supervisor(commands, grace=5.0, companions=[KEEPER], loaded=loaded) as supervisor:
        signal.signal(signal.SIGTERM, lambda *_: supervisor.request_stop())
        return supervisor.run()


if __name__ == "__main__":
    sys.exit(supervise())
