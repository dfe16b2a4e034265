"""Judges a rehearsal: how often the model says what was said then, what it takes, and whether it may be switched to."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from growbin_jobs.models.rehearsals import Verdict
from growbin_jobs.operations.rehearsal import Tried

#: What an answer is compared by.
_PARTS: Final = ("category", "item", "state")


@dataclass(frozen=True, slots=True)
class Standards:
    """What a model has to reach.

    Attributes:
      pictures: Fewest pictures that allow a verdict.
      agreement: Least share of them with the same category.
      failures: Greatest share of them without an answer.
      latency: Seconds in which 95 of 100 answers must be here.
    """

    pictures: int = 20
    agreement: float = 0.9
    failures: float = 0.02
    latency: float = 30.0


@dataclass(frozen=True, slots=True)
class Paid:
    """What requests took, on average and at most.

    Attributes:
      micro_dollars: For a picture; None where it is not known.
      median, p95: Seconds of latency; None where there was no request.
    """

    micro_dollars: int | None
    median: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often a model says what was said then, of so many pictures; ``same`` by category, item and state."""

    pictures: int
    category: int
    item: int
    state: int

    @property
    def share(self) -> float:
        """Share of the pictures with the same category."""
        return self.category / self.pictures if self.pictures else 0.0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it.

    Attributes:
      model: The rehearsed one.
      against: The models of then.
      total: Agreement over all pictures that were answered.
      by_category: The same by the category of then.
      missing: Pictures that are no longer there.
      problems: How many pictures got no answer, by reason.
      then, now: Cost and latency.
      reasons: Why it is no go; empty for a go.
    """

    model: str
    against: tuple[str, ...]
    total: Agreement
    by_category: dict[str, Agreement]
    missing: int
    problems: dict[str, int]
    then: Paid
    now: Paid
    reasons: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Return whether the model may be switched to."""
        return "no-go" if self.reasons else "go"


def judged(model: str, tried: Sequence[Tried], then: Paid, now: Paid, standards: Standards) -> Rehearsal:
    """Return what came of a rehearsal, with its verdict.

    Parameters:
      model: The rehearsed one.
      tried: Each picture.
      then: What the answers of then took.
      now: What those of the rehearsed model took.
      standards: What it has to reach.
    """
    answered = [one for one in tried if one.answer is not None]
    categories = sorted({one.analysis.category or "" for one in answered})
    problems: dict[str, int] = defaultdict(int)
    for one in tried:
        if one.problem is not None and one.problem != "object_missing":
            problems[one.problem] += 1
    total = _agreement(answered)
    return Rehearsal(
        model=model,
        against=tuple(sorted({one.analysis.vision_model or "" for one in tried})),
        total=total,
        by_category={
            name: _agreement([one for one in answered if one.analysis.category == name]) for name in categories
        },
        missing=sum(one.problem == "object_missing" for one in tried),
        problems=dict(problems),
        then=then,
        now=now,
        reasons=tuple(_reasons(total, sum(problems.values()), now, standards)),
    )


def paid(costs: Sequence[int | None], latencies: Sequence[float], pictures: int) -> Paid:
    """Return what requests took.

    Parameters:
      costs: Of each HTTP request, in micro-dollars; one that is not known makes the average unknown.
      latencies: Of each answered one, in seconds.
      pictures: That they were for.
    """
    known = [cost for cost in costs if cost is not None]
    average = round(sum(known) / pictures) if pictures and costs and len(known) == len(costs) else None
    ordered = sorted(latencies)
    return Paid(average, _percentile(ordered, 50), _percentile(ordered, 95))


def _agreement(answered: Sequence[Tried]) -> Agreement:
    same = [sum(getattr(one.answer, part) == getattr(one.analysis, part) for one in answered) for part in _PARTS]
    return Agreement(len(answered), *same)


def _reasons(total: Agreement, failures: int, now: Paid, standards: Standards) -> Iterable[str]:
    tried = total.pictures + failures
    if total.pictures < standards.pictures:
        yield f"only {total.pictures} pictures were answered, {standards.pictures} are needed"
    if tried and failures / tried > standards.failures:
        yield f"{failures} of {tried} pictures got no answer"
    if total.pictures and total.share < standards.agreement:
        yield f"the category agrees for {total.share:.0%}, {standards.agreement:.0%} are needed"
    if now.p95 is not None and now.p95 > standards.latency:
        yield f"95 % of the answers take up to {now.p95:.1f} s, {standards.latency:.1f} s are allowed"


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else None
