"""Previews of bulk jobs: choose dead letters or tasks, freeze them, and say what would be done and for how much."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from growbin_jobs.engine.central.bulk_jobs import MOST, BulkJobs
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import CentralDeadLetter
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.errors import Conflict, NotFound
from growbin_jobs.limits.named import NamedLimits
from growbin_jobs.limits.past_requests import Need, needs_of_the_past
from growbin_jobs.limits.requests_of_analyses import answered_analyses
from growbin_jobs.names import UPLOAD_IMAGE
from growbin_jobs.operations.bulk import BulkView, view_of
from growbin_jobs.operations.bulk_cost import analysis_of, expected, requests_of

Verb = Literal["retry", "discard", "run_again"]

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


#: Where no model is asked.
NO_MODELS: Final = Prices(limits=None, models={}, answer_ttl=0.0)


def preview(
    database: Database, verb: Verb, choice: Choice, *, by: str, prices: Prices, now: datetime | None = None
) -> BulkView:
    """Freeze the dead letters that fit now, and say what would be done. Nothing happens before it is started.

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
        len(able), paid, saved, needs=_needs(database, prices, now), limits=prices.limits, models=prices.models,
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
        len(targets.paying), paid, saved, needs=_needs(database, prices, at), limits=prices.limits,
        models=prices.models, pace=None,
    )  # fmt: skip


def _needs(database: Database, prices: Prices, at: datetime | None) -> Sequence[Need]:
    """Return what requests took; where no model is asked there may be no table of them."""
    return [] if prices.limits is None else needs_of_the_past(database, at)
