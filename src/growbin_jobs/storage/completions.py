"""Tells the completion hook how analyses have ended: a signed POST for each, at least once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from growbin_jobs.errors import Transient

if TYPE_CHECKING:
    from growbin_jobs.adapters.webhooks.posting import Posted
    from growbin_jobs.models.analysis_view import Analysis

#: The receiver is gone for good: it wants this message no more than any other (RFC 9110, 15.5.11).
_GONE: Final = 410

#: What is told of an analysis. Addresses of pictures stay inside.
_TOLD: Final = (
    "id", "user_id", "status", "category", "item", "state", "confidence", "response", "response_source", "language",
    "error_code", "error", "created_at", "completed_at",
)  # fmt: skip


class Completions:
    """Reads an analysis and posts it.

    Parameters:
      find: Returns an analysis, or None.
      post: Posts a body under an id; None: no hook is configured.
    """

    def __init__(self, find: Callable[[str], Analysis | None], post: Callable[[str, bytes], Posted] | None) -> None:
        self._find = find
        self._post = post

    def tell(self, analysis_id: str) -> int | None:
        """Post how an analysis has ended.

        Two messages of the same end have the same ``webhook-id``, so that a receiver can tell.

        Returns:
          The hook's HTTP status, 410 also where it is not asked since it is known to be gone; None where no hook is
          configured any more, or the analysis is not at its end (a person has let it run again: its next end is told)
          or was erased.

        Raises:
          Transient: ``completion_not_told``: it cannot be reached, or does not take it.
          Deferred: The database is away.
        """
        found = self._find(analysis_id) if self._post is not None else None
        if found is None or self._post is None or not found.status.is_final or found.user_id is None:
            return None
        posted = self._post(_id_of(found), _body_of(found))
        if posted.problem is not None and posted.status != _GONE:
            raise Transient(f"the completion hook: {posted.problem}", final_code="completion_not_told")
        return posted.status


def _id_of(analysis: Analysis) -> str:
    ended = analysis.completed_at or analysis.updated_at  # a completed row may still have gaps filled
    return f"{analysis.id}.{analysis.status.value}.{ended:%Y%m%dT%H%M%S%f}"


def _body_of(analysis: Analysis) -> bytes:
    values = analysis.as_dict()
    data = {name: values[name] for name in _TOLD}
    ended = values["completed_at"] or values["updated_at"]
    return json.dumps({"type": f"analysis.{values['status']}", "timestamp": ended, "data": data}).encode()
