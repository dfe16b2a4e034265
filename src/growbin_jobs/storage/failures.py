"""Records in the database that an analysis failed, with the reason in the language that it asked for."""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from growbin_jobs.engine.text import plain
from growbin_jobs.errors import Permanent
from growbin_jobs.messages import FAILED_USER as USER
from growbin_jobs.reasons import REASONS, Language, reason

logger = logging.getLogger(__name__)

#: Stages, codes and names of parameters, of whatever version.
_WORD: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")

#: What the codes of ``PictureRefused`` begin with.
_REFUSED: Final = "picture_"


class FailureStore(Protocol):
    """Where it is written down."""

    def failed(
        self,
        analysis_id: str,
        *,
        stage: str,
        code: str,
        params: Mapping[str, str | int | float],
        sentence: str,
        user_id: str | None,
    ) -> bool:
        """Set status, stage and reason; False when the analysis had already come to an end, or is another user's."""


class Failures:
    """Turn a code into a sentence and record it.

    Parameters:
      store: Where to.
      language: Of the sentence, where the analysis asked for none.
      discard: Deletes our copy of the picture of an analysis.
      may_fail: Returns whether a failure of an analysis may be noted on behalf of a user.
      asked_language: Returns the language that an analysis asked for; None where it asked for none.
    """

    def __init__(
        self,
        store: FailureStore,
        *,
        language: Language,
        discard: Callable[[str], object],
        may_fail: Callable[[str, str | None], bool],
        asked_language: Callable[[str], Language | None],
    ) -> None:
        self._store = store
        self._language = language
        self._discard = discard
        self._may_fail = may_fail
        self._asked_language = asked_language

    def record(self, analysis_id: str, *, stage: str, code: str, params: Mapping[str, str | int | float]) -> bool:
        """Record one failure, and delete a picture that was refused: it still says where it was taken.

        A message may name any analysis. The one of another user than the message's is left as it is, and its picture.

        Parameters:
          params: For the sentence; ``user_id`` is the user whose message failed, absent from a previous version. What
            cannot be a parameter is left out: the analysis is to come to its end all the same.

        Returns:
          See :meth:`FailureStore.failed`.

        Raises:
          Permanent: The stage or the code can be none.
          Transient, Deferred: The picture cannot be deleted now, or the failure not recorded. Call it again.
        """
        if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in (stage, code)):
            raise Permanent("request_invalid", detail="stage and code must be words of ours")
        params = _parameters(params)
        user_id = params.pop(USER, None)
        user_id = None if user_id is None else str(user_id)
        if not self._may_fail(analysis_id, user_id):
            logger.warning("failure.of_another_user analysis=%s stage=%s code=%s", analysis_id, stage, code)
            return False
        # A worker of a newer version may send a code that this one does not know yet.
        known = code if code in REASONS else "retries_exhausted"
        sentence = reason(known, self._asked_language(analysis_id) or self._language, params)
        try:
            # First, since who sees "failed" may hand in another picture under the same id at once.
            if stage == "upload" and code.startswith(_REFUSED):
                self._discard(analysis_id)
        finally:
            recorded = self._store.failed(
                analysis_id, stage=stage, code=code, params=params, sentence=sentence, user_id=user_id
            )
        return recorded


def _parameters(given: object) -> dict[str, str | int | float]:
    """Return those of the parameters that can be some, their texts in one line without control characters."""
    values = given if isinstance(given, Mapping) else {}
    fitting = {name: plain(value) for name, value in values.items() if isinstance(name, str) and _WORD.fullmatch(name)}
    return {name: _in_one_line(value) if isinstance(value, str) else value for name, value in fitting.items()}


def _in_one_line(text: str) -> str:
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)
