"""Bulk jobs for people: choose dead letters or tasks, freeze the set with a preview, start, stop, resume, take back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from growbin_jobs.engine.central.bulk_jobs import GRACE, MOST, BulkJob, BulkJobs, BulkState
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letters import CentralDeadLetter, DeadLetters
from growbin_jobs.errors import Conflict, NotFound
from growbin_jobs.limits.named import NamedLimits
from growbin_jobs.limits.past_requests import needs_of_the_past
from growbin_jobs.limits.usage import answered_analyses
from growbin_jobs.names import UPLOAD_IMAGE
from growbin_jobs.operations.bulk_cost import analysis_of, expected, requests_of

Verb = Literal["retry", "discard", "run_again"]

#: More targets than this: who starts the job types their number.
TYPED_ABOVE: Final = 100

_PAGE: Final = 500
_PICTURE: Final = "The picture was refused and has been deleted: it has to be handed in anew."


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which dead letters. None: all; ``tasks``: those of these tasks only, as of an error group."""

    queue: str | None = None
    actor: str | None = None
    code: str | None = None
    node: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    tasks: tuple[str, ...] | None = None
    title: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON, without what does not choose."""
        values: dict[str, Any] = {name: getattr(self, name) for name in ("queue", "actor", "code", "node", "title")}
        values |= {name: each.isoformat() for name in ("since", "before") if (each := getattr(self, name))}
        if self.tasks is not None:
            values["tasks"] = len(self.tasks)
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What money and time are reckoned with.

    Attributes:
      limits: Those that hold; None: no model server is asked.
      models: The model of each purpose.
      answer_ttl: Seconds that an answer is kept.
    """

    limits: NamedLimits | None
    models: Mapping[str, str]
    answer_ttl: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkView:
    """A job as a person sees it. Times are seconds since 1970, UTC.

    Attributes:
      preview: Before it begins: ``count``, ``able``, ``reasons``, ``actors``, ``refused`` (by problem) and
        ``expected`` (see :class:`growbin_jobs.operations.bulk_cost.Expected`).
      progress: From 0 to 1.
      undo_seconds: For how long it can still be taken back; 0: no more.
      minutes_left: At its pace, or what was expected; None: not known.
    """

    id: str
    name: str
    verb: str
    state: str
    by: str
    reason: str
    filter: dict[str, Any]
    preview: dict[str, Any]
    pace: float | None
    created_at: float
    begins_at: float | None
    ended_at: float | None
    stopped_by: str | None
    total: int
    done: int
    refused: int
    waiting: int
    progress: float
    undo_seconds: float
    minutes_left: float | None
    problems: dict[str, str] = field(default_factory=dict)


def preview(
    database: Database, verb: Verb, choice: Choice, *, by: str, prices: Prices, now: datetime | None = None
) -> BulkView:
    """Freeze the dead letters that fit now, and say what would be done. Nothing happens before :func:`start`.

    Raises:
      Conflict: Nothing fits, or more than 100,000.
      Deferred: The database is away.
    """
    if verb == "run_again":
        raise Conflict("Dead letters are retried or discarded; tasks are run again.")
    at, targets = now or datetime.now(UTC), _Targets()
    for letter in _letters(database, choice):
        targets.add(letter, retries=verb == "retry")
    shown = targets.shown()
    if verb == "retry":
        shown["expected"] = asdict(_expected(database, targets, prices, at))
    jobs = BulkJobs(database)
    job = jobs.draft(verb, targets.ids, targets.refused, filter_=choice.as_dict(), preview=shown, by=by)
    return view_of(job, jobs.now())


def preview_tasks(
    database: Database,
    tasks: Sequence[tuple[str, str, str]],
    *,
    by: str,
    prices: Prices,
    title: str,
    fresh: bool = False,
    now: datetime | None = None,
) -> BulkView:
    """Freeze tasks that are to be run again under new ids.

    Parameters:
      tasks: Of each its id, its actor and its state.
      title: How they were chosen, for people.
      fresh: Answers that are kept are not used.

    Raises:
      Conflict: There are none, or more than 100,000.
      Deferred: The database is away.
    """
    refused = {
        task_id: "The photo that was handed in is stored: let analyze_image run again."
        for task_id, actor, state in tasks
        if actor == UPLOAD_IMAGE.actor and state == "completed"
    }
    able = [(actor, None) for task_id, actor, _ in tasks if task_id not in refused]
    paid, saved = requests_of(able, {})
    money = expected(
        len(able), paid, saved, needs=needs_of_the_past(database, now), limits=prices.limits, models=prices.models,
        pace=None,
    )  # fmt: skip
    shown = {
        "count": len(tasks), "able": len(able), "reasons": dict(Counter(state for _, _, state in tasks)),
        "actors": dict(Counter(actor for _, actor, _ in tasks)), "refused": dict(Counter(refused.values())),
        "expected": asdict(money),
    }  # fmt: skip
    jobs, chosen = BulkJobs(database), {"title": title, "fresh": fresh}
    job = jobs.draft("run_again", [each[0] for each in tasks], refused, filter_=chosen, preview=shown, by=by)
    return view_of(job, jobs.now())


def start(
    database: Database,
    job_id: str,
    *,
    by: str,
    name: str = "",
    pace: float | None = None,
    reason: str = "",
    typed: int | None = None,
    grace: float = GRACE,
) -> BulkView:
    """Let a frozen set begin in 30 seconds; until then :func:`undo` takes it back.

    Parameters:
      name: For the history; empty: made of what it does.
      pace: Targets a minute at most; None: as fast as it goes.
      typed: The number of targets, which who starts more than 100 must know.

    Raises:
      NotFound: There is no such job.
      Conflict: It was started before, the number is wrong, or the pace is none.
      Deferred: The database is away.
    """
    jobs = BulkJobs(database)
    job = jobs.get(job_id)
    if pace is not None and not 0 < pace <= 1_000_000:
        raise Conflict("The pace is a number of targets a minute, more than 0.")
    if job.state is BulkState.DRAFT and job.total > TYPED_ABOVE and typed != job.total:
        raise Conflict(f"These are {job.total}. Type that number, so that it is sure that you mean all of them.")
    given = (name.strip() or f"{job.verb} {job.filter.get('title') or job.filter.get('actor') or job.total}")[:200]
    return view_of(
        jobs.start(job_id, name=given, pace=pace, by=by, reason=reason[:500], grace=grace), jobs.now()
    )  # fmt: skip


def undo(database: Database, job_id: str) -> BulkView:
    """Take a job back that has not begun.

    Raises:
      NotFound, Conflict: There is none, or it is too late.
      Deferred: The database is away.
    """
    return _changed(database, lambda jobs: jobs.undo(job_id))


def stop(database: Database, job_id: str, *, by: str) -> BulkView:
    """Let a running job rest.

    Raises:
      NotFound, Conflict: There is none, or it does not run.
      Deferred: The database is away.
    """
    return _changed(database, lambda jobs: jobs.stop(job_id, by=by))


def resume(database: Database, job_id: str) -> BulkView:
    """Let a stopped job go on where it was.

    Raises:
      NotFound, Conflict: There is none, or it is not stopped.
      Deferred: The database is away.
    """
    return _changed(database, lambda jobs: jobs.resume(job_id))


def history(database: Database, *, limit: int = 50) -> list[BulkView]:
    """Return the jobs that were started, the newest first.

    Raises:
      Deferred: The database is away.
    """
    jobs = BulkJobs(database)
    now = jobs.now()
    return [view_of(job, now) for job in jobs.latest(limit=limit)]


def get(database: Database, job_id: str) -> BulkView:
    """Return one with the targets that could not be done.

    Raises:
      NotFound: There is none.
      Deferred: The database is away.
    """
    jobs = BulkJobs(database)
    job = jobs.get(job_id)
    return view_of(job, jobs.now(), {each.target: each.problem for each in jobs.refused(job_id)})


def view_of(job: BulkJob, now: float, problems: Mapping[str, str] | None = None) -> BulkView:
    """Return a job as a person sees it.

    Parameters:
      now: The database's clock.
    """
    left = job.begins_at - now if job.state is BulkState.WAITING and job.begins_at is not None else 0.0
    able = int(job.preview.get("able", job.total))  # the others never had their turn
    had = able - job.waiting
    over = job.state in (BulkState.ENDED, BulkState.UNDONE)
    minutes = job.waiting / job.pace if job.pace else job.preview.get("expected", {}).get("minutes")
    return BulkView(
        id=job.id, name=job.name, verb=job.verb, state=job.state.value, by=job.by, reason=job.reason,
        filter=job.filter, preview=job.preview, pace=job.pace, created_at=job.created_at, begins_at=job.begins_at,
        ended_at=job.ended_at, stopped_by=job.stopped_by, total=job.total, done=job.done, refused=job.refused,
        waiting=job.waiting, progress=had / able if able else 1.0, undo_seconds=round(max(0.0, left), 1),
        minutes_left=0.0 if over else minutes, problems=dict(problems or {}),
    )  # fmt: skip


@dataclass(slots=True)
class _Targets:
    """What fits, as it is read: only ids and counts are kept."""

    ids: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    paying: list[tuple[str, str | None]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    actors: Counter[str] = field(default_factory=Counter)

    def add(self, letter: CentralDeadLetter, *, retries: bool) -> None:
        self.ids.append(letter.id)
        self.reasons[letter.code] += 1
        self.actors[letter.task_name] += 1
        if not retries:
            return
        problem = _problem(letter)
        if problem is not None:
            self.refused[letter.id] = problem
        else:
            self.paying.append((letter.task_name, analysis_of(letter.task_name, json.loads(letter.body))))

    def shown(self) -> dict[str, Any]:
        return {
            "count": len(self.ids), "able": len(self.ids) - len(self.refused), "reasons": dict(self.reasons),
            "actors": dict(self.actors), "refused": dict(Counter(self.refused.values())),
        }  # fmt: skip


def _problem(letter: CentralDeadLetter) -> str | None:
    if letter.task_name == UPLOAD_IMAGE.actor and letter.code.startswith("picture_"):
        return _PICTURE
    try:
        letter.body_to_send()
    except NotFound:
        return "It holds no message that could be sent. Discard it."
    return None


def _letters(database: Database, choice: Choice) -> Iterator[CentralDeadLetter]:
    """Yield the open letters that fit, with their messages, a page at a time."""
    letters, below, number = DeadLetters(database), None, 0
    wanted = None if choice.tasks is None else frozenset(choice.tasks)
    while True:
        page = letters.list(
            queue=choice.queue, actor=choice.actor, code=choice.code, node=choice.node, since=choice.since,
            before=choice.before, below=below, limit=_PAGE,
        )  # fmt: skip
        fitting = [each.id for each in page if wanted is None or each.task_id in wanted]
        yield from letters.some(fitting)
        number += len(fitting)
        if len(page) < _PAGE or number > MOST:
            return
        below = (page[-1].died_at, page[-1].id)


def _expected(database: Database, targets: _Targets, prices: Prices, at: datetime) -> Any:
    since = at - timedelta(seconds=prices.answer_ttl)
    answered: dict[str, frozenset[str]] = {}
    if prices.limits is not None:
        ids = sorted({analysis_id for _, analysis_id in targets.paying if analysis_id})
        answered = {
            purpose: frozenset(answered_analyses(database, ids, purpose=purpose, since=since))
            for purpose in ("vision", "text")
        }
    paid, saved = requests_of(targets.paying, answered)
    return expected(
        len(targets.paying), paid, saved, needs=needs_of_the_past(database, at), limits=prices.limits,
        models=prices.models, pace=None,
    )  # fmt: skip


def _changed(database: Database, change: Callable[[BulkJobs], BulkJob]) -> BulkView:
    jobs = BulkJobs(database)
    return view_of(change(jobs), jobs.now())
