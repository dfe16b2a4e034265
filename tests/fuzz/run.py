"""Send odd messages to a real worker process, and judge what became of each. ``scripts/fuzz --help``."""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from dramatiq import Message
from dramatiq.errors import BrokerConnectionError

from fuzz.behaviours import MAX_RETRIES
from fuzz.oddities import Odd, messages
from fuzz.oracle import as_delivered, judged
from fuzz.sites import ENDED, NAMELESS, QUEUES, Site, State
from fuzz.variety import various

TESTS = Path(__file__).resolve().parents[1]

THREADS = 16

LIMITS = ["--processes", "1", "--threads", str(THREADS), "--worker-shutdown-timeout", "10000"]

#: Odd messages before each ordinary one.
BETWEEN = 8

#: Bytes that the worker may have taken at the end: what it starts with, and what a few large messages need.
MOST_MEMORY = 900_000_000

#: A message may run once more than its retries allow for each time that it had to be requeued.
REQUEUES = 2

#: What no message may make a worker say.
NEVER_SAID = ("You've found a bug in Dramatiq", "Exception in thread", "fuzz.child_hung", "Fatal Python error")


@dataclass(slots=True)
class Report:
    """What has happened.

    Attributes:
      accepted: Odd messages that were taken, and those put in as bytes.
      refused: Errors with which ``enqueue`` refused others.
      faults: What should not be, in words.
      ordinary: Numbers of the ordinary messages.
      states, codes: How many ended in which state, and why as dead letters.
      memory: Bytes that the worker had taken at the end.
      seconds: From the first message to the end of the last.
    """

    accepted: list[Odd] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    ordinary: set[int] = field(default_factory=set)
    states: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    memory: int = 0
    seconds: float = 0.0


def play(
    site: Site,
    count: int,
    seed: int,
    *,
    of: int | None = None,
    command: str = "dramatiq",
    patience: float = 90.0,
    start: Callable[..., subprocess.Popen[Any]] = subprocess.Popen,
) -> Report:
    """Send so many odd messages with ordinary ones between them, and return what became of them.

    Parameters:
      site: Where.
      count: Odd messages.
      seed: Names the messages.
      of: So many, from which those that show something new are chosen first; None: as they come.
      command: ``dramatiq`` or ``dramatiq-gevent``.
      patience: Seconds in which all must have ended after the last was sent.
      start: What starts the worker, as :class:`subprocess.Popen` does.
    """
    report = Report()
    began = time.monotonic()
    (site.folder / "effects").touch()
    with (site.folder / "worker.log").open("wb") as log:
        worker = start(
            [str(Path(sys.executable).parent / command), "fuzz.app", *LIMITS],
            env=os.environ | site.env, cwd=TESTS, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            _send(site, report, messages(count, seed) if of is None else various(messages(of, seed), count))
            _wait(site, report, worker, patience)
            _meet(site, report)
            report.memory = sum(each.memory_info().rss for each in psutil.Process(worker.pid).children())
        finally:
            _stop(worker, report)
    report.seconds = time.monotonic() - began
    _judge(site, report)
    return report


def _send(site: Site, report: Report, odds: Iterable[Odd]) -> None:
    broker = site.engine.broker
    broker.enqueue(_message("ordinary", -1))  # makes the queue
    report.ordinary.add(-1)
    with site.raw() as put:
        for odd in odds:
            if odd.message is None:
                put(odd)
                report.accepted.append(odd)
            else:
                try:
                    broker.enqueue(odd.message, delay=odd.delay)
                except BrokerConnectionError as error:
                    report.faults.append(f"refused as if the broker were away ({error}): {odd}")
                except Exception as error:
                    report.refused[type(error).__name__] += 1
                else:
                    report.accepted.append(odd)
            if odd.number % BETWEEN == 0:
                broker.enqueue(_message("ordinary", odd.number))
                report.ordinary.add(odd.number)


def _message(actor: str, argument: int, queue: str = "odd") -> Message[None]:
    return Message(queue_name=queue, actor_name=actor, args=(argument,), kwargs={}, options={})


def _wait(site: Site, report: Report, worker: subprocess.Popen[Any], patience: float) -> None:
    """Wait until every message has ended, or may wait; or until somebody must have been forgotten."""
    end = time.monotonic() + patience
    while time.monotonic() < end and worker.poll() is None:
        if not (report.ordinary - _runs(site)["ordinary"].keys()) and not _open(site, report):
            return
        time.sleep(0.5)


def _open(site: Site, report: Report) -> list[Odd]:
    """Return the messages that have neither ended nor may wait."""
    states = site.states()
    found = []
    for odd in report.accepted:
        message_id, queue = _named(odd)
        if queue not in QUEUES:
            continue
        state = states.get(message_id, State())
        if state.state not in ENDED and not (odd.may_wait and _comes_back(state)):
            found.append(odd)
    return found


def _named(odd: Odd) -> tuple[str, str | None]:
    """Return a message's id and queue; no queue where its bytes are no message."""
    if odd.message is not None:
        return odd.message.message_id, odd.message.queue_name
    fields = as_delivered(odd)
    return ("", None) if fields is None else (fields["message_id"], fields["queue_name"])


def _comes_back(state: State) -> bool:
    return state.state == "unknown" or (state.state == "failed" and state.due_at is not None)


def _waiting(site: Site, report: Report) -> int:
    """Return how many messages have not ended and may: they come due again after the worker has gone."""
    ended = {task_id for task_id, each in site.states().items() if each.state in ENDED}
    return sum(odd.may_wait and (odd.message is None or odd.message.message_id not in ended) for odd in report.accepted)


def _runs(site: Site) -> dict[str, Counter[int]]:
    """Return how often which message ran, as far as it had its number."""
    found: dict[str, Counter[int]] = {word: Counter() for word in ("odd", "ordinary", "met", "lost")}
    for line in (site.folder / "effects").read_text("utf-8", "replace").splitlines():
        word, _, number = line.partition(" ")
        if re.fullmatch(r"-?\d+", number):
            found[word][int(number)] += 1
    return found


def _meet(site: Site, report: Report) -> None:
    """See that each thread of the worker still works: so many actors must run at the same time."""
    for _ in range(THREADS):
        site.engine.broker.enqueue(_message("meet", THREADS, "meeting"))
    end = time.monotonic() + 45
    while _runs(site)["met"][THREADS] < THREADS:
        if time.monotonic() > end:
            report.faults.append(f"not all of {THREADS} threads of the worker work any more")
            return
        time.sleep(0.2)


def _stop(worker: subprocess.Popen[Any], report: Report) -> None:
    if worker.poll() is not None:
        report.faults.append(f"the worker ended by itself with {worker.returncode}")
        return
    worker.send_signal(signal.SIGTERM)
    try:
        code = worker.wait(45)
    except subprocess.TimeoutExpired:
        report.faults.append("the worker did not stop")
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    else:
        if code:
            report.faults.append(f"the worker ended with {code}")


def _judge(site: Site, report: Report) -> None:
    runs = _runs(site)
    missing = report.ordinary - runs["ordinary"].keys()
    if missing:
        report.faults.append(f"{len(missing)} ordinary messages never ran, such as {sorted(missing)[:5]}")
    twice = {number: times for number, times in runs["ordinary"].items() if times > 1}
    if twice:
        report.faults.append(f"ordinary messages ran more than once: {dict(list(twice.items())[:5])}")
    if runs["lost"]:
        report.faults.append(f"what a failed actor had sent was delivered {runs['lost'].total()} times")
    for odd in _open(site, report)[:20]:
        report.faults.append(f"has not ended: {site.states().get(_named(odd)[0])} {odd}")
    for odd in report.accepted:
        if runs["odd"][odd.number] > _most_runs(odd):
            report.faults.append(f"ran {runs['odd'][odd.number]} times: {odd}")
    report.faults += judged(site, report.accepted, runs["odd"])
    left, waiting = site.left(), _waiting(site, report)
    if sum(left.values()) > waiting:
        report.faults.append(f"messages are left: {left}, of which {waiting} may come due again")
    if report.memory > MOST_MEMORY:
        report.faults.append(f"the worker has taken {report.memory / 1e6:.0f} MB")
    said = (site.folder / "worker.log").read_text("utf-8", "replace")
    for words in NEVER_SAID:
        if words in said:
            report.faults.append(f"the worker has said {words!r} {said.count(words)} times")
    states = [state for task_id, state in site.states().items() if not task_id.startswith(NAMELESS)]
    report.states.update(each.state for each in states)
    report.codes.update(each.code for each in states if each.state == "dead")


def _most_runs(odd: Odd) -> int:
    limit = odd.message.options.get("max_retries", MAX_RETRIES) if odd.message is not None else MAX_RETRIES
    if type(limit) is not int or not limit >= 0:
        limit = MAX_RETRIES
    if odd.may_wait:  # a deferral costs no retry
        limit += 300
    return 1 + limit + REQUEUES


def main() -> int:
    """Run it from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000, help="odd messages, half of them on each broker")
    parser.add_argument("--seed", type=int, help="of a run that is to be repeated; default: a new one")
    parser.add_argument("--broker-url", help="amqp://… of a private RabbitMQ; default: the embedded broker alone")
    parser.add_argument("--command", default="dramatiq", choices=("dramatiq", "dramatiq-gevent"))
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(2**32)
    urls = [None] if given.broker_url is None else [None, given.broker_url]
    faults = 0
    for url in urls:
        folder = Path(tempfile.mkdtemp(prefix="growbin-fuzz-"))
        with closing(Site(folder, url)) as site:
            report = play(site, given.messages // len(urls), seed, command=given.command)
        show(report, seed, "RabbitMQ" if url else "embedded", folder)
        faults += len(report.faults)
    return 1 if faults else 0


def show(report: Report, seed: int, where: str, folder: Path) -> None:
    """Print a report."""
    print(
        f"{where}: seed {seed}, {len(report.accepted)} odd messages taken, {report.refused.total()} refused "
        f"({dict(report.refused)}), {len(report.ordinary)} ordinary, {dict(report.states)}, "
        f"dead of {dict(report.codes)}, "
        f"{report.memory / 1e6:.0f} MB, {report.seconds:.0f} s; log: {folder / 'worker.log'}",
        flush=True,
    )
    for fault in report.faults:
        print(f"  FAULT {fault.encode('utf-8', 'backslashreplace').decode()}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
