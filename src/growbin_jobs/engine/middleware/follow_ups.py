"""What becomes of a message whose follow-ups cannot be sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.foreign_errors import describe


def as_data(message: Any) -> dict[str, Any]:
    """Return a message as callbacks get it: as a dict, with the failures that ``Retries`` has counted."""
    data: dict[str, Any] = message.asdict()
    failures = getattr(message, "failures", None)
    return data if failures is None else data | {"options": {**data["options"], "retries": failures}}


@contextmanager
def owed_by(message: Any, what: str) -> Iterator[None]:
    """Send follow-ups of a message, so that none is lost silently.

    Dramatiq logs what a hook raises and acknowledges the message. Here the message runs again where something is away
    for now, and becomes a dead letter that says so where the follow-up can never be sent.

    Parameters:
      what: Names the follow-up, for the dead letter.
    """
    try:
        yield
    except (BrokerConnectionError, Deferred, OSError):
        message.requeue("follow_up_unpublished")
    except Exception as error:
        detail = f"{what} cannot be sent: {describe(error)}."
        message.give_up("decision_invalid", {"detail": detail})
