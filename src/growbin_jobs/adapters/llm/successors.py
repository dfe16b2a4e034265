"""Asks a successor where a model is gone."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from growbin_jobs.adapters.llm.guards import ModelAway
from growbin_jobs.errors import GrowbinError, Permanent

logger = logging.getLogger(__name__)

#: Code of the error for a model that the server does not offer, and reason of the breaker that it opens.
GONE = "model_not_offered"

T = TypeVar("T")


def first_offered(models: Sequence[str], ask: Callable[[int], T]) -> T:
    """Return the answer of the first model that is not gone.

    Parameters:
      models: Their names, the preferred one first; for the log.
      ask: Asks one of them, by its place.

    Raises:
      GrowbinError: What ``ask`` raised, of the preferred model where all are gone.
    """
    gone: GrowbinError | None = None
    for place, model in enumerate(models):
        try:
            return ask(place)
        except (Permanent, ModelAway) as error:
            if not is_gone(error):
                raise
            gone = gone or error
            if place + 1 < len(models):
                logger.warning("model.gone model=%s asks=%s", model, models[place + 1])
    assert gone is not None
    raise gone


def is_gone(error: Permanent | ModelAway) -> bool:
    """Return whether an error says that the server does not offer the model."""
    return (error.code if isinstance(error, Permanent) else error.reason) == GONE
