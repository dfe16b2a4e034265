"""Who is compared: the workers' command lines, what they find in their environment, and the messages they read."""

import json
import os
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dramatiq import Message

from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.middleware.prefetch import settling

#: What a task carries beside its numbers.
PAYLOAD = "x" * 300

STAGES = 4

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Pool:
    """How tasks run at the same time.

    Attributes:
      words: For people.
      kind: Greenlets or threads.
      processes: Worker processes.
      concurrency: Greenlets or threads of each.
      target: How many times the rate of plain Dramatiq is asked for.
    """

    words: str
    kind: Literal["gevent", "threads"]
    processes: int
    concurrency: int
    target: float


POOLS = {
    "gevent100": Pool("gevent, 100", "gevent", 1, 100, 2.0),
    "gevent1000": Pool("gevent, 1000", "gevent", 1, 1000, 2.0),
    "threads": Pool("2 processes × 8 threads", "threads", 2, 8, 1.2),
}

SYSTEMS = {
    "a": "Dramatiq",
    "e": "Dramatiq, fetching as c",
    "b": "Dramatiq, confirms",
    "c": "growbin_jobs",
    "p": "growbin_jobs of --base",
    "d": "Celery",
}


def stage_name(stage: int) -> str:
    """Return the wire name of a stage's task and of its queue."""
    return f"bench_stage_{stage}"


def commands(system: str, pool: Pool) -> list[list[str]]:
    """Return what starts the workers of a system: Celery's thread pool needs a command for each process."""
    if system == "d":
        worker = [str(BIN / "celery"), "-A", "benchmarks.tasks.celery_worker", "worker", "--loglevel", "WARNING"]
        worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        worker += ["--pool", pool.kind, "--concurrency", str(pool.concurrency)]
        return [[*worker, "--hostname", f"bench{number}@%h"] for number in range(pool.processes)]
    dramatiq = str(BIN / ("dramatiq-gevent" if pool.kind == "gevent" else "dramatiq"))
    numbers = ["--processes", str(pool.processes), "--threads", str(pool.concurrency)]
    return [[dramatiq, "benchmarks.tasks.dramatiq_worker", *numbers]]


def environment(
    system: str, pool: Pool, *, url: str, queue_type: str, folder: Path, tally: Path, base: Path | None = None
) -> Mapping[str, str]:
    """Return what the workers of a system find in their environment; ours reads it as in production.

    Parameters:
      base: Another checkout, whose package and workers run as system ``p``.
    """
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    if system == "p":
        assert base is not None
        system, paths = "c", [str(base / "src"), str(base / "scripts")]
    ahead = 2 * pool.concurrency + settling(pool.concurrency)
    fetching = {"dramatiq_queue_prefetch": str(ahead)} if system == "e" else {}
    return fetching | {
        "PYTHONPATH": os.pathsep.join(paths),
        "BENCH_SYSTEM": system,
        "BENCH_URL": url,
        "BENCH_QUEUE_TYPE": queue_type,
        "BENCH_TALLY": str(tally),
        "BENCH_CELERY_JOURNAL": str(folder / "celery.db"),
        "GROWBIN_BROKER_URL": url,
        "GROWBIN_QUEUE_TYPE": queue_type,
        "GROWBIN_DATA_DIR": str(folder / "growbin"),
    }


def first_message(system: str, chain: int, length: int) -> tuple[bytes, dict[str, Any]]:
    """Return the message that starts a chain: its body and its AMQP properties.

    Parameters:
      system: Whose format.
      chain: The chain's number.
      length: Its number of stages.
    """
    name, args = stage_name(1), (chain, length, PAYLOAD)
    if system in ("c", "p"):
        return message_for(Route(name, name), *args).encode(), {"delivery_mode": 2}
    if system != "d":
        message: Message[None] = Message(queue_name=name, actor_name=name, args=args, kwargs={}, options={})
        return message.encode(), {"delivery_mode": 2}
    # Celery's message protocol, version 2.
    task_id = str(uuid.uuid4())
    return json.dumps([args, {}, {}]).encode(), {
        "delivery_mode": 2,
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "correlation_id": task_id,
        "application_headers": {"lang": "py", "task": name, "id": task_id, "root_id": task_id},
    }
