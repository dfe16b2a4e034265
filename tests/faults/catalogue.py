"""The faults, as data: what is done to an installation that works, how it is mended, and what must hold then.

The numbers are those of the project's list of faults; the table in ``docs/faults.md`` is this one. What must hold after
each of them is not repeated: nothing accepted is lost, nothing is done by two messages, nothing comes from nowhere, no
message is given up that does not deserve it, all queues run empty, and workers stop when they are told to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from faults.checks import all_came_to_an_end, ended_stays_ended, given_up_within_five_starts, no_more, one_object_each
from faults.history import Disposition
from faults.inject import journal, network, producers, rabbitmq, workers
from faults.installation import Installation
from faults.jobs import mixed

Where = Literal["rabbitmq", "embedded", "own node"]
Act = Callable[[Installation], None]

BOTH: tuple[Where, ...] = ("rabbitmq", "embedded")
SERVERS: tuple[Where, ...] = ("rabbitmq",)
EMBEDDED: tuple[Where, ...] = ("embedded",)
OWN: tuple[Where, ...] = ("own node",)


def nothing(_: Installation) -> None:
    """The load itself is the fault, or nothing needs to be prepared."""


def working(installation: Installation) -> None:
    """Have a worker."""
    installation.ensure()


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
      number: In the list.
      name: Stable, for people who run it alone.
      what: What happens, in words.
      inject: Does it, and returns when it has happened.
      holds: What must hold beyond what always does, in words.
      check: Looks whether it does.
      load: Jobs by kind that are handed in before.
      drips: Jobs keep coming in while it happens.
      before: Puts the installation to work.
      heal: Mends it.
      where: On which installations. ``own node``: a RabbitMQ that no other test uses.
      ci: On which of them with all tests; None: on all. What comes before the broker, is decided by the journal or by
        the database, or is a kill that crash points play on the other, needs one of them. What happens to a node of
        RabbitMQ needs one to start, for longer than all else here takes: there is one in
        ``tests/integration/test_rabbitmq_outages.py``. The rest is played by ``GROWBIN_TEST_ALL=1``, and by
        ``scripts/soak``.
      mixes: ``scripts/soak`` may play it among others, on workers that are already at work.
    """

    number: int
    name: str
    what: str
    inject: Act
    holds: str = ""
    check: Callable[[Installation, Disposition], None] = no_more
    load: Mapping[str, int] = field(default_factory=lambda: mixed(16))
    drips: bool = True
    before: Act = working
    heal: Act = working
    where: tuple[Where, ...] = BOTH
    ci: tuple[Where, ...] | None = None
    mixes: bool = True

    @property
    def in_ci(self) -> tuple[Where, ...]:
        """Where it is played with all tests."""
        return self.where if self.ci is None else self.ci


def play(fault: Fault, installation: Installation, *, drips: bool) -> None:
    """Put an installation to work, let the fault happen to it, and mend it.

    Parameters:
      fault: What happens.
      installation: To whom.
      drips: Let jobs come in while it happens.
    """
    installation.begin()
    fault.before(installation)
    if fault.load:
        installation.hand_in(fault.load)
    with installation.dripping() if drips else contextlib.nullcontext():
        fault.inject(installation)
    fault.heal(installation)


def quiet(number: int, name: str, what: str, inject: Act, holds: str = "", **more: Any) -> Fault:
    """A fault that hands in its own jobs."""
    return Fault(number, name, what, inject, holds, **{"load": {}, "drips": False, **more})


def at(
    number: int, point: str, holds: str, check: Callable[[Installation, Disposition], None] = no_more, **more: Any
) -> Fault:
    """A worker that is killed at a crash point."""
    name = f"dies-at-{point.replace('.', '-').replace(':', '-')}"
    inject = partial(workers.dies_at, point, {"chain": 8, "fan": 3, "one": 4})
    return quiet(number, name, f"kill -9 at `{point}`", inject, holds, check=check, **more)


FAULTS: tuple[Fault, ...] = (
    quiet(1, "producer-dies-before-accept", "a producer is killed before its message is anywhere, the client retries",
          partial(producers.producer_dies, "producer.publish.before:3"), "one job", check=all_came_to_an_end,
          ci=EMBEDDED),
    quiet(2, "producer-dies-after-accept", "broker away: a producer is killed, its messages are in the journal, unsent",
          partial(producers.producer_dies_offline, "producer"), "the node's next producer sends them",
          check=all_came_to_an_end, where=SERVERS),
    quiet(2, "kept-for-the-keeper", "as before, and the node has workers and no other producer",
          partial(producers.producer_dies_offline, "keeper"), "the keeper sends them",
          check=all_came_to_an_end, where=SERVERS),
    quiet(3, "producer-dies-unconfirmed", "a message arrives, its producer is killed unconfirmed, the client retries",
          partial(producers.confirms_held_up, kill=True), "copies are one job", where=SERVERS,
          check=all_came_to_an_end),
    quiet(4, "confirm-lost", "messages arrive, the connection is cut before the confirms",
          partial(producers.confirms_held_up, kill=False), "copies are one job", where=SERVERS),
    quiet(5, "queue-deleted", "queues are deleted under workers and producers", rabbitmq.queue_deleted,
          "declared again and consumed", where=SERVERS, check=all_came_to_an_end, mixes=False),
    quiet(6, "producer-dies-after-confirm", "a producer is killed before it can say yes, the client retries",
          partial(producers.producer_dies, "producer.publish.after:3"), "one job", check=all_came_to_an_end),
    at(7, "message.received", "delivered again"),
    at(8, "message.begun", "runs again", ci=EMBEDDED),
    at(8, "actor.before:5", "runs again", ci=EMBEDDED),
    Fault(8, "dies-running", "kill -9 while actors run", workers.dies_running, "runs again",
          load=mixed(16) | {"slow": 4}, ci=SERVERS),
    Fault(10, "dies-after-the-object", "an actor's process dies between its object and its row", nothing,
          "one object, one row", one_object_each, {"stumbling": 2, "one": 6}, drips=False, ci=EMBEDDED, mixes=False),
    Fault(11, "database-answers-lost", "the database commits, the connection is cut before it says so",
          partial(network.answers_lost, "database"), "written once by key", where=SERVERS),
    at(12, "actor.after:4", "runs again, has its effect once", ci=EMBEDDED),
    at(12, "commit.before:4", "runs again, has its effect once"),
    at(12, "commit.after:4", "not run again, follow-ups sent", ended_stays_ended),
    at(13, "publish.before:2", "all follow-ups arrive", ended_stays_ended),
    at(13, "publish.after:3", "all follow-ups arrive, each once", ended_stays_ended),
    at(14, "ack.before:4", "acknowledged without a second run", ended_stays_ended),
    at(15, "ack.after:4", "acknowledged without a second run", ended_stays_ended),
    Fault(15, "broker-answers-lost", "publishes and acknowledgements arrive, the connection is cut before the answers",
          partial(network.answers_lost, "broker"), "follow-ups run once", where=SERVERS),
    Fault(16, "connections-reset", "connections are reset with messages prefetched and running, then kill -9",
          network.connections_reset, "nobody acknowledges another's message", load=mixed(24) | {"slow": 6},
          where=SERVERS),
    Fault(16, "connections-closed", "RabbitMQ closes all connections", rabbitmq.connections_closed,
          load=mixed(24) | {"slow": 6}, where=SERVERS),
    quiet(17, "handed-in-twice", "the same jobs are handed in twice, to two nodes", producers.handed_in_twice,
          "one effect each; without a claim both nodes may run it", ci=SERVERS),
    Fault(18, "frozen", "SIGSTOP, others run its messages meanwhile, SIGCONT", workers.frozen,
          "its late ends change nothing", load=mixed(16) | {"slow": 4}),
    Fault(19, "broker-killed", "kill -9 of RabbitMQ, and a restart on its files", rabbitmq.killed, where=OWN,
          ci=(), before=rabbitmq.queues_known, load=mixed(24) | {"slow": 4}, mixes=False),
    Fault(19, "memory-alarm", "RabbitMQ blocks all publishers", rabbitmq.memory_alarm, where=OWN, ci=(),
          mixes=False),
    Fault(20, "broker-away", "RabbitMQ cannot be reached for 4 s, producers go on",
          partial(network.down_for, "broker", 4.0), "accepted meanwhile", where=SERVERS),
    Fault(20, "broker-away-long", "RabbitMQ cannot be reached for a minute, producers go on",
          partial(network.down_for, "broker", 60.0), "accepted meanwhile", where=SERVERS, ci=(), mixes=False),
    Fault(21, "database-away", "PostgreSQL cannot be reached for 4 s", partial(network.down_for, "database", 4.0),
          where=SERVERS),
    Fault(22, "journal-full", "the journal's disk is full for 3 s", journal.full, "resumes by itself",
          ci=SERVERS),
    Fault(23, "journal-deleted", "the journal is deleted under a worker, then kill -9", journal.removed,
          ci=EMBEDDED),
    Fault(23, "journal-corrupted", "kill -9, and the journal is noise", journal.corrupted, "put aside",
          ci=EMBEDDED),
    Fault(23, "journal-of-yesterday", "kill -9, and the journal is an old copy", journal.of_yesterday,
          ci=SERVERS, mixes=False),
    Fault(24, "page-cache-lost", "kill -9, and half of the journal's log is gone, as after a reset of the machine",
          journal.log_cut_short, ci=SERVERS),
    quiet(25, "wrong-clocks", "two nodes' clocks are an hour slow and an hour fast", workers.clocks_wrong,
          "no retry is lost", where=SERVERS),
    Fault(26, "poison", "an actor kills its own process each time it runs", nothing,
          "given up within five starts, its neighbours are not", given_up_within_five_starts,
          mixed(12) | {"killer": 1}, drips=False, ci=EMBEDDED, mixes=False),
    quiet(27, "time-limit-in-bookkeeping", "publishing a run's outbox takes longer than the actor's time limit",
          network.overtaken_by_the_clock, "no thread is lost", where=SERVERS),
    quiet(28, "hub-blocked", "greenlets compute without a pause", workers.hub_blocked, "heartbeats go on",
          before=workers.with_greenlets, where=SERVERS, mixes=False),
    Fault(29, "stopped-and-killed", "SIGTERM under load, SIGKILL before it could finish", workers.stopped_and_killed,
          load=mixed(16) | {"slow": 6}, ci=SERVERS),
    Fault(30, "next-release", "workers of the next release, with one more actor, replace the old ones",
          workers.next_release, "no unknown actor, no mismatch", all_came_to_an_end, ci=EMBEDDED, mixes=False),
    quiet(31, "consumer-timeout", "RabbitMQ's consumer_timeout is shorter than the jobs", rabbitmq.consumer_timeout,
          "they end all the same", where=OWN, ci=(), before=nothing, mixes=False),
    Fault(32, "restarted-often", "five kill -9 while retries and deferrals wait", partial(workers.restarted_often, 5),
          "none is given up", load={"fickle": 10, "waiting": 10, "one": 4}, ci=EMBEDDED),
    Fault(32, "restarted-30-times", "thirty kill -9 while retries and deferrals wait",
          partial(workers.restarted_often, 30), "none is given up", load={"fickle": 20, "waiting": 20, "one": 20},
          ci=(), mixes=False),
    Fault(35, "slow-links", "each link is slow and stalls", network.slow_links, where=SERVERS),
)  # fmt: skip

#: Faults of the list that are proven elsewhere, or cannot be yet.
ELSEWHERE: dict[int, str] = {
    9: "a worker dies between the answer to a paid call and its keeping: what came is lost and asked for once more, "
    "and the first request stays in the accounts as unknown. `tests/e2e/test_faults.py` kills workers in model calls, "
    "`tests/contract/test_killed_callers.py` those that hold a grant, `tests/contract/test_shared_answers.py` those "
    "that hold the right to ask",
    33: "S3 and models that fail, hang or talk nonsense: `tests/e2e/test_faults.py` and "
    "`tests/integration/test_s3_faults.py`",
    34: "two schedulers, or one killed at its tick: `tests/integration/test_scheduler.py`",
}
