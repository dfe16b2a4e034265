"""Whether limits were surely kept, by sums of spans of time: what some neighbours hold together, no window among them
holds more of. A day has half a million requests, and a row for each is read only where that does not decide."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.fields import stored_moment
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limit_names import TOKENS, USER
from growbin_jobs.limits.named import names_of
from growbin_jobs.limits.promises import Promise
from growbin_jobs.limits.usage import BY_ITSELF

#: Spans that are summed at most: shorter windows over a longer time have as many sums as requests.
_MOST_SPANS: Final = 50_000

#: Seconds by which a span is longer than the shortest window, since SQLite tells milliseconds.
_SLACK: Final = 0.01

_NUMBER: Final[dict[Dialect, str]] = {
    "postgresql": "floor(extract(epoch FROM sent_at)::float8 / {span})::bigint",
    "sqlite": "CAST(unixepoch(sent_at, 'subsec') / {span} AS INTEGER)",
}


class SurelyKept(NamedTuple):
    """What was sent while every limit was kept.

    Attributes:
      told_to_wait: Answers of 429.
      limits: How many limits have promised something.
    """

    requests: int
    told_to_wait: int
    limits: int


def surely_kept(database: Database, since: datetime, until: datetime, history: Sequence[Promise]) -> SurelyKept | None:
    """Return what was sent in a time; None: sums do not tell whether every window held what was promised.

    Parameters:
      since, until: From the one to before the other, aware.
      history: All promises.

    Raises:
      Deferred: The database is away.
    """
    if any(each.name.removeprefix(TOKENS).startswith(USER) for each in history):
        return None  # sums by user would be as many as requests
    span = min((each.rate.window for each in history), default=60.0) + _SLACK
    if (until - since).total_seconds() / span > _MOST_SPANS:
        return None
    sql = f"""
        SELECT {_NUMBER[database.dialect].format(span=span)}, purpose, model, count(*),
            sum(coalesce(tokens_in, 0) + coalesce(tokens_out, 0)),
            sum(CASE outcome WHEN 'rate_limited' THEN 1 ELSE 0 END)
        FROM llm_usage WHERE sent_at >= ? AND sent_at < ? AND {BY_ITSELF} GROUP BY 1, 2, 3
    """  # noqa: S608 constants and a number of ours
    words, values = SqlWords(database.dialect), (stored_moment(since), stored_moment(until))
    rows = database.run(lambda connection: words.rows(connection, sql, *values))
    promised: defaultdict[str, list[Promise]] = defaultdict(list)
    for each in history:
        promised[each.name].append(each)
    units: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for number, purpose, model, requests, tokens, _ in rows:
        for name in names_of(purpose, model, None):
            if name in promised:
                units[name][number] += int(tokens if name.startswith(TOKENS) else requests)
    if not all(_is_kept(units[name], its, span) for name, its in promised.items()):
        return None
    return SurelyKept(sum(row[3] for row in rows), sum(int(row[5]) for row in rows), len(promised))


def _is_kept(units: Counter[int], promises: Sequence[Promise], span: float) -> bool:
    """Whether no window can hold more than the least that was ever promised.

    Parameters:
      units: By the number of the span.
      span: Seconds.
    """
    least, longest = min(each.rate.most for each in promises), max(each.rate.window for each in promises)
    touched = math.ceil(longest / span) + 1  # spans that a window can lie in
    inside, known = 0, sorted(units)
    first = 0
    for number in known:
        inside += units[number]
        while known[first] <= number - touched:
            inside -= units[known[first]]
            first += 1
        if inside > least:
            return False
    return True
