"""A failed analysis says why, in the language of the people."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from growbin_jobs.reasons import REASONS, Language, reason

#: What the codes of ``PictureRefused`` begin with.
_REFUSED: Final = "picture_"


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
      discard: Deletes our copy of the picture of an analysis.
    """

    def __init__(self, store: FailureStore, *, language: Language, discard: Callable[[str], object]) -> None:
        self._store = store
        self._language = language
        self._discard = discard

    def record(self, analysis_id: str, *, stage: str, code: str, params: Mapping[str, str | int | float]) -> bool:
        """Record one failure, and delete a picture that was refused: it still says where it was taken.

        Returns:
          See :meth:`FailureStore.failed`.

        Raises:
          Transient, Deferred: The picture cannot be deleted now, or the failure not recorded. Call it again.
        """
        # A worker of a newer version may send a code that this one does not know yet.
        known = code if code in REASONS else "retries_exhausted"
        sentence = reason(known, self._language, params)
        try:
            # First, since who sees "failed" may hand in another picture under the same id at once.
            if stage == "upload" and code.startswith(_REFUSED):
                self._discard(analysis_id)
        finally:
            recorded = self._store.failed(analysis_id, stage=stage, code=code, params=params, sentence=sentence)
        return recorded
