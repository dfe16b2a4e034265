"""Which causes of failed runs are one group for people."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from growbin_jobs.engine.central.error_causes import Cause
from growbin_jobs.engine.central.error_figures import ErrorFigures

#: Code, class of the error, place, and the error's text where these do not name it.
GroupCause = tuple[str, str, str, str]

#: A group with its figures.
Members = tuple[GroupCause, list[ErrorFigures]]


def members_of(found: Iterable[ErrorFigures]) -> list[Members]:
    """Return which figures belong to one group, the groups with most failures first.

    Only of a message that was given up the place is known. Runs that failed before it, and others of the same actor
    with the same error, belong to its group, where there is one such place.
    """
    known = list(found)
    causes: defaultdict[tuple[str, str], set[GroupCause]] = defaultdict(set)  # of deaths, by actor and error
    for each in known:
        if each.dead:
            causes[each.cause.actor, each.cause.title].add(_cause(each.cause))
    members: defaultdict[GroupCause, list[ErrorFigures]] = defaultdict(list)
    for each in known:
        likely = causes.get((each.cause.actor, each.cause.title), ())
        members[next(iter(likely)) if len(likely) == 1 else _cause(each.cause)].append(each)
    return sorted(members.items(), key=_largest_first)


def key_of(cause: GroupCause) -> str:
    """Return what names a group; it stays the same from day to day and from version to version."""
    return hashlib.sha256("\0".join(cause).encode("utf-8", "replace")).hexdigest()[:16]


def _largest_first(members: Members) -> tuple[int, str]:
    cause, its = members
    return -sum(each.runs for each in its), key_of(cause)


def _cause(cause: Cause) -> GroupCause:
    # Where the place is known the text adds nothing but what varies.
    return (cause.code, cause.error_class, cause.place, "" if cause.place and cause.error_class else cause.title)
