"""The workload's actors: plain actors on the product's own broker and middleware, run by plain ``dramatiq``.

Each one begins by saying so, and has its effect under a key and the id of its message (see ``effects``). What it sends
it sends now before its effect and now after it: neither order may matter.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from pathlib import Path

import dramatiq
from dramatiq.middleware import CurrentMessage

from faults.effects import Effects
from faults.jobs import LEAVES, STEPS
from faults.pauses import shorten
from growbin_jobs.app import broker, settings
from growbin_jobs.engine.crashpoints import arm
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import Deferred, Permanent, Transient
from growbin_jobs.wiring import central_database

QUEUE, CHAIN_QUEUE = "faults", "faults_chain"

broker.add_middleware(CurrentMessage())
shorten()


def take_orders(*_: object) -> None:
    """Arm a crash point in a process that runs already."""
    point = Path(os.environ["FAULTS_ORDERS"]).read_text()
    arm(point)
    os.write(1, f"armed: {point}\n".encode())


signal.signal(signal.SIGUSR1, take_orders)
faulthandler.register(signal.SIGUSR2)  # says where every thread is

OFTEN = {"max_retries": 50, "min_backoff": 100, "time_limit": 60_000}


@once_a_process
def effects() -> Effects:
    return Effects(central_database(settings, upgraded=False))


def current() -> dramatiq.Message:
    message = CurrentMessage.get_current_message()
    assert message is not None
    return message


def begin(job: str) -> int:
    return effects().begin(job, current().message_id)


def done(job: str, key: str) -> None:
    effects().done(job, key, current().message_id)


@dramatiq.actor(queue_name=QUEUE, **OFTEN)
def one(job: str) -> None:
    begin(job)
    done(job, "one")


@dramatiq.actor(queue_name=CHAIN_QUEUE, **OFTEN)
def chain(job: str, step: int = 1) -> None:
    begin(job)
    if step < STEPS and step % 2:
        chain.send(job, step + 1)
    done(job, f"chain-{step}")
    if step < STEPS and not step % 2:
        chain.send(job, step + 1)


@dramatiq.actor(queue_name=QUEUE, **OFTEN)
def fan(job: str) -> None:
    begin(job)
    for number in range(LEAVES):
        leaf.send(job, number)
    done(job, "fan")


@dramatiq.actor(queue_name=CHAIN_QUEUE, **OFTEN)
def leaf(job: str, number: int) -> None:
    begin(job)
    done(job, f"leaf-{number}")


@dramatiq.actor(queue_name=QUEUE, **OFTEN)
def fickle(job: str) -> None:
    begin(job)
    if current().options.get("retries", 0) < 2:
        leaf.send(job, -1)  # must never arrive: the run that sends it fails
        raise Transient("not this time")
    done(job, "fickle")


@dramatiq.actor(queue_name=QUEUE, **OFTEN)
def waiting(job: str) -> None:
    begin(job)
    if current().options.get("deferrals", 0) < 2:
        raise Deferred("not yet", wait=0.3)
    done(job, "waiting")


@dramatiq.actor(queue_name=QUEUE, **OFTEN)
def slow(job: str) -> None:
    begin(job)
    time.sleep(1.0)
    done(job, "slow")


@dramatiq.actor(queue_name=QUEUE, **{**OFTEN, "time_limit": 1_500})
def limited(job: str) -> None:
    begin(job)
    limited_next.send(job)
    done(job, "limited")


@dramatiq.actor(queue_name=QUEUE, **OFTEN)
def limited_next(job: str) -> None:
    begin(job)
    done(job, "limited-next")


@dramatiq.actor(queue_name=QUEUE, **OFTEN)
def computing(job: str) -> None:
    begin(job)
    end = time.monotonic() + float(os.environ.get("FAULTS_COMPUTE", "1"))
    while time.monotonic() < end:
        pass
    done(job, "computing")


@dramatiq.actor(queue_name=QUEUE, **OFTEN)
def stumbling(job: str) -> None:
    first = begin(job) == 1
    folder = Path(os.environ["FAULTS_OBJECTS"])
    (folder / job).write_text(job)  # its name says whose it is, so a second run replaces it
    if first:
        os.kill(os.getpid(), signal.SIGKILL)
    done(job, "stumbling")


@dramatiq.actor(queue_name=QUEUE, **OFTEN)
def killer(job: str) -> None:
    begin(job)
    os.kill(os.getpid(), signal.SIGKILL)


@dramatiq.actor(queue_name=QUEUE, throws=Permanent, **OFTEN)
def refusing(job: str) -> None:
    begin(job)
    raise Permanent("request_invalid", detail="refused for good")


if os.environ.get("FAULTS_RELEASE") == "next":

    @dramatiq.actor(queue_name=QUEUE, **OFTEN)
    def new(job: str) -> None:
        begin(job)
        done(job, "new")
