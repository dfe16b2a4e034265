"""Failed runs as the journals told of them, each with its cause as far as anybody knows it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from growbin_jobs.engine.central.error_causes import OTHERS, Cause, cause_of
from growbin_jobs.engine.central.fields import stored_moment, utc_moment
from growbin_jobs.engine.central.sql_words import SqlWords

#: Failed runs that are read at once.
PAGE: Final = 5_000

_SHOWN: Final = 500

#: Beginnings of errors by which runs are looked for.
_BEGINS: Final = 20

#: Runs whose letters are looked for by their tasks.
_FEW: Final = 500

#: Characters of a traceback that are read, from its end: the last frame and the error.
_TAIL: Final = 3000

_RUNS: Final = f"""
    SELECT task_id, task_name, node, outcome, ended_at, substr(error, 1, {_SHOWN}) FROM task_attempts
    WHERE ended_at >= ? AND ended_at < ? AND outcome <> 'deferred'{{of}} ORDER BY ended_at DESC LIMIT ?
"""  # noqa: S608 a number of ours

#: What ended in the same microsecond as the last run of a page.
_SAME: Final = f"""
    SELECT task_id, task_name, node, outcome, ended_at, substr(error, 1, {_SHOWN}) FROM task_attempts
    WHERE ended_at = ? AND outcome <> 'deferred'{{of}}
"""  # noqa: S608 a number of ours


class Failure(NamedTuple):
    """A run that failed.

    Attributes:
      dead: Its message was given up.
      at: When it ended.
    """

    task_id: str
    node: str
    dead: bool
    at: datetime
    cause: Cause


def failures(
    connection: Any, words: SqlWords, since: datetime, until: datetime, *, causes: Collection[Cause] = ()
) -> Iterator[Failure]:
    """Yield the failed runs of a time, the newest first, read page by page.

    Parameters:
      connection: Of a snapshot or a transaction.
      since, until: From the one to before the other, aware.
      causes: Only those that may have one of these; none named: all.
    """
    begin, end = stored_moment(since), stored_moment(until)
    of, names = _of(causes, words)
    runs, same = _RUNS.format(of=of), _SAME.format(of=of)
    while True:
        rows = words.rows(connection, runs, begin, end, *names, PAGE)
        whole = len(rows) < PAGE
        if not whole:
            last = rows[-1][4]
            rows = [row for row in rows if row[4] != last] + words.rows(connection, same, last, *names)
            ended = utc_moment(last)
            assert ended is not None
            end = stored_moment(ended)
        dead = [row for row in rows if row[3] == "dead"]
        letters = _letters(connection, words, dead) if dead else {}
        for task_id, actor, node, outcome, at, error in rows:
            is_dead, ended = outcome == "dead", utc_moment(at)
            assert ended is not None
            code, traceback = letters.get((task_id, node, at), ("", "")) if is_dead else ("", "")
            yield Failure(task_id, node, is_dead, ended, cause_of(actor, error or "", code=code, traceback=traceback))
        if whole:
            return


def _of(causes: Collection[Cause], words: SqlWords) -> tuple[str, list[str]]:
    """Return a condition of the runs that may have one of some causes, and its values: most need not be read then."""
    wanted, values = "", list[str]()
    actors, begins = sorted({each.actor for each in causes}), sorted({each.beginning for each in causes})
    if actors and OTHERS not in causes:
        wanted, values = f" AND task_name IN ({', '.join('?' * len(actors))})", [*actors]
        if all(begins) and len(begins) <= _BEGINS:
            # A title is the first line that is not empty, without the blanks around it: those of Unicode too.
            first = f"{'ascii' if words.dialect == 'postgresql' else 'unicode'}(substr(error, 1, 1))"
            same = " OR ".join(f"substr(error, 1, {len(text)}) = ?" for text in begins)
            wanted, values = f"{wanted} AND ({same} OR {first} <= 32 OR {first} > 126)", [*values, *begins]
    return wanted, values


def _letters(connection: Any, words: SqlWords, runs: Sequence[Any]) -> dict[tuple[str, str, Any], tuple[str, str]]:
    """Return code and traceback of the letters that were written when some runs ended, by task, node and moment.

    They are not joined to the runs: most of those have no letter, and PostgreSQL would look for one for each. Those of
    a few runs are looked for by their tasks, as there may be many others of that time.
    """
    end = "right(traceback, ?)" if words.dialect == "postgresql" else "substr(traceback, -1 * ?)"
    few = len(runs) <= _FEW
    column, names = ("task_id", {run[0] for run in runs}) if few else ("task_name", {run[1] for run in runs})
    sql = (
        f"SELECT task_id, node, died_at, code, {end} FROM dead_letters WHERE died_at >= ? AND died_at <= ?"  # noqa: S608
        f" AND {column} IN ({', '.join('?' * len(names))})"
    )
    first, last = min(run[4] for run in runs), max(run[4] for run in runs)
    rows = words.rows(connection, sql, _TAIL, first, last, *sorted(names))
    return {(task_id, node, at): (code or "", traceback or "") for task_id, node, at, code, traceback in rows}
