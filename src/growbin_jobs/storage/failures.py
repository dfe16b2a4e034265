"""A failed analysis says why, in the language of the people."""

from collections.abc import Mapping
from typing import Protocol

from growbin_jobs.reasons import REASONS, Language, reason


class FailureStore(Protocol):
    """Where it is written down."""

    def failed(
        self, analysis_id: str, *, stage: str, code: str, params: Mapping[str, str | int | float], sentence: str
    ) -> bool:
        """Set status, stage and reason; False when the analysis had already come to an end."""


class Failures:
    """Turn a code into a sentence and record it.

    Parameters:
      store: Where to.
      language: Of the sentence.
    """

    def __init__(self, store: FailureStore, *, language: Language) -> None:
        self._store = store
        self._language = language

    def record(self, analysis_id: str, *, stage: str, code: str, params: Mapping[str, str | int | float]) -> bool:
        """Record one failure; see :meth:`FailureStore.failed` for what is returned."""
        # A worker of a newer version may send a code that this one does not know yet.
        known = code if code in REASONS else "retries_exhausted"
        sentence = reason(known, self._language, params)
        return self._store.failed(analysis_id, stage=stage, code=code, params=params, sentence=sentence)
