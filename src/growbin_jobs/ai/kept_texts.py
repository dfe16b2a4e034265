"""Not paying twice for the same advice."""

import hashlib
import json

from pydantic import ValidationError

from growbin_jobs.ai.prompts import TEXT_PROMPT_VERSION, text_messages
from growbin_jobs.ai.responses import TextModel
from growbin_jobs.ai.vision import AnswerCache
from growbin_jobs.messages import Advice, Rule, VisionAnswer
from growbin_jobs.reasons import Language


class CachedTextModel:
    """Keeps a text model's advice for a while, as vision answers are kept.

    Stage 4 runs again when the database was away after the model had answered; the words it paid for are still here.

    Parameters:
      texts: Whom to ask.
      model: Its name.
      cache: Where advice is kept.
    """

    def __init__(self, texts: TextModel, cache: AnswerCache, *, model: str) -> None:
        self._texts = texts
        self._cache = cache
        self._model = model

    def compose(self, rule: Rule, vision: VisionAnswer | None, language: Language) -> Advice:
        """Return the advice; see :meth:`TextModel.compose`."""
        key = self._key(rule, vision, language)
        kept = self._cache.get(key)
        if kept is not None and (advice := _valid(kept)) is not None:
            return advice
        advice = self._texts.compose(rule, vision, language)
        self._cache.put(key, prompt=TEXT_PROMPT_VERSION, response=advice.model_dump_json(), model=self._model)
        return advice

    def _key(self, rule: Rule, vision: VisionAnswer | None, language: Language) -> str:
        # The messages are everything that the model sees.
        asked = [self._model, TEXT_PROMPT_VERSION, text_messages(rule, vision, language)]
        return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()


def _valid(kept: str) -> Advice | None:
    try:
        return Advice.model_validate_json(kept)
    except ValidationError:
        return None
