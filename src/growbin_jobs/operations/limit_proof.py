"""Whether the limits' promises were kept, recomputed from what was sent (``llm_usage``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import known_moment, stored_moment
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.audit import Finding, Sent, audit
from growbin_jobs.limits.budget_report import Imbalance, imbalances
from growbin_jobs.limits.promises import Promises
from growbin_jobs.limits.surely_kept import surely_kept
from growbin_jobs.limits.usage import BY_ITSELF

#: Rows that are read at a time.
_PAGE: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found over a time.

    Attributes:
      since_at: Its beginning, in seconds since 1970.
      requests: HTTP requests to model servers.
      told_to_wait: Answers of 429 that said so.
      nodes: Requests by node.
      analyses: Analyses for which something was sent.
      requests_per_analysis: Requests that were sent for them, on average.
      micro_dollars: Cost of those whose price is known.
      unpriced: Requests that were billed, or may have been, and whose price is not known.
      books_wrong: Budgets and days where the money that was reserved is not what was settled, released or is unknown.
      limits: One finding for each limit.
    """

    since_at: float
    requests: int
    told_to_wait: int
    nodes: dict[str, int]
    analyses: int
    requests_per_analysis: float
    micro_dollars: int
    unpriced: int
    books_wrong: list[Imbalance]
    limits: list[Finding]

    @property
    def kept(self) -> bool:
        """Whether every promise was kept, and the books agree."""
        return not self.books_wrong and not any(finding.broken for finding in self.limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether the promises were kept, and little more.

    Attributes:
      requests, told_to_wait, books_wrong: As of :class:`Proof`.
      limits: How many limits were judged.
      broken: The findings of those that were not kept.
    """

    requests: int
    told_to_wait: int
    books_wrong: list[Imbalance]
    limits: int
    broken: list[Finding]


def judge(database: Database, since: datetime, *, until: datetime, books_since: date) -> Judgement:
    """Say whether the promises were kept: without reading each request, where sums tell it.

    Parameters:
      database, since, until, books_since: As for :func:`prove`.

    Raises:
      Deferred: The database is away.
    """
    sums = surely_kept(database, since, until, Promises(database).history())
    if sums is not None:
        books = list(imbalances(database, books_since))
        return Judgement(
            requests=sums.requests, told_to_wait=sums.told_to_wait, books_wrong=books, limits=sums.limits, broken=[]
        )  # fmt: skip
    proof = prove(database, since, until=until, books_since=books_since)
    return Judgement(
        requests=proof.requests, told_to_wait=proof.told_to_wait, books_wrong=proof.books_wrong,
        limits=len(proof.limits), broken=[each for each in proof.limits if each.broken],
    )  # fmt: skip


def prove(database: Database, since: datetime, *, books_since: date, until: datetime | None = None) -> Proof:
    """Count what was sent since a moment against what was promised.

    Times are those of the nodes that sent; rows that a node could not write yet are missing.

    Parameters:
      database: The central one.
      since: First moment.
      books_since: First day of the budgets whose books are compared; days before may have been pruned.
      until: Requests that were sent then or later do not count. None: all count.

    Raises:
      Deferred: The database is away.
    """
    tally = _Tally()
    findings = audit(tally.counted(_rows(database, since, until)), Promises(database).history())
    sent_for = sum(tally.analyses.values())
    return Proof(
        since_at=since.timestamp(),
        requests=sum(tally.nodes.values()),
        told_to_wait=tally.told_to_wait,
        nodes=dict(sorted(tally.nodes.items())),
        analyses=len(tally.analyses),
        requests_per_analysis=round(sent_for / len(tally.analyses), 3) if tally.analyses else 0.0,
        micro_dollars=tally.micro_dollars,
        unpriced=tally.unpriced,
        books_wrong=list(imbalances(database, books_since)),
        limits=findings,
    )


class _Tally:
    """Adds up what is no limit's, while the rows pass by."""

    def __init__(self) -> None:
        self.nodes: defaultdict[str, int] = defaultdict(int)
        self.analyses: defaultdict[str, int] = defaultdict(int)
        self.told_to_wait = self.micro_dollars = self.unpriced = 0

    def counted(self, rows: Iterator[_Row]) -> Iterator[Sent]:
        for _, sent_at, node, purpose, model, user_id, analysis_id, outcome, cost, tokens in rows:
            self.nodes[node] += 1
            if analysis_id is not None:
                self.analyses[analysis_id] += 1
            if outcome == "rate_limited":
                self.told_to_wait += 1
            if cost is None:
                self.unpriced += 1
            else:
                self.micro_dollars += cost
            yield Sent(known_moment(sent_at).timestamp(), purpose, model, user_id, tokens)


#: The columns that are read of a request, and what :func:`_rows` yields of each.
_COLUMNS: Final = (
    "id, sent_at, node, purpose, model, user_id, analysis_id, outcome, cost,"
    " coalesce(tokens_in, 0) + coalesce(tokens_out, 0)"
)
_Row = tuple[str, Any, str, str, str, str | None, str | None, str, int | None, int]


def _rows(database: Database, since: datetime, until: datetime | None) -> Iterator[_Row]:
    """Yield the rows in the order of their sending, a page at a time: a day has half a million."""
    # The first comparison is for the index, the second one parts what was sent in the same microsecond.
    sql = (
        f"SELECT {_COLUMNS} FROM llm_usage WHERE sent_at >= ? AND (sent_at > ? OR id > ?)"  # noqa: S608
        f" AND sent_at < ? AND {BY_ITSELF} ORDER BY sent_at, id LIMIT ?"
    )
    words, after, after_id = SqlWords(database.dialect), stored_moment(since), ""
    end = stored_moment(until or datetime.max.replace(tzinfo=UTC))
    while True:
        values = (after, after, after_id, end, _PAGE)
        # Not by peewee, which takes five times as long for a row.
        page = database.run(lambda one, values=values: words.rows(one, sql, *values))  # type: ignore[misc]
        yield from page
        if len(page) < _PAGE:
            return
        after, after_id = stored_moment(known_moment(page[-1][1])), page[-1][0]
