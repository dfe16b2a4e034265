"""Which tasks a request asks for: a search in the language of ``grammar``, and fields that a form fills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query, Request

from growbin_jobs.engine.central.search.expressions import Expression, SearchError, Term, both, without_messages
from growbin_jobs.engine.central.search.grammar import parse
from growbin_jobs.monitor.security.identify import known_identity
from growbin_jobs.monitor.security.permissions import Action, allows
from growbin_jobs.operations.lost_tasks import meaning_lost

#: Names of query parameters that choose by a column.
CHOICES = ("state", "actor", "queue", "node")

_Text = Annotated[str | None, Query(max_length=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """What was asked for, as it came.

    Attributes:
      q: In the search language.
      since, until: Times of creation; ``until`` does not belong to it.
    """

    q: str = ""
    state: str | None = None
    actor: str | None = None
    queue: str | None = None
    node: str | None = None
    since: str | None = None
    until: str | None = None
    sort: str = "-created"
    cursor: str | None = None
    limit: int = 50

    @property
    def is_empty(self) -> bool:
        """Does it ask for all tasks?"""
        return not (self.q.strip() or self.since or self.until or any(getattr(self, name) for name in CHOICES))

    def expression(self, request: Request) -> Expression:
        """Return what it means, for what the asker may see.

        Raises:
          SearchError: It cannot be read, or asks for what the asker may not see.
        """
        zone = ZoneInfo(request.app.state.services.engine.timezone)
        found = parse(self.q, zone=zone)
        for name in CHOICES:
            if value := getattr(self, name):
                found = both(found, Term(name, "is", value))
        for name, operator in (("since", ">="), ("until", "<")):
            if value := getattr(self, name):
                found = both(found, Term("created", operator, _moment(name, value, zone)))  # type: ignore[arg-type]
        found = meaning_lost(request.app.state.services.lost, found)
        return found if may_see_messages(request) else without_messages(found)


def task_query(
    q: Annotated[str, Query(max_length=2000, description="A search, such as `state:dead kwargs.user:1234`.")] = "",
    state: _Text = None,
    actor: _Text = None,
    queue: _Text = None,
    node: _Text = None,
    since: Annotated[
        str | None, Query(alias="from", max_length=50, description="Created at this time or later.")
    ] = None,
    until: Annotated[str | None, Query(alias="to", max_length=50, description="Created before this time.")] = None,
    sort: Annotated[
        str, Query(max_length=20, description="A field; `-` before it puts the greatest first.")
    ] = "-created",
    cursor: Annotated[str | None, Query(max_length=6000, description="Of an earlier page.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> TaskQuery:
    """Return the query of a request."""
    return TaskQuery(
        q=q, state=state or None, actor=actor or None, queue=queue or None, node=node or None, since=since or None,
        until=until or None, sort=sort or "-created", cursor=cursor or None, limit=limit,
    )  # fmt: skip


def may_see_messages(request: Request) -> bool:
    """Return whether the asker may see messages and results."""
    return allows(Action.SEE_PAYLOADS, known_identity(request))


def may_see_people(request: Request) -> bool:
    """Return whether the asker may see whose analysis it is, the photo and the answer."""
    return allows(Action.SEE_PERSONAL_DATA, known_identity(request))


def moment(value: str, zone: ZoneInfo) -> datetime:
    """Return a time of a request, aware; in a zone where it names none; of an hour that comes twice, the first.

    Raises:
      ValueError: It is none.
    """
    found = datetime.fromisoformat(value)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def typed(value: str | None, zone: ZoneInfo) -> str:
    """Return a time of a request as a form's field takes it, to the minute in a zone; empty where it is none."""
    try:
        found = moment(value or "", zone).astimezone(zone)
    except (ValueError, OverflowError):
        return ""
    return found.replace(tzinfo=None).isoformat(timespec="minutes")


def _moment(name: str, value: str, zone: ZoneInfo) -> datetime:
    try:
        return moment(value, zone)
    except (ValueError, OverflowError):
        raise SearchError(f"{'from' if name == 'since' else 'to'} is no time: write 2026-11-28T09:30.", 0) from None
