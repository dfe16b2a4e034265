"""Whether the limits' promises were kept, recomputed from what was sent (``llm_usage``)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.audit import Finding, Sent, audit
from growbin_jobs.limits.budget_report import Imbalance, imbalances
from growbin_jobs.limits.promises import Promises
from growbin_jobs.limits.usage import LlmUsage, is_by_itself

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
        self.nodes: dict[str, int] = {}
        self.analyses: dict[str, int] = {}
        self.told_to_wait = self.micro_dollars = self.unpriced = 0

    def counted(self, rows: Iterator[dict[str, object]]) -> Iterator[Sent]:
        for row in rows:
            node, analysis, cost = str(row["node"]), row["analysis_id"], row["cost"]
            self.nodes[node] = self.nodes.get(node, 0) + 1
            if analysis is not None:
                self.analyses[str(analysis)] = self.analyses.get(str(analysis), 0) + 1
            self.told_to_wait += row["outcome"] == "rate_limited"
            if cost is None:
                self.unpriced += 1
            else:
                self.micro_dollars += int(str(cost))
            sent_at, user = row["sent_at"], row["user_id"]
            assert isinstance(sent_at, datetime)
            tokens = sum(int(str(row[name] or 0)) for name in ("tokens_in", "tokens_out"))
            yield Sent(
                sent_at.timestamp(), str(row["purpose"]), str(row["model"]), None if user is None else str(user), tokens
            )


def _rows(database: Database, since: datetime, until: datetime | None) -> Iterator[dict[str, object]]:
    """Yield the rows in the order of their sending, a page at a time: a day has half a million."""
    row = LlmUsage
    columns = (
        row.id, row.sent_at, row.node, row.purpose, row.model, row.user_id, row.analysis_id, row.outcome, row.cost,
        row.tokens_in, row.tokens_out,
    )  # fmt: skip
    after_time, after_id = since.astimezone(UTC), ""
    while True:
        # The first comparison is for the index, the second one parts what was sent in the same microsecond.
        behind = (row.sent_at > after_time) | (row.id > after_id)
        later = (row.sent_at >= after_time) & behind & is_by_itself()
        if until is not None:
            later &= row.sent_at < until
        page = database.rows(row.select(*columns).where(later).order_by(row.sent_at, row.id).limit(_PAGE))
        yield from page
        if len(page) < _PAGE:
            return
        after_time, after_id = page[-1]["sent_at"], page[-1]["id"]
