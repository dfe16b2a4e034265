"""What must come out, given what went in: a checker of recorded histories, after Jepsen's total-queue.

A history is what outsiders have seen: what a producer tried and what it was told, which effects the workers left
behind, which messages lie among the dead letters. It is judged after everything is well again and all queues have run
empty. A send whose answer nobody saw (the producer was killed, the confirm did not come) may have happened or not:
that is ``unknown``, never "failed". But what has begun must also end: an unknown job with one effect owes all others.

::

    attempted ──┬── acknowledged ──┐
                ├── unknown, seen ─┴──> must be done or dead, else LOST
                ├── unknown, not seen: it did not happen
                └── refused: must not be seen, else UNEXPECTED
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Answer(StrEnum):
    """What the producer was told."""

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class Effect(NamedTuple):
    """One thing that a worker has done.

    Attributes:
      job: For whom.
      key: What; each key of a job may be done once.
      by: Id of the message that did it. A second run of the same message finds its key done and changes nothing, so a
        second row means that one step went on as two messages.
    """

    job: str
    key: str
    by: str


class Dead(NamedTuple):
    """A dead letter of a job."""

    job: str
    by: str


@dataclass(frozen=True, slots=True)
class Job:
    """What was handed in.

    Attributes:
      keys: The effects that it is done with.
      dies: It is meant to end as a dead letter (it kills its workers, or refuses for good).
      answer: What the producer was told.
    """

    keys: frozenset[str]
    dies: bool = False
    answer: Answer = Answer.UNKNOWN


@dataclass(frozen=True)
class History:
    """Everything that was seen.

    Attributes:
      jobs: By id.
      effects: All rows; of any order.
      dead: All dead letters; a message may be there twice.
      finished: How often each message's run reached its end, by message id.
    """

    jobs: Mapping[str, Job]
    effects: Iterable[Effect] = ()
    dead: Iterable[Dead] = ()
    finished: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Disposition:
    """What a history proves. Ids in sets; ``lost``, ``duplicated`` and ``unexpected`` must be empty.

    Attributes:
      lost: Accepted (told so, or begun), and neither done nor dead.
      duplicated: ``job/key`` of effects that two different messages had.
      unexpected: ``job/key`` that nobody asked for: of an unknown job, of a refused one, or a key it does not have;
        also dead letters of jobs that nobody handed in.
      done: All effects there.
      dead: Ended as a dead letter and not done.
      killed: Dead or lost in part although it was to be done: not lost, but something gave it up.
      undead: Meant to die, and yet it had effects.
      recovered: The producer did not know, and it was done.
      absent: The producer did not know, and nothing of it was seen.
      acknowledged: Number of jobs that the producer was told are accepted.
      reruns: Runs that ended beyond the first of each message; allowed, and counted.
    """

    lost: frozenset[str]
    duplicated: frozenset[str]
    unexpected: frozenset[str]
    done: frozenset[str]
    dead: frozenset[str]
    killed: frozenset[str]
    undead: frozenset[str]
    recovered: frozenset[str]
    absent: frozenset[str]
    acknowledged: int
    reruns: int

    @property
    def holds(self) -> bool:
        """True when nothing was lost, nothing done twice, and nothing came from nowhere."""
        return not (self.lost or self.duplicated or self.unexpected)

    def counts(self) -> dict[str, int]:
        """All of it as numbers."""
        sets = ("lost", "duplicated", "unexpected", "done", "dead", "killed", "undead", "recovered", "absent")
        return {name: len(getattr(self, name)) for name in sets} | {
            "acknowledged": self.acknowledged,
            "reruns": self.reruns,
        }

    def __str__(self) -> str:
        words = [" ".join(f"{name}={count}" for name, count in self.counts().items())]
        for name in ("lost", "duplicated", "unexpected", "killed", "undead"):
            found = sorted(getattr(self, name))
            words += [f"{name}: {', '.join(found[:5])}{' …' * (len(found) > 5)}"] if found else []
        return "\n".join(words)


def judge(history: History) -> Disposition:
    """Return what a history proves; call it when all is well and nothing moves any more."""
    by_key: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for effect in history.effects:
        by_key[effect.job][effect.key].add(effect.by)
    dead_letters = {letter.job for letter in history.dead}
    jobs = history.jobs

    done = {name for name, job in jobs.items() if not job.dies and job.keys <= by_key[name].keys()}
    dead = {name for name in dead_letters & jobs.keys() if name not in done}
    seen = {name for name in jobs if by_key[name] or name in dead_letters}
    told = {name for name, job in jobs.items() if job.answer is Answer.ACKNOWLEDGED}
    unknown = {name for name, job in jobs.items() if job.answer is Answer.UNKNOWN}
    refused = {name for name, job in jobs.items() if job.answer is Answer.REFUSED}

    unexpected = {
        f"{name}/{key}"
        for name, keys in by_key.items()
        for key in keys
        if name not in jobs or name in refused or key not in jobs[name].keys
    }
    unexpected |= {f"{name}/dead letter" for name in dead_letters if name not in jobs or name in refused}
    return Disposition(
        lost=frozenset((told | (unknown & seen)) - done - dead),
        duplicated=frozenset(
            f"{name}/{key}" for name, keys in by_key.items() for key, messages in keys.items() if len(messages) > 1
        ),
        unexpected=frozenset(unexpected),
        done=frozenset(done),
        dead=frozenset(dead),
        killed=frozenset(name for name in dead_letters & jobs.keys() if not jobs[name].dies),
        undead=frozenset(name for name, job in jobs.items() if job.dies and by_key[name]),
        recovered=frozenset(unknown & done),
        absent=frozenset(unknown - seen),
        acknowledged=len(told),
        reruns=sum(count - 1 for count in history.finished.values() if count > 1),
    )


def read_log(lines: Iterable[Mapping[str, Any]]) -> dict[str, Job]:
    """Return the jobs of a producer's log: ``attempt`` before a send, ``acknowledged`` or ``refused`` after it.

    An attempt without an answer is unknown. One that was tried again with the same id is one job, and one yes is
    enough; a no after an unknown try stays unknown.
    """
    jobs: dict[str, Job] = {}
    tries: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for line in lines:
        name = line["job"]
        match line["what"]:
            case "attempt":
                tries[name] += 1
                jobs.setdefault(name, Job(frozenset(line["keys"]), dies=line["dies"]))
            case "acknowledged":
                jobs[name] = Job(jobs[name].keys, jobs[name].dies, Answer.ACKNOWLEDGED)
            case "refused":
                refusals[name] += 1
    for name, job in jobs.items():
        if job.answer is Answer.UNKNOWN and refusals[name] == tries[name]:
            jobs[name] = Job(job.keys, job.dies, Answer.REFUSED)
    return jobs
