"""The faults, as data: what is done to an installation that works, how it is mended, and what must hold then.

The numbers are those of the project's list of faults; ``docs/faults.md`` is written from this table. What must hold
after each of them, and is not repeated: nothing accepted is lost, nothing is done by two messages, nothing comes from
nowhere, no message is given up that does not deserve it, all queues are empty, and workers stop when they are asked to.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from .history import Answer, Verdict, read_log
from .installation import PATIENCE, WORKER, Installation
from .jobs import mixed
from .processes import Worker, await_that

Where = Literal["rabbitmq", "embedded", "own node"]
Act = Callable[[Installation], None]
Check = Callable[[Installation, Verdict], None]

#: Both brokers; a RabbitMQ and a PostgreSQL that other tests use too.
BOTH: tuple[Where, ...] = ("rabbitmq", "embedded")
SERVERS: tuple[Where, ...] = ("rabbitmq",)
OWN: tuple[Where, ...] = ("own node",)


def nothing(_: Installation) -> None:
    """Needs no mending."""


def no_more(_: Installation, __: Verdict) -> None:
    """Nothing beyond what always holds."""


def working(installation: Installation) -> None:
    """Have a worker."""
    installation.ensure()


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
      number: In the list.
      name: Stable, for people who run one alone.
      what: What happens, in words.
      inject: Does it, to an installation that is working on ``load``; returns when it has happened.
      heal: Mends it.
      holds: What must hold beyond what always does, in words.
      check: Looks whether it does.
      load: Jobs by kind that are handed in before; empty: ``inject`` hands in.
      before: Puts the installation to work; without workers where the fault starts its own.
      where: On which installations.
      run: ``ci``: with all tests. ``soak``: in ``scripts/soak`` and in ``pytest -m soak`` only, since it takes longer.
      mixes: May be played in the middle of a soak, while other work goes on.
    """

    number: int
    name: str
    what: str
    inject: Act
    heal: Act = working
    holds: str = ""
    check: Check = no_more
    load: Mapping[str, int] = field(default_factory=lambda: mixed(16))
    before: Act = working
    where: tuple[Where, ...] = BOTH
    run: Literal["ci", "soak"] = "ci"
    mixes: bool = True


# --- producers: P1 to P3


def producer_dies(point: str, installation: Installation) -> None:
    """A producer is killed at a point; another one hands in the same jobs again, as a client does that got no answer."""
    doomed = installation.producer({"GROWBIN_CRASHPOINT": point, "FAULTS_SENDERS": "1"})
    asked = installation.hand_in(mixed(8), by=doomed, wait=False)
    assert doomed.wait(PATIENCE) == -signal.SIGKILL, installation.last_words()
    answers = read_log(doomed.log)
    assert any(job.answer is Answer.UNKNOWN for job in answers.values())
    patient = installation.producer()
    patient.hand_in(asked)
    assert patient.answered(PATIENCE), installation.last_words()


def producer_dies_offline(point: str, installation: Installation) -> None:
    """As :func:`producer_dies`, while the broker is away."""
    assert installation.broker_link
    installation.broker_link.down()
    doomed = installation.producer({"GROWBIN_CRASHPOINT": point, "FAULTS_SENDERS": "1"})
    installation.hand_in(mixed(8), by=doomed, wait=False)
    assert doomed.wait(PATIENCE) == -signal.SIGKILL, installation.last_words()


def broker_back(installation: Installation) -> None:
    """Open the way to the broker, and have a worker."""
    assert installation.broker_link
    installation.broker_link.open()
    installation.ensure()


def all_done(installation: Installation, verdict: Verdict) -> None:
    """Whatever its producer knows, each job has come to its end."""
    assert not verdict.absent, f"never sent: {sorted(verdict.absent)}"


def confirms_held_up(installation: Installation, *, kill: bool) -> None:
    """Messages arrive, their confirms do not; then the connection is cut, or the producer killed."""
    link = installation.broker_link
    assert link
    producer = installation.producer({"GROWBIN_PUBLISH_TIMEOUT": "3"})
    installation.hand_in({"one": 1}, by=producer)  # connected
    link.stall("from")
    asked = installation.hand_in(mixed(8), by=producer, wait=False)
    assert producer.attempted(5, PATIENCE)
    time.sleep(0.5)  # nobody says that the broker has them: that is the fault
    if kill:
        producer.kill()
    link.cut()
    link.open()
    if kill:
        producer = installation.producer()
        producer.hand_in(asked)
    assert producer.answered(PATIENCE), installation.last_words()


def queue_deleted(installation: Installation) -> None:
    """Queues are deleted under a worker that waits, and a producer that has used them."""
    assert installation.rabbit
    installation.hand_in({"one": 2, "chain": 1})
    assert installation.settled(PATIENCE), installation.last_words()
    for queue in ("faults", "faults_chain"):
        installation.rabbit.delete_queue(queue)
    installation.hand_in(mixed(8))


# --- workers that die: C1 to C8


def dies_at(point: str, installation: Installation) -> None:
    """A worker is killed at a named point."""
    doomed = installation.start("doomed", env={"GROWBIN_CRASHPOINT": point})
    assert doomed.wait(PATIENCE) is not None, f"{point} was never reached.\n{installation.last_words()}"


def dies_running(installation: Installation) -> None:
    """A worker is killed while its actors run."""
    installation.await_begun(4)
    installation.workers[WORKER].kill()


def runs_once_each(installation: Installation, verdict: Verdict) -> None:
    """No run that had ended was done again."""
    assert verdict.reruns == 0, f"{verdict.reruns} runs were done again"


def one_object_each(installation: Installation, verdict: Verdict) -> None:
    """Each job has one object."""
    assert sorted(path.name for path in installation.objects.iterdir()) == sorted(verdict.done)


def poison_is_dead_after_three(installation: Installation, verdict: Verdict) -> None:
    """It was started three times, and given up then."""
    jobs = installation.history().jobs
    begun = installation.effects.runs("begin")
    assert {begun[job] for job in verdict.dead if jobs[job].dies and begun[job] and not jobs[job].keys} <= {1, 3}
    assert any(begun[job] == 3 for job in verdict.dead)


# --- connections and servers


def connections_reset(installation: Installation) -> None:
    """The worker's connections are reset with prefetched and running messages; some time later it is killed."""
    assert installation.broker_link
    installation.await_begun(4)
    for _ in range(3):
        installation.broker_link.cut()
        time.sleep(0.3)
    installation.await_begun(12)
    installation.workers[WORKER].kill()


def connections_closed(installation: Installation) -> None:
    """The broker closes all connections, under load."""
    assert installation.rabbit
    installation.await_begun(4)
    installation.rabbit.close_connections()


def answers_lost(which: Literal["broker", "database"], installation: Installation) -> None:
    """What is sent arrives, the answers are held up, and then the connections are cut."""
    link = installation.broker_link if which == "broker" else installation.database_link
    assert link
    installation.await_begun(4)
    link.stall("from")
    time.sleep(0.5)
    link.cut()
    link.open()


def down_for(which: Literal["broker", "database"], seconds: float, installation: Installation) -> None:
    """A server cannot be reached for some seconds, under load; producers go on."""
    link = installation.broker_link if which == "broker" else installation.database_link
    assert link
    installation.await_begun(4)
    link.down()
    installation.hand_in(mixed(8), wait=False)
    time.sleep(seconds)
    link.open()


def slow_links(installation: Installation) -> None:
    """All links are slow, and hold everything up now and then."""
    links = [link for link in (installation.broker_link, installation.database_link) if link]
    for link in links:
        link.latency = 0.02
    for n in range(6):
        link = links[n % len(links)]
        link.stall("to" if n % 4 < 2 else "from")
        time.sleep(0.3)
        link.open()
        link.latency = 0.02


def links_quick(installation: Installation) -> None:
    """All links are as they were."""
    for link in (installation.broker_link, installation.database_link):
        if link:
            link.open()
    installation.ensure()


def broker_restarted(installation: Installation) -> None:
    """kill -9 of RabbitMQ under load; it comes back on its files."""
    assert installation.rabbit
    installation.await_begun(4)
    installation.rabbit.node.kill_and_restart()


def memory_alarm(installation: Installation) -> None:
    """RabbitMQ blocks all publishers, under load; producers go on."""
    assert installation.rabbit
    control = installation.rabbit.node.control
    installation.await_begun(4)
    control("set_vm_memory_high_watermark", "0")
    try:
        installation.hand_in(mixed(8), wait=False)
        time.sleep(1.0)
    finally:
        control("set_vm_memory_high_watermark", "0.4")


def consumer_timeout(installation: Installation) -> None:
    """RabbitMQ closes channels whose messages stay unacknowledged for a second, while jobs take longer."""
    assert installation.rabbit
    control = installation.rabbit.node.control

    def limits(timeout: int, tick: int) -> None:
        settings = {"consumer_timeout": timeout, "channel_tick_interval": tick}
        control("eval", "".join(f"application:set_env(rabbit, {key}, {value})," for key, value in settings.items()) + "ok.")

    limits(600, 200)  # for channels that are opened from now on
    try:
        worker = installation.start()
        installation.hand_in({"slow": 6, "one": 6})
        assert worker.await_word("onsumer", 5) or True
        time.sleep(3.0)
    finally:
        limits(1_800_000, 60_000)


# --- the node


def frozen(installation: Installation) -> None:
    """A worker is frozen, loses its connections, others do its work; then it goes on as if nothing had happened."""
    installation.await_begun(4)
    zombie = installation.workers[WORKER]
    zombie.signal(signal.SIGSTOP)
    if installation.broker_link:
        installation.broker_link.cut()
    installation.start("other", node="node-2")
    installation.hand_in(mixed(8))
    time.sleep(2.0)
    zombie.signal(signal.SIGCONT)


def stopped_and_killed(installation: Installation) -> None:
    """SIGTERM under load, and SIGKILL before the worker could finish."""
    installation.await_begun(4)
    worker = installation.workers[WORKER]
    worker.popen.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    worker.kill()


@contextlib.contextmanager
def full_disk(worker: Worker) -> Iterator[None]:
    """Let no file of a process grow. SQLite answers the same as on a full disk."""
    processes = worker.tree()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for process in processes:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))


def journal_full(installation: Installation) -> None:
    """The journal cannot be written for some seconds, under load."""
    installation.await_begun(4)
    with full_disk(installation.workers[WORKER]):
        installation.hand_in(mixed(8), wait=False)
        time.sleep(3.0)


def journal_removed(installation: Installation) -> None:
    """The journal's files are deleted under a worker, which is killed some time later."""
    installation.await_begun(6)
    for path in journal_files(installation):
        path.unlink(missing_ok=True)
    time.sleep(1.0)
    installation.workers[WORKER].kill()


def journal_corrupted(installation: Installation) -> None:
    """A worker is killed, and its journal overwritten with noise."""
    installation.await_begun(6)
    installation.workers[WORKER].kill()
    for path in journal_files(installation):
        if path.exists() and not path.name.endswith("-shm"):
            path.write_bytes(installation.dice.randbytes(path.stat().st_size))


def journal_of_yesterday(installation: Installation) -> None:
    """A worker is killed, and its journal replaced by a copy from the beginning."""
    installation.await_begun(2)
    installation.workers[WORKER].kill()
    copies = {path: path.read_bytes() for path in journal_files(installation) if path.exists()}
    installation.ensure()
    installation.hand_in(mixed(8))
    installation.await_begun(12)
    installation.workers[WORKER].kill()
    for path in journal_files(installation):
        path.unlink(missing_ok=True)
    for path, content in copies.items():
        path.write_bytes(content)


def page_cache_lost(installation: Installation) -> None:
    """A worker is killed, and the end of its journal's log is gone, as after a reset of the machine."""
    installation.await_begun(8)
    installation.workers[WORKER].kill()
    log = installation.journal().with_name(installation.journal().name + "-wal")
    if log.exists():
        os.truncate(log, log.stat().st_size // 2)


def journal_files(installation: Installation) -> list:
    """The three files of the journal."""
    path = installation.journal()
    return [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm")]


def clocks_wrong(installation: Installation) -> None:
    """Two nodes whose clocks are an hour slow and an hour fast share the work with one that is right."""
    for name, hours in (("slow clock", -1), ("fast clock", 1)):
        installation.start(name, node=name.replace(" ", "-"), env={"FAULTS_CLOCK": str(3600 * hours)})
    installation.hand_in(mixed(16))


def hub_blocked(installation: Installation) -> None:
    """Greenlets compute for longer than three heartbeats while others have work prefetched."""
    installation.hand_in({"computing": 2, "one": 20, "chain": 4})
    installation.await_done(2)


def restarted_often(times: int, installation: Installation) -> None:
    """A worker is killed again and again while retries and deferrals wait."""
    for _ in range(times):
        worker = installation.ensure()
        begun = installation.begun()
        await_that(lambda begun=begun: installation.begun() > begun, 5)
        worker.kill()


def next_release(installation: Installation) -> None:
    """Workers of the next release come, with one more actor; those of the last one go, under load."""
    installation.await_begun(4)
    following = installation.start("next", env={"FAULTS_RELEASE": "next"})
    assert following.await_word("ready for action", PATIENCE), installation.last_words()
    old = installation.workers.pop(WORKER)
    assert old.stop(PATIENCE), installation.last_words()
    installation.hand_in({"new": 4} | mixed(4))


def overtaken_by_the_clock(installation: Installation) -> None:
    """What a run owes cannot be published for longer than its actor's time limit."""
    link = installation.broker_link
    assert link
    installation.hand_in({"limited": 8}, wait=True)
    installation.await_begun(1)
    link.stall("to")
    time.sleep(3.0)
    link.open()


def both_run_it(installation: Installation) -> None:
    """Each job is handed in twice, to two nodes that work side by side."""
    installation.start("other", node="node-2")
    for name in (WORKER, "other"):
        assert installation.workers[name].await_word("ready for action", PATIENCE), installation.last_words()
    asked = installation.hand_in(mixed(16))
    twin = installation.producer()
    twin.hand_in(asked)
    assert twin.answered(PATIENCE)


EMPTY: dict[str, int] = {}
CHAINS = {"chain": 8, "fan": 3, "one": 4}


def at(number: int, point: str, holds: str, check: Check = no_more, load: Mapping[str, int] | None = None) -> Fault:
    """A worker that dies at a crash point; nobody else works meanwhile."""
    what = f"a worker is killed at `{point}`"
    slug = "dies-at-" + point.replace(".", "-").replace(":", "-")
    return Fault(
        number, slug, what, partial(dies_at, point), holds=holds, check=check, before=nothing, load=load or CHAINS
    )


FAULTS: tuple[Fault, ...] = (
    Fault(1, "producer-dies-before-accept", "a producer is killed before its message is anywhere, and its client tries "
          "again", partial(producer_dies, "producer.publish.before:3"), load=EMPTY, check=all_done,
          holds="one job each"),
    Fault(2, "producer-dies-after-accept", "broker away: a producer is killed when its message is in the journal, not "
          "sent", partial(producer_dies_offline, "producer.accept.after:3"), heal=broker_back, load=EMPTY,
          check=all_done, where=SERVERS, before=nothing, holds="the node's next process sends it"),
    Fault(3, "producer-dies-unconfirmed", "messages arrive, the producer is killed before it hears so, its client tries "
          "again", partial(confirms_held_up, kill=True), load=EMPTY, where=SERVERS, check=all_done,
          holds="copies run once"),
    Fault(4, "confirm-lost", "messages arrive, the connection is cut before the confirms",
          partial(confirms_held_up, kill=False), load=EMPTY, where=SERVERS, holds="copies run once"),
    Fault(5, "queue-deleted", "queues are deleted under workers and producers", queue_deleted, load=EMPTY, where=SERVERS,
          check=all_done, holds="declared again, and consumed", mixes=False),
    Fault(6, "producer-dies-after-confirm", "a producer is killed between confirm and answer, its client tries again",
          partial(producer_dies, "producer.publish.after:3"), load=EMPTY, check=all_done, holds="the same job"),
    at(7, "message.received", "delivered again"),
    at(8, "message.begun", "runs again"),
    at(8, "actor.before:5", "runs again"),
    Fault(8, "dies-running", "kill -9 while actors run", dies_running, load=mixed(16) | {"slow": 4},
          holds="runs again"),
    Fault(10, "dies-after-the-object", "an actor stores an object and its process dies before the row is committed",
          nothing, load={"stumbling": 2, "one": 6}, check=one_object_each, mixes=False,
          holds="one object, one row"),
    Fault(11, "database-answers-lost", "the database commits, the connection is cut before it says so",
          partial(answers_lost, "database"), where=SERVERS, holds="written once by key"),
    at(12, "actor.after:4", "runs again, has its effect once"),
    at(12, "commit.before:4", "runs again, has its effect once"),
    at(12, "commit.after:4", "not run again; its follow-ups are sent", runs_once_each),
    at(13, "publish.before:2", "all follow-ups arrive", runs_once_each),
    at(13, "publish.after:3", "all follow-ups arrive, each once", runs_once_each),
    at(14, "ack.before:4", "acknowledged without a second run", runs_once_each),
    at(15, "ack.after:4", "acknowledged without a second run", runs_once_each),
    Fault(15, "broker-answers-lost", "acknowledgements and publishes arrive, the answers do not, the connection is cut",
          partial(answers_lost, "broker"), where=SERVERS),
    Fault(16, "connections-reset", "connections are reset again and again with messages prefetched and running; then "
          "kill -9", connections_reset, where=SERVERS, load=mixed(24) | {"slow": 6},
          holds="nobody acknowledges another's message"),
    Fault(16, "connections-closed", "RabbitMQ closes all connections", connections_closed, where=SERVERS,
          load=mixed(24) | {"slow": 6}),
    Fault(17, "handed-in-twice", "the same jobs are handed in twice, to two nodes", both_run_it, load=EMPTY,
          holds="one effect each; without a claim both nodes may run it"),
    Fault(18, "frozen", "SIGSTOP of a worker whose messages others run meanwhile, SIGCONT", frozen,
          load=mixed(16) | {"slow": 4}, holds="its late ends change nothing"),
    Fault(19, "broker-killed", "kill -9 of RabbitMQ, and a restart on its files", broker_restarted, where=OWN,
          load=mixed(24), mixes=False),
    Fault(19, "memory-alarm", "RabbitMQ blocks all publishers", memory_alarm, where=OWN, mixes=False),
    Fault(20, "broker-away", "RabbitMQ cannot be reached for 4 s; producers go on", partial(down_for, "broker", 4.0),
          where=SERVERS),
    Fault(20, "broker-away-long", "RabbitMQ cannot be reached for a minute", partial(down_for, "broker", 60.0),
          where=SERVERS, run="soak", mixes=False),
    Fault(21, "database-away", "PostgreSQL cannot be reached for 4 s", partial(down_for, "database", 4.0),
          where=SERVERS),
    Fault(22, "journal-full", "the journal's disk is full for 3 s", journal_full, holds="resumes by itself"),
    Fault(23, "journal-deleted", "the journal is deleted under a worker, then kill -9", journal_removed),
    Fault(23, "journal-corrupted", "kill -9, and the journal is noise", journal_corrupted, holds="put aside"),
    Fault(23, "journal-of-yesterday", "kill -9, and the journal is an old copy", journal_of_yesterday, mixes=False),
    Fault(24, "page-cache-lost", "kill -9, and half of the journal's log is gone (stands for a reset of the machine)",
          page_cache_lost),
    Fault(25, "wrong-clocks", "two nodes' clocks are an hour slow and an hour fast", clocks_wrong, where=SERVERS,
          load=EMPTY),
    Fault(26, "poison", "an actor kills its own process, each time it runs", nothing,
          load=mixed(12) | {"killer": 1}, check=poison_is_dead_after_three, mixes=False,
          holds="given up after three starts; its neighbours are not"),
    Fault(27, "time-limit-in-bookkeeping", "publishing what a run owes takes longer than the actor's time limit",
          overtaken_by_the_clock, load=EMPTY, where=SERVERS),
    Fault(28, "hub-blocked", "greenlets compute for three heartbeats", hub_blocked, load=EMPTY, where=SERVERS,
          before=lambda installation: installation.start(gevent=True, threads=50) and None,
          holds="heartbeats go on"),
    Fault(29, "stopped-and-killed", "SIGTERM under load, SIGKILL before it could finish", stopped_and_killed,
          load=mixed(16) | {"slow": 6}),
    Fault(30, "next-release", "workers of the next release, with one more actor, replace the old ones", next_release,
          mixes=False, check=all_done),
    Fault(31, "consumer-timeout", "RabbitMQ's consumer_timeout is shorter than the jobs", consumer_timeout, where=OWN,
          load=EMPTY, before=nothing, mixes=False, run="soak"),
    Fault(32, "restarted-often", "five kill -9 while retries and deferrals wait", partial(restarted_often, 5),
          load={"fickle": 10, "waiting": 10, "one": 4}, holds="none is given up"),
    Fault(32, "restarted-30-times", "thirty kill -9 while retries and deferrals wait", partial(restarted_often, 30),
          load={"fickle": 20, "waiting": 20, "one": 20}, holds="none is given up", run="soak", mixes=False),
    Fault(35, "slow-links", "each link is slow and stalls", slow_links, heal=links_quick, where=SERVERS),
)  # fmt: skip

#: Faults of the list that are proven elsewhere, or not yet: why.
ELSEWHERE: dict[int, str] = {
    9: "a paid call is answered and its worker dies before the answer is stored: `tests/e2e/test_faults.py` kills "
    "workers in model calls; the lease that bounds the calls to one is not built yet",
    33: "S3 and models that fail, hang or answer nonsense: `tests/e2e/test_faults.py`, "
    "`tests/integration/test_s3_faults.py`",
    34: "two schedulers: the scheduler is not built yet",
}

_ = threading
