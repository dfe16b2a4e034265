"""Makes the end of a run storable: SQLite refuses half a surrogate pair and numbers beyond 64 bits.

Actors and senders may put such values anywhere, so that they are met here at the latest. Asked only for what SQLite has
refused: looking at every end would cost more than writing it.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

from growbin_jobs.engine.delivery.records import Dead, Finish, TaskState
from growbin_jobs.engine.text import well_formed

#: Wire name of the reason (:mod:`growbin_jobs.engine.reasons`).
UNSTORABLE = "end_unstorable"

_LARGEST = 2**63 - 1


def storable(record: Finish) -> Finish:
    """Return an end whose own fields can be stored; its messages are left as they are, they must not change."""
    changes = {each.name: _value(getattr(record, each.name)) for each in fields(record)}
    for required in ("started_at", "completed_at"):
        changes[required] = changes[required] or 0.0
    changes["state"], changes["outbox"] = record.state, record.outbox
    changes["dead"] = None if record.dead is None else _dead(record.dead)
    return replace(record, **changes)


def as_dead(record: Finish, error: BaseException) -> Finish:
    """Return the end of a run that has to be given up because its messages, or anything else of it, cannot be stored.

    Parameters:
      record: As :func:`storable` returns it.
      error: What SQLite said; only the name of its type is kept.
    """
    why = type(error).__name__
    dead = Dead(
        body=record.payload.encode("utf-8", "replace"), code=UNSTORABLE, params=f'{{"detail": "{why}"}}',
        error=f"the end of its run cannot be stored ({why})", traceback="", died_at=record.completed_at,
    )  # fmt: skip
    return replace(
        record, state=TaskState.DEAD, dead=record.dead or dead, outbox=(), deferred=False, due_at=None, result=None
    )


def _dead(dead: Dead) -> Dead:
    return replace(dead, **{each.name: _value(getattr(dead, each.name)) for each in fields(dead)})


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):
        return max(-_LARGEST, min(value, _LARGEST))
    return value if math.isfinite(value) else None
