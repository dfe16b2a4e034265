"""Places in a list, as text for a URL: the values by which it is sorted, with the id behind them to part ties."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime

from growbin_jobs.engine.central.fields import stored_moment
from growbin_jobs.engine.central.search.expressions import SearchError


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which row a page begins.

    Attributes:
      created_at, task_id: Of that row, in the words of the database.
      sort: By what the list is sorted, such as ``-created``.
      value: Of that row, where the list is sorted by something else than its creation.
      anchor: Newer tasks are not in such a list: else they would move its pages.
    """

    created_at: str
    task_id: str
    sort: str
    value: str | float | None = None
    anchor: str | None = None

    def encoded(self) -> str:
        """Return it as text for a URL."""
        parts = [self.created_at, self.task_id, self.sort, self.value, self.anchor]
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decoded(text: str, *, sort: str) -> Place:
    """Return the place that a text names.

    Raises:
      SearchError: It names none, or one of a list that is sorted otherwise.
    """
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        created_at, task_id, its_sort, value, anchor = json.loads(raw)
        created_at = _stored(created_at)
        anchor = None if anchor is None else _stored(anchor)
        plain = isinstance(task_id, str) and "\0" not in task_id and _is_value(value)
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError):
        plain = False
    if not plain:
        raise not_ours()
    if its_sort != sort:
        raise SearchError("The cursor belongs to a list with another order. Begin at the first page.", 0)
    return Place(created_at, task_id.encode("utf-8", "replace").decode(), its_sort, value, anchor)


def not_ours() -> SearchError:
    """Return the error for a cursor that no list gave."""
    return SearchError("The cursor is none that this server gave. Begin at the first page.", 0)


def _stored(text: str) -> str:
    """Return a time as both databases take it: ISO 8601 has many more ways to write one.

    Raises:
      ValueError, TypeError, OverflowError: It is none, or has no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return stored_moment(moment)


def _is_value(value: object) -> bool:
    """Whether a database takes this for the value of a column."""
    if isinstance(value, str):
        return "\0" not in value
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63)
