"""What a proof is made of: parts, each with what was counted, what is wrong, and what could not be checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

#: Holes and doubles that a part names.
MOST_NAMED: Final = 100


class Kind(StrEnum):
    """What is wrong: something is missing, something happened twice, a promise was broken."""

    HOLE = "hole"
    DOUBLE = "double"
    BROKEN = "broken"


class Verdict(StrEnum):
    """``holds``: all was checked, and it is so. ``incomplete``: nothing is wrong in what could be checked."""

    HOLDS = "holds"
    INCOMPLETE = "incomplete"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong: which message, analysis, due time, limit; and why."""

    kind: Kind
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a proof.

    Attributes:
      name: ``messages``, ``analyses``, ``schedule``, ``limits`` or ``paid_answers``.
      claim: What is proven.
      verdict: Whether it is so.
      counted: Numbers, by what they count.
      wrong: The first of what is wrong.
      wrong_in_all: How much is wrong.
      unchecked: What could not be checked now, one sentence each.
      sources: The tables that were read.
    """

    name: str
    claim: str
    verdict: Verdict
    counted: dict[str, int]
    wrong: list[Wrong]
    wrong_in_all: int
    unchecked: list[str]
    sources: list[str]


def part(
    name: str,
    claim: str,
    *,
    counted: dict[str, int],
    wrong: Iterable[Wrong],
    unchecked: Sequence[str],
    sources: Sequence[str],
    wrong_in_all: int | None = None,
) -> Part:
    """Return a part with its verdict.

    Parameters:
      wrong_in_all: Where ``wrong`` has only the first ones, or all of which some are wrong.
    """
    found = list(wrong)
    number = len(found) if wrong_in_all is None else wrong_in_all
    verdict = Verdict.BROKEN if number else Verdict.INCOMPLETE if unchecked else Verdict.HOLDS
    return Part(
        name=name, claim=claim, verdict=verdict, counted=counted, wrong=found[:MOST_NAMED], wrong_in_all=number,
        unchecked=list(unchecked), sources=list(sources),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof over a span of time.

    Attributes:
      since, until: The span; its end is not part of it.
      made_at: When it was computed.
      node: Where.
      version: Of growbin-jobs.
      verdict: The worst one of its parts.
      limits_of_proof: What a proof of this kind can never show.
    """

    since: datetime
    until: datetime
    made_at: datetime
    node: str
    version: str
    verdict: Verdict
    parts: list[Part]
    limits_of_proof: list[str]


def worst(parts: Iterable[Part]) -> Verdict:
    """Return the worst verdict."""
    order = list(Verdict)
    return max((each.verdict for each in parts), key=order.index, default=Verdict.INCOMPLETE)
