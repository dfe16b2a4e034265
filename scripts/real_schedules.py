"""Let real schedulers and workers be killed, stopped and misled at random until so many due times have come.

Ctrl-C ends it before that, and counts what has come.

Examples:
  scripts/real_schedule                            # embedded, 10,000 due times, about 10 minutes
  scripts/real_schedule --servers                  # on private servers: RabbitMQ and PostgreSQL
  scripts/real_schedule --due-times 500 --seed 7
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from tests.real_schedule import Chaos, RealSchedule, count
from tests.waiting import until

from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.models import SCHEMA
from growbin_jobs.scheduler.rows import LedgerRow
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

SERVICES = Path(__file__).with_name("services")


def main() -> int:
    """Return 0 where each due time has had one effect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--due-times", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=0.05, help="seconds between two due times")
    parser.add_argument("--servers", action="store_true", help="RabbitMQ and PostgreSQL in place of files")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with _world(arguments.every, servers=arguments.servers) as world:
        began, chaos = time.monotonic(), Chaos(world, random.Random(arguments.seed))  # noqa: S311 no secret
        with suppress(KeyboardInterrupt):  # what has come until then is counted
            _until_due(world, chaos, arguments.due_times)
        chaos.end()
        rows = world.rows()[: arguments.due_times]
        if not rows:
            return 1
        last = rows[-1]["due"]
        open_ = LedgerRow.select().where((LedgerRow.due <= last) & (LedgerRow.state != "done"))
        until(lambda: not world.database.run(open_.count), "all that was due is done", seconds=120)
        found = count(world, timedelta(seconds=arguments.every), last)
        happened = ", ".join(f"{name}: {number}" for name, number in sorted(chaos.counts.items()))
        print(f"{found}\n{happened}\n{time.monotonic() - began:.0f} s on {world.database.dialect}")
        if not found.right:
            print(world.log.read_text(errors="replace")[-20_000:], file=sys.stderr)
    return 0 if found.right else 1


def _until_due(world: RealSchedule, chaos: Chaos, number: int) -> None:
    while (due := world.database.run(LedgerRow.select().count)) < number:
        chaos.step()
        time.sleep(chaos.random.uniform(0.2, 2.0))  # the pace of what happens
        if due and not chaos.random.randrange(50):
            print(f"{due} due times, {dict(chaos.counts)}", file=sys.stderr)


@contextmanager
def _world(every: float, *, servers: bool) -> Iterator[RealSchedule]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, ExitStack() as stack:
        folder, url, env = Path(name), None, {"TEST_EVERY": str(every)}
        if servers:
            place = ["--only", "rabbitmq,postgres", "--dir", f"{name}/services"]
            up = json.loads(_services("up", "--json", "--with-pid", str(os.getpid()), *place))
            stack.callback(_services, "down", *place)
            url = up["postgres"]["url"]
            env |= {"GROWBIN_BROKER_URL": up["rabbitmq"]["url"], "DATABASE_URL": url}
        database = stack.enter_context(closing(central_database(load(node="n1", data_dir=folder, database_url=url))))
        upgrade(database, SCHEMA)
        world = RealSchedule(folder, database, env)
        stack.callback(world.close)
        yield world


def _services(*arguments: str) -> str:
    command = [sys.executable, str(SERVICES), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 our own script


if __name__ == "__main__":
    sys.exit(main())
